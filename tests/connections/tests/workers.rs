//! What background workers do by themselves, in servers that preload the library.

use neon_auth_connections::{Cluster, Database, Session, World, eventually, id_of};
use neon_auth_stack::{Fault, NewTeam, NewUser};

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
        world.await_synchronisation();
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
    world.await_synchronisation();
    world.accept_webhooks();
    let user = world
        .stack
        .sign_up(NewUser::named("Ada", "ada@example.com"));
    let mut team = NewTeam::named("Team");
    team.creator_user_id = Some(id_of(&user));
    world.stack.create_team(team);
    // The event of the team alone: who is in it has to be asked for.
    let mut messages = world.stack.messages().into_iter();
    let message = messages
        .rfind(|message| message.event == "team.created")
        .expect("a team's creation is told");
    let delivery = world.stack.delivery(&message.id);
    let mut session = world.superuser();
    let report = session.try_deliver(&delivery).expect("it is accepted");
    assert_eq!(report["queued"], true);
    eventually("the membership is confirmed", || {
        let query = "SELECT count(*)::text FROM neon_auth.team_members_sync";
        session.value(query, &[]) == Some("1".to_owned())
    });
    world.await_empty_queue();
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
    let cluster = Cluster::with_workers("neon_auth.jwks_cooldown = 2");
    let world = World::in_server(cluster.server());
    world.break_key_server(Fault::Close);
    let mut session = world.superuser();
    session.run(
        "CREATE TABLE attempts (at timestamptz);
         CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN INSERT INTO public.attempts VALUES (new.attempted_at); RETURN NULL; END $$;
         DELETE FROM neon_auth.jwks_cache;
         CREATE TRIGGER note_insert AFTER INSERT ON neon_auth.jwks_cache
             FOR EACH ROW EXECUTE FUNCTION note();
         CREATE TRIGGER note_update AFTER UPDATE ON neon_auth.jwks_cache
             FOR EACH ROW WHEN (new.attempted_at IS DISTINCT FROM old.attempted_at) EXECUTE FUNCTION note()",
    );
    let mut attempts = || {
        let count = session.value("SELECT count(*)::text FROM attempts", &[]);
        let count = count.expect("there is a count").parse::<usize>();
        count.expect("it is a number")
    };
    cluster.administrator().run("SELECT pg_reload_conf()");
    eventually("a fetch has failed", || {
        attempts() > 0 && world.counted("key_fetch_failures") >= 1
    });
    let before = attempts();
    let (fetches, visits) = (world.fetches(), world.counted("worker_visits"));
    eventually("it is asked again", || attempts() >= before + 3);
    let visits = world.counted("worker_visits") - visits;
    let fetches = world.fetches() - fetches;
    let attempted = attempts() - before;
    // One attempt may have been noted before the first count, and its request come after it.
    assert!(
        fetches <= attempted + 1,
        "{fetches} in {attempted} attempts"
    );
    assert!(
        visits <= 2 * (attempted as i64 + 1),
        "{visits} in {attempted} attempts"
    );
    let kept = "SELECT min(at - before) >= interval '2 s' FROM (
                    SELECT at, lag(at) OVER (ORDER BY at) AS before FROM attempts) AS a";
    let kept: bool = world
        .superuser()
        .query_one(kept, &[])
        .expect("a row")
        .get(0);
    assert!(kept, "an attempt came before the cooldown was over");
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
         INSERT INTO neon_auth_internal.tombstones (kind, user_id, removed_at)
         SELECT 'project_permission', age, now() - make_interval(days => age::int)
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
