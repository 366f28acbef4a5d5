//! What background workers do by themselves, in servers that preload the library.

use std::time::{Duration, Instant};

use neon_auth_connections::{Cluster, Database, Session, World, eventually};
use neon_auth_stack::{Fault, NewTeam, NewUser};
use serde_json::json;

const WORKERS: &str = "SELECT count(*)::text FROM pg_stat_activity
                        WHERE backend_type LIKE 'neon_auth%'";

#[test]
fn every_configured_database_is_served_without_being_named() {
    let cluster = Cluster::with_workers("neon_auth.max_workers = 1");
    let server = cluster.server();
    let bystander = Database::create_in(server.clone());
    bystander
        .superuser()
        .run("DROP EXTENSION neon_auth CASCADE");
    let worlds: Vec<_> = (1..=3)
        .map(|users| World::with_users(server.clone(), users))
        .collect();
    for (world, users) in worlds.iter().zip(1..) {
        world.await_users(users);
        eventually("the first synchronisation is finished", || {
            let (ok, detail) = world.status("synchronisation");
            ok && detail.starts_with("Rows changed: ")
        });
        eventually("the keys are there", || {
            world.cached("jwks IS NOT NULL") == Some("true".to_owned())
        });
        assert!(world.status("keys of stack").0);
        let (ok, detail) = world.status("workers");
        assert!(ok && detail.starts_with("A worker starts when"), "{detail}");
        assert!(world.counted("worker_visits") >= 1);
        assert!(world.counted("rest_requests") >= 1);
        assert_eq!(world.counted("rest_failures"), 0);
        world.app().sign_in_for_session(&world.token());
        assert_eq!(world.fetches(), 1);
    }
    // Visited once at most, to find that there is nothing to do.
    let mut session = bystander.superuser();
    session.run("CREATE EXTENSION neon_auth");
    let untouched = session.value(
        "SELECT (preloaded AND visited_at IS NULL AND due_at IS NULL)::text FROM neon_auth_internal.worker_state()",
        &[],
    );
    assert_eq!(untouched, Some("true".to_owned()));
    let log = cluster.log();
    assert!(!log.contains("ERROR") && !log.contains("FATAL"), "{log}");
}

#[test]
fn a_copy_of_a_served_database_is_served() {
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 1");
    let world = World::with_users(cluster.server(), 1);
    world.await_users(1);
    let name = world.database.name();
    let copy = format!("{name}_copy");
    cluster
        .administrator()
        .run(&format!("CREATE DATABASE {copy} TEMPLATE {name}"));
    world.sign_up("late");
    let mut session = Session::open(&cluster.server().config("postgres", &copy));
    eventually("the copy has whoever signed up since", || {
        let count = session.value("SELECT count(*)::text FROM neon_auth.users_sync", &[]);
        count == Some("2".to_owned())
    });
    world.await_users(2);
}

#[test]
fn what_a_webhook_queues_is_confirmed() {
    let cluster = Cluster::with_workers("");
    let world = World::with_users(cluster.server(), 0);
    eventually("the first synchronisation is finished", || {
        world
            .status("synchronisation")
            .1
            .starts_with("Rows changed")
    });
    let mut session = world.superuser();
    let secret = world.stack.credentials().webhook_secret;
    session.value(
        "SELECT neon_auth.set_secret('webhook_secret', $1)::text",
        &[&secret],
    );
    let user = world
        .stack
        .sign_up(NewUser::named("Ada", "ada@example.com"));
    let mut team = NewTeam::named("Team");
    let creator = user["id"].as_str().map(|id| id.parse().expect("a UUID"));
    team.creator_user_id = creator;
    world.stack.create_team(team);
    // The event of the team alone: who is in it has to be asked for.
    let mut messages = world.stack.messages().into_iter();
    let message = messages
        .rfind(|message| message.event == "team.created")
        .expect("a team's creation is told");
    let delivery = world.stack.delivery(&message.id);
    let headers = json!(delivery.headers).to_string();
    let queued = session.value(
        "SELECT neon_auth.handle_webhook($1, $2::text::jsonb) ->> 'queued'",
        &[&delivery.body, &headers],
    );
    assert_eq!(queued, Some("true".to_owned()));
    eventually("the membership is confirmed", || {
        let query = "SELECT count(*)::text FROM neon_auth.team_members_sync";
        session.value(query, &[]) == Some("1".to_owned())
    });
    eventually("the queue is empty", || {
        world.status("sync queue").1 == "Nothing waits for confirmation."
    });
}

/// Another project knows none of the mirror's users: an answer of its would delete them for good.
#[test]
fn what_is_queued_is_not_asked_of_another_project() {
    let cluster = Cluster::with_workers("");
    let mut world = World::with_users(cluster.server(), 1);
    world.await_users(1);
    world.enter_another_project();
    let mut session = world.superuser();
    world.configure(&mut session);
    session.run(
        "INSERT INTO neon_auth.sync_queue (kind, user_id, reason)
         SELECT 'user', u.id, 'for the test' FROM neon_auth.users_sync u",
    );
    eventually("a worker refuses to ask", || {
        world.status("workers").1.contains("failed in a row")
    });
    assert_eq!(world.mirrored(), 1);
    assert!(world.stack.received("/api/v1/users").is_empty());
    let (ok, detail) = world.status("synchronisation");
    assert!(!ok && detail.contains("another project"), "{detail}");
}

#[test]
fn keys_are_refreshed_before_they_run_out() {
    let cluster = Cluster::with_workers("neon_auth.jwks_cooldown = 1");
    let world = World::in_server(cluster.server());
    // Keys that may be used for so long.
    world.break_key_server(Fault::Header {
        name: "cache-control".to_owned(),
        value: Some("max-age=2".to_owned()),
    });
    world.superuser().run("DELETE FROM neon_auth.jwks_cache");
    cluster.administrator().run("SELECT pg_reload_conf()");
    eventually("there have been three fetches", || world.fetches() >= 3);
    let fresh = "SELECT bool_and(fresh_until > fetched_at)::text FROM neon_auth.jwks_cache";
    let fresh = world.superuser().value(fresh, &[]);
    assert_eq!(fresh, Some("true".to_owned()));
}

#[test]
fn a_key_server_that_fails_is_left_alone_for_the_cooldown() {
    const COOLDOWN: u64 = 2;
    let cluster = Cluster::with_workers("neon_auth.jwks_cooldown = 2");
    let world = World::in_server(cluster.server());
    world.break_key_server(Fault::Close);
    world.superuser().run("DELETE FROM neon_auth.jwks_cache");
    cluster.administrator().run("SELECT pg_reload_conf()");
    eventually("a fetch has failed", || {
        world.counted("key_fetch_failures") >= 1
    });
    let (fetches, visits) = (world.fetches(), world.counted("worker_visits"));
    let began = Instant::now();
    eventually("it is asked again", || world.fetches() >= fetches + 3);
    std::thread::sleep(Duration::from_secs(1));
    let (fetches, visits) = (
        world.fetches() - fetches,
        world.counted("worker_visits") - visits,
    );
    let rounds = began.elapsed().as_secs() / COOLDOWN + 2;
    assert!(fetches as u64 <= rounds, "{fetches} in {rounds} rounds");
    assert!(visits as u64 <= 2 * rounds, "{visits} in {rounds} rounds");
    let (ok, detail) = world.status("keys of stack");
    assert!(!ok, "{detail}");
    world.mend_key_server();
    eventually("the keys are there", || world.status("keys of stack").0);
}

#[test]
fn what_is_old_is_forgotten() {
    // Also where nothing is compared, and nothing could be.
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 0");
    let world = World::in_server(cluster.server());
    let mut session = world.superuser();
    session.run(
        "SELECT neon_auth.set_secret('secret_server_key', NULL);
         INSERT INTO neon_auth.webhook_deliveries (id, event, outcome, received_at)
         SELECT age, 'user.created', '{}', now() - make_interval(days => age::int)
           FROM unnest(ARRAY['91', '89']) AS age;
         INSERT INTO neon_auth_internal.tombstones (kind, user_id, unmatched, removed_at)
         SELECT 'project_permission', age, 0, now() - make_interval(days => age::int)
           FROM unnest(ARRAY['91', '89']) AS age;
         INSERT INTO neon_auth.sync_runs (kind, source, phase, started_at, finished_at)
         SELECT 'stack', 'former', 'done', now() - make_interval(days => age::int), now() - make_interval(days => age::int)
           FROM unnest(ARRAY['91', '89']) AS age",
    );
    cluster.administrator().run("SELECT pg_reload_conf()");
    eventually("what is older than 90 days is gone", || {
        let left = "SELECT concat((SELECT count(*) FROM neon_auth.webhook_deliveries), ' ',
                                  (SELECT count(*) FROM neon_auth_internal.tombstones), ' ',
                                  (SELECT count(*) FROM neon_auth.sync_runs))";
        session.value(left, &[]) == Some("1 1 1".to_owned())
    });
}

#[test]
fn without_preloading_there_are_no_workers() {
    let cluster = Cluster::start("");
    let world = World::with_users(cluster.server(), 1);
    let mut session = world.superuser();
    session.run("LOAD 'neon_auth'");
    let state = "SELECT to_jsonb(s)::text FROM neon_auth_internal.worker_state() AS s";
    assert_eq!(
        session.value(state, &[]).as_deref(),
        Some(r#"{"due_at": null, "failures": 0, "preloaded": false, "visited_at": null}"#)
    );
    let stats = "SELECT count(*)::text FROM neon_auth.stats";
    assert_eq!(session.value(stats, &[]), Some("0".to_owned()));
    let (ok, detail) = world.status("workers");
    assert!(ok && detail.starts_with("None: "), "{detail}");
    assert!(world.status("synchronisation").0);
    // All the rest works.
    session.run("CALL neon_auth.sync()");
    assert_eq!(world.mirrored(), 1);
    world.app().sign_in_for_session(&world.token());
    assert_eq!(session.value(WORKERS, &[]), Some("0".to_owned()));
}
