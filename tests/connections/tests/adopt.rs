//! docs/adopt.sql, while the owner of what is adopted would become a superuser by it.

use std::process::{Child, Command, Stdio};
use std::thread;

use neon_auth_connections::{Database, Server, Session, eventually};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/adopt.sql");

/// What a project's owner has. `harmless` is anything but that when a superuser calls it.
const PROJECT: &str = "
CREATE SCHEMA neon_auth;
CREATE TABLE neon_auth.users_sync (
    raw_json   jsonb NOT NULL,
    id         text GENERATED ALWAYS AS (raw_json ->> 'id') STORED NOT NULL PRIMARY KEY,
    updated_at timestamptz,
    deleted_at timestamptz);
INSERT INTO neon_auth.users_sync VALUES ('{\"id\": \"u1\"}');
CREATE SCHEMA app;
CREATE TABLE app.todos (id int, user_id text REFERENCES neon_auth.users_sync);
INSERT INTO app.todos VALUES (1, 'u1');
CREATE TABLE app.events (id int, user_id text REFERENCES neon_auth.users_sync) PARTITION BY RANGE (id);
CREATE TABLE app.events_1 PARTITION OF app.events FOR VALUES FROM (0) TO (10);
INSERT INTO app.events VALUES (1, 'u1');
CREATE VIEW app.names AS SELECT id FROM neon_auth.users_sync;
CREATE FUNCTION app.is_user(id text) RETURNS boolean LANGUAGE sql STABLE
    BEGIN ATOMIC SELECT EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.id = is_user.id); END;
CREATE FUNCTION app.seize() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        ALTER ROLE PROJECT_OWNER SUPERUSER;
    END IF;
END
$$;
CREATE FUNCTION app.harmless(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM app.seize();
    RETURN true;
END
$$;
CREATE DOMAIN app.checked AS int CHECK (app.harmless(VALUE));
CREATE OPERATOR app.@#@ (RIGHTARG = int, FUNCTION = app.harmless)";

/// A database as a Neon project has it, all of whose objects belong to a role without privileges.
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
        let objects = PROJECT.replace("PROJECT_OWNER", &project.owner);
        project.session().run(&objects);
        project
    }

    /// The owner's session.
    fn session(&self) -> Session {
        Session::open(&self.database.config(&self.owner))
    }

    /// Begins to adopt, as a superuser.
    fn adopt(&self) -> Child {
        Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--username", "postgres"])
            .args(["--dbname", self.database.name(), "--file", PAGE])
            .env("PGOPTIONS", "-c lock_timeout=1min")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("psql runs")
    }

    /// Waits until the adoption waits for a session.
    fn wait_until_it_waits_for(&self, session: &mut Session) {
        let holder = session.pid();
        let mut superuser = self.database.superuser();
        eventually("the adoption waits", || {
            !superuser
                .values(
                    "SELECT pid::text FROM pg_stat_activity
                      WHERE datname = current_database() AND application_name = 'psql'
                        AND $1 = ANY (pg_blocking_pids(pid))",
                    &[&holder],
                )
                .is_empty()
        });
    }

    /// What the owner has become, and must not.
    fn is_superuser(&self) -> bool {
        let query = "SELECT rolsuper::text FROM pg_roles WHERE rolname = $1";
        let answer = self.database.superuser().value(query, &[&self.owner]);
        answer.as_deref() == Some("true")
    }
}

/// Whether it succeeded, and what it said.
fn outcome(adoption: Child) -> (bool, String) {
    let output = adoption.wait_with_output().expect("psql ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.success(), said)
}

#[test]
fn what_is_made_while_adoption_waits_is_not_called() {
    for trap in [
        "CREATE INDEX trap ON app.todos (id) WHERE app.harmless(1)",
        "CREATE INDEX trap ON app.todos ((app.harmless(1) AND id = 1))",
        "CREATE INDEX trap ON app.events_1 (id) WHERE app.harmless(1)",
        "CREATE INDEX trap ON app.events (id) WHERE app.harmless(1)",
        "CREATE INDEX trap ON app.todos (id) WHERE OPERATOR(app.@#@) 1",
        "CREATE INDEX trap ON app.todos (id) WHERE ARRAY[1]::app.checked[] IS NOT NULL",
        "CREATE STATISTICS app.trap ON (app.harmless(1) AND id = 1) FROM app.todos",
        "CREATE INDEX trap ON neon_auth.users_sync (id) WHERE app.harmless(1)",
    ] {
        let project = Project::new();
        let mut owner = project.session();
        owner.run(&format!("BEGIN; {trap}"));
        let adoption = project.adopt();
        project.wait_until_it_waits_for(&mut owner);
        owner.run("COMMIT");
        let (succeeded, said) = outcome(adoption);
        assert!(!project.is_superuser(), "{trap}");
        assert!(!succeeded, "{trap}");
        let refusal = "cannot be adopted while its planning calls others' functions";
        assert!(said.contains(refusal), "{trap}: {said}");
        assert!(said.contains("trap"), "{trap}: {said}");
    }
}

#[test]
fn nothing_that_it_has_looked_at_can_be_changed() {
    let project = Project::new();
    // Where it waits for the last of its locks to be got.
    let mut holder = project.session();
    holder.run("BEGIN; CREATE SCHEMA auth");
    let adoption = project.adopt();
    project.wait_until_it_waits_for(&mut holder);
    let changes = [
        "ALTER SCHEMA neon_auth RENAME TO elsewhere",
        "ALTER SCHEMA app RENAME TO elsewhere",
        "CREATE INDEX ON app.todos (id) WHERE app.harmless(1)",
        "CREATE INDEX ON app.events_1 (id) WHERE app.harmless(1)",
        "CREATE TABLE app.events_2 PARTITION OF app.events FOR VALUES FROM (10) TO (20)",
        "CREATE POLICY trap ON app.todos USING (app.harmless(1))",
        "CREATE OR REPLACE VIEW app.names AS SELECT array_to_string('{1}'::app.checked[], '') AS id",
        "CREATE OR REPLACE FUNCTION app.is_user(id text) RETURNS boolean LANGUAGE sql STABLE
         BEGIN ATOMIC SELECT '{1}'::app.checked[] IS NOT NULL; END",
        "ALTER FUNCTION app.is_user(text) RENAME TO trap",
    ];
    thread::scope(|scope| {
        for change in changes {
            let mut session = project.session();
            session.run("SET lock_timeout = '1min'");
            let pid = session.pid();
            scope.spawn(move || {
                // Afterwards it may or may not be possible.
                let _ = session.batch_execute(change);
            });
            let mut superuser = project.database.superuser();
            eventually(change, || {
                let waits = "SELECT (cardinality(pg_blocking_pids($1)) > 0)::text";
                superuser.value(waits, &[&pid]).as_deref() == Some("true")
            });
        }
        holder.run("ROLLBACK");
        let (succeeded, said) = outcome(adoption);
        assert!(succeeded, "{said}");
    });
    assert!(!project.is_superuser());
    let adopted = "SELECT count(*)::text FROM pg_constraint
                    WHERE contype = 'f' AND conparentid = 0 AND convalidated
                      AND confrelid = 'neon_auth.users_sync'::regclass";
    let adopted = project.database.superuser().value(adopted, &[]);
    assert_eq!(adopted.as_deref(), Some("2"));
}
