//! A key server that hangs keeps nobody waiting who wants to stop.

use std::thread;
use std::time::{Duration, Instant};

use neon_auth_connections::{Cluster, ServerLog, Session, World, eventually};
use neon_auth_stack::Fault;
use postgres::NoTls;
use postgres::error::SqlState;

/// The limit of a request is then 60 s. A busy machine needs some of it.
const AT_ONCE: Duration = Duration::from_secs(20);

fn hanging() -> World {
    let world = World::new();
    hang(&world);
    world
}

fn hang(world: &World) {
    world.database.set("neon_auth.jwks_timeout", "60s");
    world.break_key_server(Fault::Hang);
}

/// Calls a function that needs the key server, on a thread of its own. Interrupts it once the
/// key server is being asked, and answers the SQLSTATE and how long it took to come.
fn interrupted(
    world: &World,
    call: &str,
    mut session: Session,
    interrupt: impl FnOnce(),
) -> (Option<SqlState>, Duration, Session) {
    let call = format!("SELECT {call}");
    thread::scope(|scope| {
        let waiting = scope.spawn(move || {
            let outcome = session.batch_execute(&call);
            let error = outcome.expect_err("the key server hangs");
            (error.code().cloned(), Instant::now(), session)
        });
        eventually("the key server is asked", || world.fetches() == 1);
        let started = Instant::now();
        interrupt();
        let (code, ended, session) = waiting.join().expect("the waiting thread does not panic");
        (code, ended.saturating_duration_since(started), session)
    })
}

/// The call that signs somebody in.
fn sign_in(world: &World) -> String {
    format!("auth.authenticate('{}')", world.token())
}

#[test]
fn statement_timeout_ends_the_wait() {
    let world = hanging();
    let mut app = world.app();
    app.run("SET statement_timeout = '200ms'");
    let started = Instant::now();
    let refusal = app.sign_in_refused(&world.token());
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    assert_eq!(refusal.code(), &SqlState::QUERY_CANCELED);
    app.run("SELECT 1");
    assert_eq!(app.user(), None);
}

#[test]
fn a_cancel_request_ends_the_wait() {
    let world = hanging();
    let app = world.app();
    let canceller = app.canceller();
    let (code, took, mut app) = interrupted(&world, &sign_in(&world), app, || {
        canceller.cancel_query(NoTls).expect("the request is taken");
    });
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(code, Some(SqlState::QUERY_CANCELED));
    app.run("SELECT 1");
}

#[test]
fn pg_cancel_backend_ends_the_wait() {
    let world = hanging();
    let mut app = world.app();
    let pid = app.pid();
    let (code, took, _) = interrupted(&world, &sign_in(&world), app, || {
        world
            .superuser()
            .run(&format!("SELECT pg_cancel_backend({pid})"));
    });
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(code, Some(SqlState::QUERY_CANCELED));
}

#[test]
fn pg_terminate_backend_ends_the_wait() {
    let log = ServerLog::from_here();
    let world = hanging();
    let mut app = world.app();
    let pid = app.pid();
    let (code, took, _) = interrupted(&world, &sign_in(&world), app, || {
        world
            .superuser()
            .run(&format!("SELECT pg_terminate_backend({pid})"));
    });
    assert!(took < AT_ONCE, "{took:?}");
    // The driver may see the end of the connection before the reason for it.
    assert!(code.is_none_or(|code| code == SqlState::ADMIN_SHUTDOWN));
    let line = format!("[{pid}]");
    eventually("the server has logged why", || {
        let lines = log.lines_with(&line).into_iter();
        lines
            .filter(|line| line.contains("terminating connection"))
            .count()
            == 1
    });
}

#[test]
fn a_wait_in_the_sessions_own_process_is_interrupted_as_well() {
    let world = hanging();
    let mut superuser = world.superuser();
    superuser.run("DELETE FROM neon_auth.providers; BEGIN");
    world.configure(&mut superuser);
    let canceller = superuser.canceller();
    let (code, took, _) = interrupted(&world, &sign_in(&world), superuser, || {
        canceller.cancel_query(NoTls).expect("the request is taken");
    });
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(code, Some(SqlState::QUERY_CANCELED));
}

#[test]
fn an_attempt_that_is_cancelled_leaves_nobody_signed_in() {
    let world = World::with_keys();
    let mut app = world.app();
    app.sign_in_for_session(&world.token());
    world.outdate_keys(60);
    hang(&world);
    let canceller = app.canceller();
    let (code, _, mut app) = interrupted(&world, &sign_in(&world), app, || {
        canceller.cancel_query(NoTls).expect("the request is taken");
    });
    assert_eq!(code, Some(SqlState::QUERY_CANCELED));
    assert_eq!(app.user(), None);
}

#[test]
fn whoever_waits_behind_another_session_is_interrupted_as_well() {
    let world = hanging();
    let (first, mut second) = (world.app(), world.app());
    second.run("SET statement_timeout = '300ms'");
    let canceller = first.canceller();
    let token = world.token();
    interrupted(&world, &sign_in(&world), first, || {
        world.end_cooldown();
        let started = Instant::now();
        let refusal = second.sign_in_refused(&token);
        assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
        assert_eq!(refusal.code(), &SqlState::QUERY_CANCELED);
        canceller.cancel_query(NoTls).expect("the request is taken");
    });
}

#[test]
fn a_fetch_goes_on_when_the_session_that_wanted_it_has_given_up() {
    let world = World::new();
    world.break_key_server(Fault::Delay { millis: 1000 });
    let mut app = world.app();
    app.run("SET statement_timeout = '200ms'");
    app.sign_in_refused(&world.token());
    eventually("the keys are stored", || {
        world.cached("jwks IS NOT NULL") == Some("true".to_owned())
    });
    app.sign_in_for_session(&world.token());
    assert_eq!(world.fetches(), 1);
}

#[test]
fn a_fast_shutdown_does_not_wait_for_the_key_server() {
    let cluster = Cluster::start("");
    let world = World::in_server(cluster.server());
    hang(&world);
    let mut took = Duration::MAX;
    interrupted(&world, &sign_in(&world), world.app(), || {
        let started = Instant::now();
        cluster.stop("fast");
        took = started.elapsed();
    });
    assert!(took < AT_ONCE, "{took:?}");
    let log = cluster.log();
    assert!(log.contains("database system is shut down"), "{log}");
    assert!(!log.contains("was terminated by signal"), "{log}");
}

#[test]
fn a_database_can_be_dropped_while_its_keys_are_being_fetched() {
    let world = hanging();
    let mut outside = world.database.administrator();
    let name = world.database.name();
    let mut took = Duration::MAX;
    interrupted(&world, &sign_in(&world), world.app(), || {
        let started = Instant::now();
        outside.run(&format!("DROP DATABASE {name} WITH (FORCE)"));
        took = started.elapsed();
    });
    assert!(took < AT_ONCE, "{took:?}");
}

#[test]
fn refresh_jwks_fails_when_its_worker_is_terminated() {
    let world = World::with_keys();
    let superuser = world.superuser();
    hang(&world);
    let (code, took, _) = interrupted(&world, "neon_auth.refresh_jwks()", superuser, || {
        let terminated = world.superuser().value(
            "SELECT string_agg(pg_terminate_backend(pid)::text, ' ') FROM pg_stat_activity
              WHERE datname = current_database() AND backend_type = 'neon_auth JWKS refresh'",
            &[],
        );
        assert_eq!(terminated, Some("true".to_owned()));
    });
    assert_eq!(code, Some(SqlState::SYSTEM_ERROR));
    assert!(took < AT_ONCE, "{took:?}");
    assert_eq!(world.fetches(), 1);
}

/// What was not seen to the end counts as not seen.
#[test]
fn an_interrupted_look_at_the_version_is_repeated() {
    let world = World::new();
    let mut superuser = world.superuser();
    superuser.run("UPDATE pg_extension SET extversion = '9.9.9' WHERE extname = 'neon_auth'");
    superuser.run("BEGIN; LOCK TABLE pg_catalog.pg_extension IN ACCESS EXCLUSIVE MODE");
    let mut app = world.app();
    app.run("SET statement_timeout = '200ms'");
    let refusal = app.sign_in_refused(&world.token());
    assert_eq!(*refusal.code(), SqlState::QUERY_CANCELED);
    superuser.run("ROLLBACK");
    let refusal = app.sign_in_refused(&world.token());
    assert_eq!(*refusal.code(), SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
}
