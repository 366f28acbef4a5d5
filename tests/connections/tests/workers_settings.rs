//! Settings of the workers that change while they work.

use neon_auth_connections::{Cluster, World, eventually, waits};
use neon_auth_stack::{Endpoint, Fault};

const WORKER: &str = "neon_auth worker";

#[test]
fn without_an_interval_the_queue_is_confirmed_and_nothing_else() {
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 0");
    let world = World::with_users(cluster.server(), 3);
    let known = world.sign_up("known");
    world.queue("user", "", &known);
    world.await_users(1);
    world.await_empty_queue();
    assert_eq!(world.listed("users"), 0);
    cluster.set("neon_auth.sync_interval", "3600");
    world.await_users(4);
}

#[test]
fn a_database_has_an_interval_of_its_own() {
    let cluster = Cluster::with_workers("");
    let often = World::with_users(cluster.server(), 1);
    let seldom = World::with_users(cluster.server(), 1);
    often.await_users(1);
    seldom.await_users(1);
    eventually("the keys are there", || {
        seldom.status("keys of stack").0 && seldom.status("synchronisation").0
    });
    often.database.set("neon_auth.sync_interval", "1");
    cluster.administrator().run("SELECT pg_reload_conf()");
    let listings = often.listed("users");
    let others = seldom.listed("users");
    eventually("one is compared again and again", || {
        often.listed("users") >= listings + 3
    });
    assert_eq!(seldom.listed("users"), others);
}

/// What is running is the worker's confirmation of the queue, and not the run that ended early.
#[test]
fn who_confirms_the_queue_is_no_run() {
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 0");
    let world = World::with_users(cluster.server(), 1);
    let refused = Fault::status(400);
    world.stack.set_fault(Endpoint::Users, refused);
    world.sync_refused();
    world.stack.hold(Endpoint::User, 0);
    world.queue("user", "", "00000000-0000-4000-8000-000000000000");
    world.stack.wait_until_held(Endpoint::User);
    let progress = "SELECT concat_ws(' ', phase, running, pid) FROM neon_auth.sync_progress";
    let progress = world.superuser().value(progress, &[]);
    assert_eq!(progress.as_deref(), Some("users f"));
    world.stack.release(Endpoint::User);
}

#[test]
fn what_a_prepared_transaction_queues_is_confirmed() {
    let cluster =
        Cluster::with_workers("neon_auth.sync_interval = 0\nmax_prepared_transactions = 1");
    let world = World::with_users(cluster.server(), 1);
    let mut session = world.superuser();
    session.run(
        "BEGIN;
         SELECT neon_auth_internal.queue_sync('user', '', gen_random_uuid()::text, 'A test wants to know.');
         PREPARE TRANSACTION 'queued'",
    );
    let visits = world.counted("worker_visits");
    eventually("a worker has looked and found nothing", || {
        world.counted("worker_visits") >= visits + 2
    });
    session.run("COMMIT PREPARED 'queued'");
    world.await_empty_queue();
    assert!(world.asked("users/") > 0);
    // Nobody looks again without need.
    eventually("the next visit is far away", || {
        let due = "SELECT (neon_auth_internal.time_of(due_at) > now() + interval '1 minute')::text
                     FROM neon_auth_internal.worker_state()";
        world.superuser().value(due, &[]).as_deref() == Some("true")
    });
}

#[test]
fn the_number_of_workers_changes_while_they_work() {
    let cluster = Cluster::with_workers("neon_auth.max_workers = 1");
    let first = World::with_users(cluster.server(), 1);
    first.await_users(1);
    first.stack.hold(Endpoint::Users, 0);
    first.database.set("neon_auth.sync_interval", "1");
    cluster.administrator().run("SELECT pg_reload_conf()");
    first.stack.wait_until_held(Endpoint::Users);
    let second = World::with_users(cluster.server(), 1);
    for _ in 0..20 {
        assert_eq!(cluster.processes(WORKER).len(), 1);
    }
    assert_eq!(second.mirrored(), 0);
    let (ok, detail) = second.status("workers");
    assert!(!ok, "{detail}");
    cluster.set("neon_auth.max_workers", "2");
    second.await_users(1);
    assert!(second.status("workers").0);
    first.stack.release(Endpoint::Users);
}

#[test]
fn without_a_free_slot_workers_wait_for_one() {
    let cluster = Cluster::with_workers("max_worker_processes = 2");
    // The launcher has one of them, and so has that of logical replication.
    let world = World::with_users(cluster.server(), 1);
    eventually("the launcher has seen it", || {
        cluster.log().contains("max_worker_processes is reached")
    });
    let log = cluster.log();
    assert_eq!(
        log.matches("max_worker_processes is reached").count(),
        1,
        "{log}"
    );
    assert_eq!(world.mirrored(), 0);
    // For how long nobody has come shows, and does not begin anew with each attempt.
    let due = || {
        let due_at = "SELECT due_at::text FROM neon_auth_internal.worker_state()
                       WHERE neon_auth_internal.time_of(due_at) <= clock_timestamp()";
        world.superuser().values(due_at, &[])
    };
    let since = due();
    assert_eq!(since.len(), 1);
    // The launcher tries again each second, and waits in between.
    let launcher = cluster.processes("neon_auth launcher")[0];
    let before = waits(launcher);
    eventually("it has tried again", || waits(launcher) >= before + 3);
    assert_eq!(due(), since);
    // Sessions fetch keys for themselves.
    world.app().sign_in_for_session(&world.token());
}
