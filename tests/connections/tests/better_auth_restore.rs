//! Copies of a database with Better Auth: the dump of a hosted project, the extension's own dump, a branch.

use neon_auth_connections::{Database, Dump, Server, Session};
use postgres::error::SqlState;

/// What a hosted project has, cut down: a schema of the owner's, and no users_sync.
const HOSTED: &str = "
CREATE SCHEMA neon_auth;
CREATE TABLE neon_auth.\"user\" (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE,
    \"emailVerified\" boolean NOT NULL, image text, \"createdAt\" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    \"updatedAt\" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL, role text, banned boolean, \"banReason\" text,
    \"banExpires\" timestamptz);
CREATE TABLE neon_auth.session (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY, \"expiresAt\" timestamptz NOT NULL,
    token text NOT NULL UNIQUE, \"createdAt\" timestamptz DEFAULT CURRENT_TIMESTAMP NOT NULL,
    \"updatedAt\" timestamptz NOT NULL, \"ipAddress\" text, \"userAgent\" text,
    \"userId\" uuid NOT NULL REFERENCES neon_auth.\"user\" ON DELETE CASCADE, \"impersonatedBy\" text,
    \"activeOrganizationId\" text);
CREATE INDEX ON neon_auth.session (\"userId\");
CREATE TABLE neon_auth.jwks (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY, \"publicKey\" text NOT NULL, \"privateKey\" text NOT NULL,
    \"createdAt\" timestamptz NOT NULL, \"expiresAt\" timestamptz);
CREATE TABLE neon_auth.organization (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, logo text,
    \"createdAt\" timestamptz NOT NULL, metadata text);
CREATE UNIQUE INDEX organization_slug_uidx ON neon_auth.organization (slug);
CREATE TABLE neon_auth.member (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY,
    \"organizationId\" uuid NOT NULL REFERENCES neon_auth.organization ON DELETE CASCADE,
    \"userId\" uuid NOT NULL REFERENCES neon_auth.\"user\" ON DELETE CASCADE, role text NOT NULL,
    \"createdAt\" timestamptz NOT NULL);
CREATE TABLE neon_auth.project_config (
    id uuid DEFAULT gen_random_uuid() NOT NULL PRIMARY KEY, name text NOT NULL, endpoint_id text NOT NULL UNIQUE,
    trusted_origins jsonb NOT NULL, allow_localhost boolean NOT NULL);
INSERT INTO neon_auth.\"user\" (id, name, email, \"emailVerified\")
SELECT format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))::uuid, 'User ' || n, n || '@example.com', true
  FROM generate_series(1, 500) n;
INSERT INTO neon_auth.session (token, \"userId\", \"expiresAt\", \"createdAt\", \"updatedAt\")
SELECT 'token_of_' || row_number() OVER (ORDER BY id), id, '2099-01-01Z', '2026-01-01Z', '2026-01-01Z'
  FROM neon_auth.\"user\";
INSERT INTO neon_auth.organization VALUES ('11111111-1111-4111-8111-000000000001', 'Acme', 'acme', NULL, now());
INSERT INTO neon_auth.member (\"organizationId\", \"userId\", role, \"createdAt\")
SELECT '11111111-1111-4111-8111-000000000001', id, 'owner', now() FROM neon_auth.\"user\" ORDER BY id LIMIT 10;
INSERT INTO neon_auth.project_config (name, endpoint_id, trusted_origins, allow_localhost)
VALUES ('example', 'ep-example-00000001', '[]', true);";

const ALICE: &str = "00000000-0000-4000-8000-000000000001";
const CALL: &str = "SELECT count(*)::text
                      FROM neon_auth.add_better_auth('https://ep-example-00000001.neonauth.example/neondb/auth')";

/// A database as the hosted service made it, with a role that owns all of it.
struct Project {
    database: Database,
    owner: String,
}

impl Project {
    fn new() -> Self {
        let database = Database::empty_in(Server::shared());
        let owner = format!("owner_of_{}", database.name());
        database.superuser().run(&format!(
            "CREATE ROLE {owner} LOGIN; GRANT CREATE ON DATABASE {} TO {owner}",
            database.name()
        ));
        let project = Self { database, owner };
        project.server(&project.database).run(HOSTED);
        project
    }

    /// A project in whose database the extension is, which knows its tables.
    fn bound() -> Self {
        let project = Self::new();
        let mut superuser = project.database.superuser();
        superuser.run("SET client_min_messages = error; CREATE EXTENSION neon_auth");
        assert_eq!(superuser.value(CALL, &[]).as_deref(), Some("5"));
        superuser.run(
            "CREATE TABLE notes (user_id text REFERENCES neon_auth.users_sync (id) DEFAULT auth.user_id());
             INSERT INTO notes SELECT id FROM neon_auth.users_sync;
             SELECT neon_auth.set_secret('better_auth_secret', 'a secret for tests, with 32 bytes');",
        );
        project
    }

    /// A connection as the server of Better Auth makes it.
    #[track_caller]
    fn server(&self, database: &Database) -> Session {
        Session::open(&database.config(&self.owner))
    }

    /// Fails unless sessions sign in, and the mirror has the users and gets what the server writes.
    #[track_caller]
    fn assert_works(&self, database: &Database) {
        let mut superuser = database.superuser();
        let users = "SELECT count(*)::text FROM neon_auth.users_sync WHERE deleted_at IS NULL";
        assert_eq!(superuser.value(users, &[]).as_deref(), Some("500"));
        superuser.run("BEGIN");
        assert_eq!(superuser.sign_in("token_of_1"), ALICE);
        let role = "SELECT auth.has_permission('organization:delete', '11111111-1111-4111-8111-000000000001')::text";
        assert_eq!(superuser.value(role, &[]).as_deref(), Some("true"));
        superuser.run("ROLLBACK");
        let mut server = self.server(database);
        server.run(
            "INSERT INTO neon_auth.\"user\" (name, email, \"emailVerified\") VALUES ('New', 'new@example.com', true)",
        );
        assert_eq!(superuser.value(users, &[]).as_deref(), Some("501"));
        server.run("DELETE FROM neon_auth.\"user\" WHERE email = 'new@example.com'");
        assert_eq!(superuser.value(users, &[]).as_deref(), Some("500"));
        server.run("TRUNCATE neon_auth.session");
        let refused = superuser.sign_in_refused("token_of_1");
        assert_eq!(
            *refused.code(),
            SqlState::INVALID_AUTHORIZATION_SPECIFICATION
        );
    }

    #[track_caller]
    fn owner_of(&self, database: &Database, relation: &str) -> String {
        let owner = "SELECT relowner::regrole::text FROM pg_class WHERE oid = $1::text::regclass";
        let owner = database.superuser().value(owner, &[&relation]);
        owner.expect("the relation exists")
    }
}

#[test]
fn a_hosted_dump_is_restored_and_then_gets_the_extension() {
    let project = Project::new();
    let copy = Dump::of(&project.database).restore(&[&["--jobs=4"]]);
    let copy = copy.unwrap_or_else(|reason| panic!("{reason}"));
    let mut superuser = copy.superuser();
    superuser.run("SET client_min_messages = error; CREATE EXTENSION neon_auth");
    assert_eq!(superuser.value(CALL, &[]).as_deref(), Some("5"));
    project.assert_works(&copy);
}

#[test]
fn a_hosted_dump_is_restored_beside_the_extension() {
    let project = Project::new();
    let copy = Database::empty_in(Server::shared());
    copy.superuser().run("CREATE EXTENSION neon_auth");
    let dump = Dump::of(&project.database);
    let has_schema = |line: &str| !line.contains(" SCHEMA - neon_auth ");
    let outcome = dump.restore_entries(&copy, has_schema);
    outcome.unwrap_or_else(|reason| panic!("{reason}"));
    // In one call, with the response of the console.
    copy.superuser().run(
        "SELECT neon_auth.configure('{\"auth_provider\": \"better_auth\", \"auth_provider_project_id\": \"x\",
             \"pub_client_key\": \"\", \"secret_server_key\": \"\", \"schema_name\": \"neon_auth\",
             \"table_name\": \"users_sync\", \"base_url\": \"https://ep-example-00000001.neonauth.example/neondb/auth\"}')",
    );
    assert_eq!(project.owner_of(&copy, "neon_auth.\"user\""), project.owner);
    project.assert_works(&copy);
}

#[test]
fn a_dump_of_a_bound_database_works_at_once() {
    let project = Project::bound();
    let dump = Dump::of(&project.database);
    for calls in [
        &[
            &["--jobs=4", "--section=pre-data", "--section=data"][..],
            &["--jobs=4", "--section=post-data"],
        ][..],
        &[&[]],
    ] {
        let copy = dump.restore(calls);
        let copy = copy.unwrap_or_else(|reason| panic!("{calls:?}: {reason}"));
        let bound = "SELECT string_agg(concat_ws(' ', what, relation, columns), ';' ORDER BY what)
                       FROM neon_auth_internal.better_auth_tables";
        let before = project.database.superuser().value(bound, &[]);
        assert!(before.is_some());
        assert_eq!(copy.superuser().value(bound, &[]), before, "{calls:?}");
        let triggers = "SELECT string_agg(pg_get_triggerdef(t.oid) || tgenabled::text, ';' ORDER BY 1)
                          FROM pg_trigger t WHERE tgfoid = 'neon_auth_internal.better_auth_changed'::regproc
                           AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_trigger'::regclass
                                          AND d.objid = t.oid AND d.deptype = 'x')";
        let triggers = triggers.replace("ORDER BY 1", "ORDER BY tgrelid::regclass::text, tgname");
        let before = project.database.superuser().value(&triggers, &[]);
        assert!(before.is_some());
        assert_eq!(copy.superuser().value(&triggers, &[]), before, "{calls:?}");
        assert_eq!(project.owner_of(&copy, "neon_auth.\"user\""), project.owner);
        project.assert_works(&copy);
    }
}

/// As docs/adopt.md says: a dump does not contain the owner of the shared schema.
#[test]
fn a_schema_that_exists_before_the_restore_keeps_its_owner() {
    let project = Project::bound();
    let copy = Database::empty_in(Server::shared());
    let schema = format!("CREATE SCHEMA neon_auth AUTHORIZATION {}", project.owner);
    copy.superuser().run(&schema);
    let outcome = Dump::of(&project.database).restore_into(&copy, &[&[]]);
    outcome.unwrap_or_else(|reason| panic!("{reason}"));
    project
        .server(&copy)
        .run("CREATE TABLE neon_auth.made_by_a_migration ()");
    project.assert_works(&copy);
}

#[test]
fn a_branch_works_at_once_and_ends_the_copied_sessions() {
    let project = Project::bound();
    let branch = project.database.copy();
    project.assert_works(&branch);
    let branch = project.database.copy();
    let revoked = branch
        .superuser()
        .value("SELECT neon_auth.revoke_sessions()::text", &[]);
    assert_eq!(revoked.as_deref(), Some("500"));
    branch.superuser().sign_in_refused("token_of_1");
    let mut superuser = project.database.superuser();
    superuser.run("BEGIN");
    assert_eq!(superuser.sign_in("token_of_1"), ALICE);
}

#[test]
fn the_extension_is_dropped_without_the_tables_of_better_auth() {
    let project = Project::bound();
    let mut superuser = project.database.superuser();
    superuser.run("DROP TABLE notes; DROP EXTENSION neon_auth");
    let left = "SELECT count(*)::text FROM pg_trigger WHERE NOT tgisinternal";
    assert_eq!(superuser.value(left, &[]).as_deref(), Some("0"));
    let mut server = project.server(&project.database);
    server.run(
        "DELETE FROM neon_auth.\"user\" WHERE email = '1@example.com'; TRUNCATE neon_auth.session",
    );
    superuser.run("SET client_min_messages = error; CREATE EXTENSION neon_auth");
    assert_eq!(superuser.value(CALL, &[]).as_deref(), Some("5"));
    let users = "SELECT count(*)::text FROM neon_auth.users_sync";
    assert_eq!(superuser.value(users, &[]).as_deref(), Some("499"));
}
