//! Processes that end with `exit()`: what the library keeps is asked for until the very end.

use neon_auth_connections::{Cluster, World, eventually, library};

/// Everything that has state of a transaction: an identity, cursors in two subtransactions, a role and settings that
/// the abort restores, cached results, changes of tables, and an identity for the WAL.
const BUSY: &str = "
    SET LOCAL search_path = public, pg_catalog;
    INSERT INTO pages (body) VALUES ('written');
    DECLARE before CURSOR FOR SELECT auth.user_id(), body FROM pages;
    FETCH before;
    SAVEPOINT inner_one;
    DECLARE within CURSOR FOR SELECT auth.user_id(), auth.has_permission('t', 'p'), body FROM pages;
    FETCH within;
    CREATE TEMP TABLE changed (id int);
    ALTER TABLE changed ADD COLUMN more int;
    INSERT INTO changed SELECT 1";

fn world(cluster: &Cluster) -> World {
    let world = World::in_server(cluster.server());
    world
        .superuser()
        .run("ALTER ROLE app SET neon_auth.actor_in_wal = on");
    let library = library("exits");
    world.superuser().run(&format!(
        "CREATE FUNCTION end_process() RETURNS void LANGUAGE c AS '{library}';
         CREATE TABLE pages (owner text DEFAULT auth.user_id(), body text);
         ALTER TABLE pages ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON pages USING (owner = auth.user_id());
         GRANT ALL ON pages TO app"
    ));
    world
}

#[test]
fn a_session_that_exits_in_a_transaction_panics_nowhere() {
    for preload in ["", "shared_preload_libraries = 'neon_auth'"] {
        let cluster = Cluster::start(&format!("{preload}\nwal_level = logical"));
        let world = world(&cluster);
        let token = world.token();
        for is_local in [false, true] {
            let mut session = world.app();
            if is_local {
                session.run("BEGIN");
                session.value("SELECT auth.authenticate($1)", &[&token]);
            } else {
                session.sign_in_for_session(&token);
                session.run("BEGIN");
            }
            session.run(BUSY);
            let lost = session.batch_execute("SELECT end_process()");
            assert!(lost.is_err_and(|error| error.is_closed()));
        }
        let mut session = world.app();
        session.sign_in_for_session(&token);
        assert!(session.user().is_some());
        eventually("both have ended", || {
            let count = "SELECT count(*)::text FROM pg_stat_activity WHERE usename = 'app'";
            world.superuser().value(count, &[]) == Some("1".to_owned())
        });
        let log = cluster.log();
        assert!(
            !log.contains("panicked") && !log.contains("terminated by signal"),
            "{log}"
        );
    }
}
