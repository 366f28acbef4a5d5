//! Whoever wants to end a synchronisation ends it at once, and the next one goes on with it.

use std::time::{Duration, Instant};

use neon_auth_connections::{Random, SYNC, World, eventually, threads};
use neon_auth_stack::{Endpoint, Fault};
use postgres::error::SqlState;

/// The service's own limit is 30 s. A busy machine needs some of it.
const AT_ONCE: Duration = Duration::from_secs(15);
/// Pages of users.
const PAGES: usize = 4;

fn world() -> World {
    let world = World::new();
    world.stack.populate(1000 * (PAGES as u64 - 1) + 10, true);
    world
}

/// Ends a synchronisation while it waits for the third page of users, and synchronises again.
fn interrupted(interrupt: impl FnOnce(&World, i32)) -> Option<SqlState> {
    let world = world();
    world.stack.hold(Endpoint::Users, 2);
    let (outcome, interrupted_at) = world.while_syncing(|pid| {
        world.stack.wait_until_held(Endpoint::Users);
        let now = Instant::now();
        interrupt(&world, pid);
        now
    });
    assert!(
        interrupted_at.elapsed() < AT_ONCE,
        "{:?}",
        interrupted_at.elapsed()
    );
    assert_goes_on(&world);
    outcome.expect_err("it was ended early")
}

/// Two pages, of which the second begins with the last user of the first.
const READ: &str = "1999";

/// What two pages have brought is there, and the next synchronisation begins with the third.
fn assert_goes_on(world: &World) {
    world.stack.release(Endpoint::Users);
    let mut session = world.superuser();
    let progress =
        "SELECT concat_ws(' ', phase, running, done, changed) FROM neon_auth.sync_progress";
    eventually("the lock is free", || {
        session.value(progress, &[]) == Some(format!("users f {READ} {READ}"))
    });
    let count = session.value("SELECT count(*)::text FROM neon_auth.users_sync", &[]);
    assert_eq!(count.as_deref(), Some(READ));
    world.stack.forget_requests();
    world.sync();
    world.assert_mirrored();
    // What was left, and all of it once more.
    assert_eq!(world.asked("users"), PAGES - 2 + PAGES);
    assert_eq!(world.last_run("id").as_deref(), Some("2"));
}

#[test]
fn pg_cancel_backend_ends_it() {
    let code = interrupted(|world, pid| {
        let cancel = format!("SELECT pg_cancel_backend({pid})");
        world.superuser().run(&cancel);
    });
    assert_eq!(code, Some(SqlState::QUERY_CANCELED));
}

#[test]
fn pg_terminate_backend_ends_it() {
    let code = interrupted(|world, pid| {
        let terminate = format!("SELECT pg_terminate_backend({pid})");
        world.superuser().run(&terminate);
    });
    // The driver may see the end of the connection before the reason for it.
    assert!(code.is_none_or(|code| code == SqlState::ADMIN_SHUTDOWN));
}

#[test]
fn statement_timeout_ends_it() {
    let world = world();
    world.stack.hold(Endpoint::Users, 2);
    let mut session = world.superuser();
    // Long enough for two pages; what it ends is a wait that has no end of its own.
    session.run("SET statement_timeout = '5s'");
    let refusal = session.run_refused(SYNC);
    assert_eq!(refusal.code(), &SqlState::QUERY_CANCELED);
    assert_goes_on(&world);
    session.run("SET statement_timeout = 0");
    session.run(SYNC);
}

/// The wait before another attempt is a wait like others.
#[test]
fn a_cancel_ends_the_wait_between_two_attempts() {
    let world = World::new();
    world.sign_up("user");
    let busy = Fault::Status {
        status: 429,
        retry_after: Some(200),
    };
    world.stack.set_fault_times(Endpoint::Users, busy, 1);
    let (outcome, cancelled_at) = world.while_syncing(|pid| {
        eventually("the service is asked", || world.asked("users") == 1);
        eventually("its answer is there", || threads(pid.unsigned_abs()) == 1);
        let now = Instant::now();
        world
            .superuser()
            .run(&format!("SELECT pg_cancel_backend({pid})"));
        now
    });
    assert!(
        cancelled_at.elapsed() < AT_ONCE,
        "{:?}",
        cancelled_at.elapsed()
    );
    assert_eq!(outcome, Err(Some(SqlState::QUERY_CANCELED)));
    assert_eq!(
        world.last_run("error").as_deref(),
        Some("canceling statement due to user request")
    );
    world.sync();
    world.assert_mirrored();
}

/// Whatever ends it is noted, and the session goes on.
#[test]
fn an_error_of_a_trigger_is_noted() {
    let world = world();
    let mut session = world.superuser();
    session.run(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF (SELECT count(*) >= 1000 FROM neon_auth.users_sync) THEN
                 RAISE EXCEPTION 'no more than a thousand' USING DETAIL = 'A test says so.', ERRCODE = 'check_violation';
             END IF;
             RETURN new;
         END $$;
         CREATE TRIGGER refuse BEFORE INSERT ON neon_auth.users_sync
            FOR EACH ROW EXECUTE FUNCTION refuse()",
    );
    for _ in 0..2 {
        let refusal = session.run_refused(SYNC);
        assert_eq!(refusal.code(), &SqlState::CHECK_VIOLATION);
        assert_eq!(refusal.message(), "no more than a thousand");
        assert_eq!(refusal.detail(), Some("A test says so."));
        let noted = "concat_ws(' ', id, phase, finished_at IS NULL, failed_at > started_at, error)";
        assert_eq!(
            world.last_run(noted).as_deref(),
            Some("1 users t t no more than a thousand")
        );
        assert_eq!(
            world.status("synchronisation"),
            (false, "no more than a thousand".to_owned())
        );
        let running = "SELECT running::text FROM neon_auth.sync_progress";
        assert_eq!(session.value(running, &[]).as_deref(), Some("false"));
    }
    let count = session.value("SELECT count(*)::text FROM neon_auth.users_sync", &[]);
    assert_eq!(count.as_deref(), Some("1000"));
    session.run("DROP TRIGGER refuse ON neon_auth.users_sync");
    session.run(SYNC);
    world.assert_mirrored();
    assert_eq!(world.last_run("error IS NULL").as_deref(), Some("true"));
}

#[test]
fn of_two_at_once_the_second_declines() {
    let world = World::new();
    world.sign_up("user");
    world.stack.hold(Endpoint::Users, 0);
    let (outcome, ()) = world.while_syncing(|_| {
        world.stack.wait_until_held(Endpoint::Users);
        let refusal = world.sync_refused();
        assert_eq!(refusal.code(), &SqlState::OBJECT_IN_USE);
        let hint = refusal.hint().expect("it says where to look");
        assert!(hint.contains("neon_auth.sync_progress"), "{hint}");
        // Another database's is none of ours.
        let other = World::new();
        other.sync();
        other.assert_mirrored();
        world.stack.release(Endpoint::Users);
    });
    assert_eq!(outcome, Ok(()));
    assert_eq!(world.last_run("error IS NULL").as_deref(), Some("true"));
    world.assert_mirrored();
}

/// What came to pass behind the place where a run goes on is seen by the same call.
#[test]
fn a_call_that_goes_on_sees_what_is_new() {
    let world = World::new();
    world.sign_up("early");
    world.stack.hold(Endpoint::Teams, 0);
    let (outcome, ()) = world.while_syncing(|pid| {
        world.stack.wait_until_held(Endpoint::Teams);
        world
            .superuser()
            .run(&format!("SELECT pg_cancel_backend({pid})"));
    });
    assert_eq!(outcome, Err(Some(SqlState::QUERY_CANCELED)));
    world.stack.release(Endpoint::Teams);
    world.sign_up("late");
    world.sync();
    world.assert_mirrored();
}

/// Wherever it is ended, the next one comes to the same end.
#[test]
fn it_converges_whenever_it_was_ended() {
    let world = World::new();
    world.stack.populate(1010, false);
    let mut random = Random::seeded(5);
    let endpoints = [
        Endpoint::Users,
        Endpoint::User,
        Endpoint::Teams,
        Endpoint::TeamMemberProfiles,
        Endpoint::TeamPermissions,
        Endpoint::ProjectPermissions,
    ];
    for round in 0..8 {
        let user = world.sign_up(&format!("user{round}"));
        if round % 2 == 0 {
            world.sync();
            world
                .stack
                .delete_user(user.parse().expect("ids are UUIDs"));
        }
        let endpoint = *random.pick(&endpoints);
        world.stack.hold(endpoint, random.below(2) as u32);
        let (outcome, ()) = world.while_syncing(|pid| {
            let mut session = world.superuser();
            let is_running =
                format!("SELECT (state = 'active')::text FROM pg_stat_activity WHERE pid = {pid}");
            // Not every endpoint is asked so often.
            eventually("it waits or is done", || {
                world.stack.is_held(endpoint)
                    || session.values(&is_running, &[]) != [Some("true".to_owned())]
            });
            session.run(&format!("SELECT pg_terminate_backend({pid})"));
        });
        // Done or not.
        let _ = outcome;
        world.stack.release(endpoint);
    }
    eventually("the lock is free", || {
        world.superuser().batch_execute(SYNC).is_ok()
    });
    world.assert_mirrored();
}
