//! Whoever copies, drops or moves a database, or stops the server, does not wait for workers.

use neon_auth_connections::{Cluster, Session, World, eventually};
use neon_auth_stack::{Endpoint, Fault};

/// How often each is tried.
fn tries() -> usize {
    std::env::var("TRIES").map_or(5, |tries| tries.parse().expect("TRIES is a number"))
}

/// A server, a session in its database `postgres`, and a world.
struct Scene {
    world: World,
    outside: Session,
    cluster: Cluster,
}

impl Scene {
    fn with_users(configuration: &str, users: u64) -> Self {
        let cluster = Cluster::with_workers(configuration);
        Self {
            world: World::with_users(cluster.server(), users),
            outside: cluster.administrator(),
            cluster,
        }
    }

    /// Copies the world's database, renames the copy and drops it, which fails by itself when
    /// somebody stays in one of them for more than five seconds. The copy is served too.
    fn copy_move_and_drop(&mut self) {
        let name = self.world.database.name();
        for number in 0..tries() {
            let (copy, moved) = (format!("copy_{number}"), format!("moved_{number}"));
            let statements = [
                format!("CREATE DATABASE {copy} TEMPLATE {name}"),
                format!("ALTER DATABASE {copy} RENAME TO {moved}"),
                format!("DROP DATABASE {moved}"),
                format!("ALTER DATABASE {name} RENAME TO {copy}"),
                format!("ALTER DATABASE {copy} RENAME TO {name}"),
            ];
            for statement in statements {
                self.outside.run(&statement);
            }
        }
    }

    fn assert_quiet(&self) {
        let log = self.cluster.log();
        let lines = log.lines().filter(|line| line.contains("neon_auth"));
        let mut loud = lines.filter(|line| line.contains("ERROR:") || line.contains("FATAL:"));
        // A database may be gone before a worker that is on its way has arrived.
        let loud = loud.find(|line| !says_that_a_database_is_gone(line));
        assert_eq!(loud, None, "{log}");
    }
}

/// `… FATAL:  database "copy_1" does not exist`
fn says_that_a_database_is_gone(line: &str) -> bool {
    let name = line
        .strip_suffix("\" does not exist")
        .and_then(|line| line.split_once("FATAL:  database \""));
    name.is_some_and(|(_, name)| !name.contains('"'))
}

#[test]
fn idle_workers_are_in_nobodys_way() {
    let mut scene = Scene::with_users("", 1);
    scene.world.await_users(1);
    scene.copy_move_and_drop();
    scene.assert_quiet();
}

#[test]
fn a_synchronisation_that_never_ends_is_in_nobodys_way() {
    let mut scene = Scene::with_users("neon_auth.sync_interval = 1", 3);
    scene.world.await_users(3);
    let slow = Fault::Delay { millis: 150 };
    scene.world.stack.set_fault(Endpoint::Users, slow.clone());
    scene.world.stack.set_fault(Endpoint::Teams, slow);
    scene.copy_move_and_drop();
    scene.world.sign_up("late");
    scene.world.await_users(4);
    scene.assert_quiet();
}

#[test]
fn a_request_that_gets_no_answer_is_given_up() {
    let scene = Scene::with_users("neon_auth.api_timeout = '10min'", 3);
    let (world, mut outside) = (&scene.world, scene.cluster.administrator());
    world.await_users(3);
    world.sign_up("late");
    world.stack.hold(Endpoint::Users, 0);
    scene.cluster.set("neon_auth.sync_interval", "1");
    world.stack.wait_until_held(Endpoint::Users);
    let name = world.database.name();
    outside.run(&format!("CREATE DATABASE copy TEMPLATE {name}"));
    world.stack.wait_until_held(Endpoint::Users);
    outside.run("DROP DATABASE copy");
    world.stack.wait_until_held(Endpoint::Users);
    outside.run(&format!("ALTER DATABASE {name} RENAME TO moved"));
    outside.run(&format!("ALTER DATABASE moved RENAME TO {name}"));
    assert_eq!(world.mirrored(), 3);
    // It comes back for what it has left.
    world.stack.release(Endpoint::Users);
    world.await_users(4);
    scene.assert_quiet();
}

#[test]
fn a_refresh_of_keys_that_hangs_is_given_up() {
    let mut scene = Scene::with_users(
        "neon_auth.jwks_timeout = '1min'\nneon_auth.jwks_cooldown = 1",
        1,
    );
    scene.world.await_users(1);
    eventually("the keys are there", || {
        scene.world.status("keys of stack").0
    });
    scene.world.break_key_server(Fault::Hang);
    let fetches = scene.world.fetches();
    scene
        .world
        .superuser()
        .run("DELETE FROM neon_auth.jwks_cache");
    scene.outside.run("SELECT pg_reload_conf()");
    eventually("the keys are asked for", || scene.world.fetches() > fetches);
    scene.copy_move_and_drop();
    scene.world.mend_key_server();
    eventually("the keys are there again", || {
        scene.world.status("keys of stack").0
    });
    scene.assert_quiet();
}

#[test]
fn a_statement_that_takes_long_is_cancelled() {
    let scene = Scene::with_users("neon_auth.sync_interval = 1", 1);
    let (world, mut outside) = (&scene.world, scene.cluster.administrator());
    world.await_users(1);
    let mut inside = world.superuser();
    inside.run(
        "CREATE TABLE dawdling();
         INSERT INTO dawdling DEFAULT VALUES;
         CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF EXISTS (SELECT FROM public.dawdling) THEN PERFORM pg_sleep(600); END IF;
             RETURN NEW;
         END $$;
         CREATE TRIGGER dawdle BEFORE INSERT ON neon_auth.users_sync
             FOR EACH ROW EXECUTE FUNCTION dawdle()",
    );
    world.sign_up("late");
    drop(inside);
    let mut await_sleep = || {
        eventually("a worker sleeps", || {
            let sleeping = "SELECT count(*)::text FROM pg_stat_activity
                             WHERE backend_type = 'neon_auth worker' AND wait_event = 'PgSleep'";
            outside.value(sleeping, &[]) == Some("1".to_owned())
        });
    };
    await_sleep();
    let name = world.database.name();
    let mut other = scene.cluster.administrator();
    other.run(&format!("CREATE DATABASE copy TEMPLATE {name}"));
    other.run("DROP DATABASE copy");
    // It tries again, until an administrator cancels it.
    await_sleep();
    world.superuser().run("DELETE FROM dawdling");
    other.run(
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE backend_type = 'neon_auth worker'",
    );
    world.await_users(2);
    scene.assert_quiet();
}

#[test]
fn the_extension_can_be_dropped_at_any_time() {
    let scene = Scene::with_users("neon_auth.sync_interval = 1", 5);
    let world = &scene.world;
    let slow = Fault::Delay { millis: 20 };
    world.stack.set_fault(Endpoint::Users, slow);
    let mut session = world.superuser();
    for _ in 0..tries() {
        world.await_users(5);
        session.run("DROP EXTENSION neon_auth CASCADE");
        session.run("CREATE EXTENSION neon_auth");
        world.configure(&mut session);
    }
    world.stack.clear_fault(Endpoint::Users);
    world.stack.hold(Endpoint::Users, 0);
    world.stack.wait_until_held(Endpoint::Users);
    session.run("DROP EXTENSION neon_auth CASCADE");
    world.stack.release(Endpoint::Users);
    let gone =
        "SELECT count(*)::text FROM pg_stat_activity WHERE backend_type = 'neon_auth worker'";
    eventually("the worker leaves", || {
        session.value(gone, &[]) == Some("0".to_owned())
    });
    session.run("CREATE EXTENSION neon_auth");
    world.configure(&mut session);
    world.await_users(5);
}

#[test]
fn a_fast_shutdown_waits_for_no_worker() {
    let scene = Scene::with_users("neon_auth.api_timeout = '10min'", 1);
    scene.world.await_users(1);
    scene.world.stack.hold(Endpoint::Users, 0);
    scene.world.break_key_server(Fault::Hang);
    scene.cluster.set("neon_auth.sync_interval", "1");
    scene.world.stack.wait_until_held(Endpoint::Users);
    scene.cluster.stop("fast");
    let log = scene.cluster.log();
    assert!(log.contains("database system is shut down"), "{log}");
    assert!(!log.contains("terminated by signal"), "{log}");
}
