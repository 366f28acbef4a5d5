//! Workers that are terminated, killed or fail, and servers that change their part.

use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use neon_auth_connections::{Cluster, Random, Session, World, eventually};
use neon_auth_stack::{Endpoint, Gone};

const LAUNCHER: &str = "neon_auth launcher";
const WORKER: &str = "neon_auth worker";

/// A world that is compared with its source all the time, and the first time is over.
fn restless(cluster: &Cluster, users: u64) -> World {
    let world = World::with_users(cluster.server(), users);
    world.await_users(users.try_into().expect("they can be counted"));
    world
}

/// Kills a process, if it is still there.
fn kill(pid: u32) {
    let output = Command::new("kill").args(["-9", &pid.to_string()]).output();
    output.expect("kill runs");
}

#[test]
fn workers_start_when_a_standby_is_promoted() {
    let primary = Cluster::with_workers("neon_auth.sync_interval = 1");
    let world = World::with_users(primary.server(), 1);
    world.await_users(1);
    let standby = primary.start_standby();
    let config = standby.server().config("postgres", world.database.name());
    let mut reader = Session::open(&config);
    assert!(standby.processes(LAUNCHER).is_empty());
    let workers =
        "SELECT concat(ok, ' ', detail) FROM neon_auth.status WHERE component = 'workers'";
    assert_eq!(
        reader.value(workers, &[]).as_deref(),
        Some("t None on a standby.")
    );
    primary.stop("fast");
    world.stack.forget_requests();
    assert_eq!(world.listed("users"), 0);
    world.sign_up("late");
    standby.promote();
    eventually("the launcher starts", || {
        standby.processes(LAUNCHER).len() == 1
    });
    eventually("the former standby follows the service", || {
        let count = "SELECT count(*)::text FROM neon_auth.users_sync";
        reader.value(count, &[]) == Some("2".to_owned())
    });
}

#[test]
fn whatever_is_terminated_comes_back() {
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 1");
    let world = restless(&cluster, 2);
    let terminate = |pid: u32| {
        cluster
            .administrator()
            .run(&format!("SELECT pg_terminate_backend({pid})"));
    };
    world.sign_up("late");
    world.stack.hold(Endpoint::Users, 0);
    world.stack.wait_until_held(Endpoint::Users);
    let worker = cluster.processes(WORKER);
    terminate(worker[0]);
    eventually("it is gone", || cluster.processes(WORKER) != worker);
    assert_eq!(world.mirrored(), 2);
    world.stack.wait_until_held(Endpoint::Users);
    let launcher = cluster.processes(LAUNCHER);
    terminate(launcher[0]);
    world.stack.release(Endpoint::Users);
    world.await_users(3);
    eventually("another launcher starts", || {
        let now = cluster.processes(LAUNCHER);
        now.len() == 1 && now != launcher
    });
    world.sign_up("later");
    world.await_users(4);
    eventually("all is well", || world.status("workers").0);
    let log = cluster.log();
    assert!(
        !log.contains("PANIC") && !log.contains("terminated by signal"),
        "{log}"
    );
}

#[test]
fn the_mirror_converges_whenever_the_server_crashes() {
    const KILLS: usize = 20;
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 1");
    let world = restless(&cluster, 50);
    world.accept_webhooks();
    let mut random = Random::seeded(20);
    let mut acknowledged = Vec::new();
    let mut users = 50;
    for number in 0..KILLS {
        // Some are told by a webhook, some found by the comparison, some deleted.
        let told = world.sign_up(&format!("told{number}"));
        let delivery = world.last_delivery();
        let mut session = world.superuser();
        // What is not acknowledged comes again.
        eventually("the delivery is acknowledged", || {
            session.try_deliver(&delivery).is_ok()
        });
        world.queue("user", "", &told);
        acknowledged.push((delivery.headers["svix-id"].clone(), told));
        world.sign_up(&format!("found{number}"));
        users += 2;
        if number % 3 == 0 {
            let gone = acknowledged[random.below(acknowledged.len())].1.clone();
            let id = gone.parse().expect("an id is a UUID");
            if !world
                .stack
                .messages()
                .iter()
                .any(|message| message.event == "user.deleted" && message.body.contains(&gone))
            {
                world.stack.delete_user(id);
                users -= 1;
            }
        }
        // Killed at any moment of a visit, whichever that is.
        thread::sleep(Duration::from_millis(random.below(1500) as u64));
        let crashes = || {
            cluster
                .log()
                .matches("all server processes terminated")
                .count()
        };
        let kills = || cluster.log().matches("was terminated by signal 9").count();
        let (before, killed) = (crashes(), kills());
        let worker = (number % 4 != 3).then(|| {
            let mut workers = Vec::new();
            eventually("a worker is there", || {
                workers = cluster.processes(WORKER);
                !workers.is_empty()
            });
            workers[0]
        });
        let launcher = cluster.processes(LAUNCHER);
        if let Some(worker) = worker {
            kill(worker);
            let process = format!("/proc/{worker}");
            eventually("it is gone", || !Path::new(&process).exists());
        }
        // The worker may have been about to leave.
        if kills() == killed {
            kill(launcher[0]);
        }
        eventually("the server has seen it", || crashes() > before);
        cluster.await_recovery();
    }
    world.await_users(users);
    world.await_empty_queue();
    let mut session = world.superuser();
    for (delivery, _) in &acknowledged {
        let there = "SELECT count(*)::text FROM neon_auth.webhook_deliveries WHERE id = $1";
        assert_eq!(session.value(there, &[delivery]), Some("1".to_owned()));
    }
    eventually("all is well", || {
        world.status("workers").0 && world.status("synchronisation").0
    });
    let log = cluster.log();
    assert!(!log.contains("PANIC"), "{log}");
}

#[test]
fn an_error_in_a_visit_is_told_and_the_next_one_waits() {
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 3600");
    let world = restless(&cluster, 1);
    world.await_synchronisation();
    let mut session = world.superuser();
    session.run(
        "CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE 'not in my table'; END $$;
         CREATE TRIGGER object BEFORE INSERT ON neon_auth.users_sync
             FOR EACH ROW EXECUTE FUNCTION object();
         DELETE FROM neon_auth.sync_runs",
    );
    world.sign_up("late");
    let before = world.counted("worker_visits");
    cluster.administrator().run("SELECT pg_reload_conf()");
    // An attempt may have failed before the reload, which makes the next one the first again.
    eventually("it has waited longer", || {
        cluster.log().contains("Next attempt in 10 s.")
    });
    let (ok, detail) = world.status("synchronisation");
    assert!(!ok && detail.contains("not in my table"), "{detail}");
    let log = cluster.log();
    let told = log.matches("not in my table").count();
    let visits = world.counted("worker_visits") - before;
    assert_eq!(
        told,
        log.matches("synchronisation failed: ").count(),
        "{log}"
    );
    assert!(visits <= 8, "{visits} visits for {told} attempts");
    assert!(
        !log.contains("PANIC") && !log.contains("terminated by signal"),
        "{log}"
    );
    // A change of the settings is a reason to try at once.
    session.run("DROP TRIGGER object ON neon_auth.users_sync");
    world.configure(&mut session);
    world.await_users(2);
    eventually("all is well", || {
        world.status("workers").0 && world.status("synchronisation").0
    });
}

#[test]
fn a_queue_that_cannot_be_confirmed_is_tried_ever_more_seldom() {
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 0");
    let world = World::in_server(cluster.server());
    world.superuser().run(
        "CREATE FUNCTION object() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE 'not in my table'; END $$;
         CREATE TRIGGER object BEFORE INSERT ON neon_auth.users_sync
             FOR EACH ROW EXECUTE FUNCTION object()",
    );
    let user = world.sign_up("late");
    world.queue("user", "", &user);
    eventually("it has failed", || !world.status("workers").0);
    // However often it is queued again.
    let before = world.counted("worker_visits");
    for _ in 0..50 {
        world.queue("user", "", &user);
    }
    eventually("it is tried again", || {
        cluster
            .log()
            .matches("confirming the sync queue failed: ")
            .count()
            >= 2
    });
    let visits = world.counted("worker_visits") - before;
    assert!(visits <= 5, "{visits}");
    let mut session = world.superuser();
    session.run("DROP TRIGGER object ON neon_auth.users_sync");
    world.configure(&mut session);
    world.await_users(1);
    eventually("all is well", || world.status("workers").0);
}

#[test]
fn a_row_that_somebody_holds_does_not_hold_a_worker_for_ever() {
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 0");
    let world = World::in_server(cluster.server());
    let user = world.sign_up("user");
    world.sync();
    let mut holder = world.superuser();
    holder.run("BEGIN; SELECT FROM neon_auth.users_sync FOR UPDATE");
    let id = user.parse().expect("an id is a UUID");
    world
        .stack
        .update_user(id, serde_json::json!({ "display_name": "Changed" }));
    world.queue("user", "", &user);
    eventually("it is given up, and shows", || !world.status("workers").0);
    assert!(cluster.log().contains("lock timeout"));
    holder.run("COMMIT");
    eventually("it comes in the end", || {
        let name = "SELECT name FROM neon_auth.users_sync";
        world.superuser().value(name, &[]).as_deref() == Some("Changed")
    });
    eventually("all is well", || world.status("workers").0);
}

/// A worker that finds the project gone leaves the queue and the mirror as they are, and tries again.
#[test]
fn a_worker_waits_for_a_project_that_is_gone() {
    let cluster = Cluster::with_workers("");
    let world = World::with_users(cluster.server(), 2);
    world.await_users(2);
    world.await_synchronisation();
    for gone in [Gone::Project, Gone::Branch] {
        world.stack.set_gone(Some(gone));
        world.stack.forget_requests();
        let mut session = world.superuser();
        session.run(
            "INSERT INTO neon_auth.sync_queue (kind, user_id, reason)
             SELECT 'user', u.id, 'for the test' FROM neon_auth.users_sync u",
        );
        eventually("a worker has failed", || {
            let (ok, detail) = world.status("workers");
            !ok && detail.contains("failed in a row")
        });
        let queue = "SELECT concat_ws(' ', count(*), count(last_error)) FROM neon_auth.sync_queue";
        assert_eq!(session.value(queue, &[]).as_deref(), Some("2 0"));
        assert_eq!(world.mirrored(), 2);
        // Each attempt ends with its first request.
        let users = world.stack.received("/api/v1/users/");
        assert!(users.iter().all(|request| request.path == users[0].path));
        world.stack.set_gone(None);
        world.await_empty_queue();
        eventually("all is well", || world.status("workers").0);
    }
    let log = cluster.log();
    assert!(log.contains("the auth service does not have the project"));
    assert!(
        !log.contains("left to the next full synchronisation"),
        "{log}"
    );
}
