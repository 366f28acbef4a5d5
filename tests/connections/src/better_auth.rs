//! A database with the tables of Better Auth, bound and mirrored.

use crate::database::Database;
use crate::server::Server;
use crate::session::Session;

/// The tables with those of the plugins organization, teams and dynamic access control.
const TABLES: &str = r#"CREATE TABLE ba."user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE,
            "emailVerified" boolean NOT NULL, "createdAt" timestamptz NOT NULL DEFAULT now(), role text);
        CREATE TABLE ba.session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE,
            "userId" text NOT NULL REFERENCES ba."user" ON DELETE CASCADE);
        CREATE TABLE ba.organization (id text PRIMARY KEY, name text NOT NULL);
        CREATE TABLE ba.member (id text PRIMARY KEY, "organizationId" text NOT NULL REFERENCES ba.organization ON DELETE
            CASCADE, "userId" text NOT NULL REFERENCES ba."user" ON DELETE CASCADE, role text NOT NULL);
        CREATE INDEX ON ba.member ("userId");
        CREATE TABLE ba.team (id text PRIMARY KEY, name text NOT NULL,
            "organizationId" text NOT NULL REFERENCES ba.organization ON DELETE CASCADE);
        CREATE TABLE ba."teamMember" (id text PRIMARY KEY, "teamId" text NOT NULL REFERENCES ba.team ON DELETE CASCADE,
            "userId" text NOT NULL REFERENCES ba."user" ON DELETE CASCADE);
        CREATE TABLE ba."organizationRole" (id text PRIMARY KEY, "organizationId" text NOT NULL REFERENCES
            ba.organization ON DELETE CASCADE, role text NOT NULL, permission text NOT NULL);"#;

/// What the mirror lacks, or has in excess, as plain SQL finds it from the tables; no row if nothing.
pub const BETTER_AUTH_DIFFERENCES: &str = r#"
    WITH source AS (
        SELECT concat_ws('|', 'user', id, name, email, "emailVerified"::text, role) AS row FROM ba."user"
        UNION SELECT concat_ws('|', 'team', id, name) FROM ba.organization
        UNION SELECT concat_ws('|', 'team', id, name) FROM ba.team
        UNION SELECT concat_ws('|', 'member', "organizationId", "userId") FROM ba.member
        UNION SELECT concat_ws('|', 'member', "teamId", "userId") FROM ba."teamMember"
        UNION SELECT concat_ws('|', 'role', id, r) FROM ba."user", string_to_table(role, ',') r WHERE r ~ '^\S+$'
        UNION SELECT concat_ws('|', 'permission', "organizationId", "userId", r)
                FROM ba.member, string_to_table(role, ',') r WHERE r ~ '^\S+$'
        UNION SELECT concat_ws('|', 'permission', m."organizationId", m."userId", s.key || ':' || a)
                FROM ba.member m
               CROSS JOIN string_to_table(m.role, ',') r
                JOIN ba."organizationRole" o ON o."organizationId" = m."organizationId" AND o.role = r AND r ~ '^\S+$',
                     jsonb_each(o.permission::jsonb) s, jsonb_array_elements_text(s.value) a
    ), mirror AS (
        SELECT concat_ws('|', 'user', id, name, email, raw_json ->> 'primary_email_verified', raw_json ->> 'role') AS row
          FROM neon_auth.users_sync WHERE deleted_at IS NULL
        UNION SELECT concat_ws('|', 'team', id, name) FROM neon_auth.teams_sync WHERE deleted_at IS NULL
        UNION SELECT concat_ws('|', 'member', team_id, user_id) FROM neon_auth.team_members_sync
        UNION SELECT concat_ws('|', 'role', p.user_id, p.permission_id)
                FROM neon_auth.project_permissions_sync p
                JOIN neon_auth.users_sync u ON u.id = p.user_id AND u.deleted_at IS NULL
        UNION SELECT concat_ws('|', 'permission', team_id, user_id, permission_id) FROM neon_auth.team_permissions_sync
    )
    SELECT 'lacks ' || row FROM (TABLE source EXCEPT TABLE mirror) AS lacking
    UNION ALL SELECT 'has ' || row FROM (TABLE mirror EXCEPT TABLE source) AS surplus
    ORDER BY 1"#;

/// A database whose role `app` owns Better Auth's tables in schema `ba`.
pub struct BetterAuth {
    pub database: Database,
}

impl BetterAuth {
    pub fn new() -> Self {
        Self::in_server(Server::shared())
    }

    pub fn in_server(server: Server) -> Self {
        let database = Database::create_in(server);
        database.superuser().run(&format!(
            "DELETE FROM neon_auth.providers;
             CREATE SCHEMA ba AUTHORIZATION app;
             SET ROLE app;
             {TABLES}
             RESET ROLE;
             SELECT neon_auth.add_better_auth('https://app.example.com')"
        ));
        Self { database }
    }

    /// The application, which owns the tables and has no other right.
    #[track_caller]
    pub fn app(&self) -> Session {
        self.database.app()
    }

    #[track_caller]
    pub fn superuser(&self) -> Session {
        self.database.superuser()
    }

    /// Everything in which the mirror differs from the tables.
    pub fn differences(&self) -> Vec<String> {
        let rows = self.superuser().values(BETTER_AUTH_DIFFERENCES, &[]);
        rows.into_iter().flatten().collect()
    }

    /// An expression over the gaps that are recorded.
    pub fn gaps(&self, expression: &str) -> Option<String> {
        let query = format!("SELECT ({expression})::text FROM neon_auth_internal.mirror_gaps");
        self.superuser().value(&query, &[])
    }

    /// Whether `neon_auth.status` calls a component healthy.
    pub fn is_ok(&self, component: &str) -> bool {
        let query = "SELECT ok::text FROM neon_auth.status WHERE component = $1";
        let ok = self.superuser().value(query, &[&component]);
        ok.as_deref() == Some("true")
    }

    #[track_caller]
    pub fn sync(&self) {
        self.superuser().run("CALL neon_auth.sync()");
    }
}

impl Default for BetterAuth {
    fn default() -> Self {
        Self::new()
    }
}
