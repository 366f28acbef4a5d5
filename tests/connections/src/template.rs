//! The database that all databases with the extension are copied from.
//!
//! CREATE EXTENSION takes several times as long as a copy. `dev/cluster` starts one server for all
//! test programs, so the first test makes the template and the others find it.

use crate::server::Server;
use crate::session::Session;
use crate::wait::eventually;

const NAME: &str = "connections_template";

/// A template takes connections only while it is being made.
const IS_READY: &str =
    "SELECT count(*)::text FROM pg_database WHERE datname = $1 AND NOT datallowconn";

/// Roles belong to the whole server.
const ROLES: &str = "
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app') THEN
        CREATE ROLE app LOGIN IN ROLE authenticated, anonymous;
    END IF;
END $$";

/// The application's table: everybody sees and writes their own rows.
const NOTES: &str = "
CREATE TABLE notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id text NOT NULL DEFAULT (auth.user_id()),
    body text NOT NULL);
CREATE INDEX ON notes (user_id);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notes USING (user_id = (SELECT auth.user_id()));
GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO app";

/// The name of the server's template, which is made if it is missing.
#[track_caller]
pub(crate) fn template(server: &Server) -> &'static str {
    let is_ready =
        |session: &mut Session| session.value(IS_READY, &[&NAME]).as_deref() == Some("1");
    if !is_ready(&mut Session::open(&server.config("postgres", "postgres"))) {
        server.alone(|maker| {
            if !is_ready(maker) {
                make(server, maker);
            }
        });
    }
    NAME
}

fn make(server: &Server, maker: &mut Session) {
    // What a test program left that ended in the middle.
    maker.run(&format!("DROP DATABASE IF EXISTS {NAME} WITH (FORCE)"));
    maker.run(&format!("CREATE DATABASE {NAME} TEMPLATE template0"));
    fill(&mut Session::open(&server.config("postgres", NAME)));
    // Nobody can be in a database while it is copied, and background workers visit a database that
    // takes connections.
    maker.run(&format!("ALTER DATABASE {NAME} ALLOW_CONNECTIONS false"));
    let inside = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = $1";
    eventually("everybody has left the template", || {
        maker.value(inside, &[&NAME]).as_deref() == Some("0")
    });
}

/// Creates the extension, the role and the table in an empty database.
#[track_caller]
pub(crate) fn fill(session: &mut Session) {
    session.run("CREATE EXTENSION neon_auth");
    session.run("SELECT neon_auth.setup_roles()");
    session.run(ROLES);
    session.run(NOTES);
}
