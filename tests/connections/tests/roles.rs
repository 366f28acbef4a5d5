//! Roles belong to the whole server, and databases are set up side by side.

use std::thread;

use neon_auth_connections::{Cluster, Database, await_lock};

const SET_UP: &str = "SELECT neon_auth.setup_roles()";

#[test]
fn two_databases_can_be_set_up_at_once() {
    let cluster = Cluster::start("");
    let databases = [(); 2].map(|()| Database::empty_in(cluster.server()));
    let [mut first, mut second] = databases.each_ref().map(Database::superuser);
    for session in [&mut first, &mut second] {
        session.run("CREATE EXTENSION neon_auth");
    }
    let pid = second.pid();
    first.run(&format!("BEGIN; {SET_UP}"));
    thread::scope(|scope| {
        let waiting = scope.spawn(|| second.run(SET_UP));
        await_lock(&mut databases[0].superuser(), pid);
        first.run("COMMIT");
        waiting.join().expect("the roles of the first one do");
    });
    let roles = "SELECT rolname::text FROM pg_roles WHERE rolname IN ('anonymous', 'authenticated') ORDER BY rolname";
    let found = second.values(roles, &[]);
    assert_eq!(
        found,
        ["anonymous", "authenticated"].map(|name| Some(name.to_owned()))
    );
}
