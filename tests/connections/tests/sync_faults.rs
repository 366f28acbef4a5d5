//! A service that fails, lies or dawdles: what could be had is kept, and nothing is made up.

use neon_auth_connections::{Random, SYNC, ServerLog, Session, World, eventually};
use neon_auth_stack::{Age, Endpoint, Fault, Options, Simulator};
use postgres::error::SqlState;
use serde_json::json;

fn users(session: &mut Session) -> String {
    let count = "SELECT count(*)::text FROM neon_auth.users_sync WHERE deleted_at IS NULL";
    session.value(count, &[]).expect("a number")
}

#[test]
fn what_fails_once_is_asked_again() {
    let world = World::new();
    world.sign_up("user");
    for fault in [
        Fault::status(500),
        Fault::status(503),
        Fault::Status {
            status: 429,
            retry_after: Some(0),
        },
        Fault::Reset,
        Fault::Close,
        Fault::Truncate,
        Fault::Html,
        Fault::Delay { millis: 50 },
        Fault::json(""),
        Fault::json("[]"),
        Fault::json("null"),
        Fault::json(r#"{"users":[]}"#),
        Fault::json(r#"{"items":{}}"#),
        Fault::json(r#"{"items":[],"pagination":{"next_cursor":5}}"#),
        Fault::json(r#"{"items":[],"pagination":{"next_cursor":"\u0000"}}"#),
        Fault::json(format!(
            r#"{{"items":[],"pagination":{{"next_cursor":"{}"}}}}"#,
            "x".repeat(5000)
        )),
        Fault::json(r#"{"items":[{"id":"a"},{"id":"b"}"#),
        Fault::json(r#"{"items":[]} and so on"#),
    ] {
        world.superuser().run("TRUNCATE neon_auth.users_sync");
        world.stack.forget_requests();
        let name = format!("{fault:?}");
        let is_late = matches!(fault, Fault::Delay { .. });
        world.stack.set_fault_times(Endpoint::Users, fault, 1);
        world.sync();
        // What came before the break stays until it is known to be nobody's.
        world
            .superuser()
            .run("DELETE FROM neon_auth.users_sync WHERE id IN ('a', 'b')");
        world.assert_mirrored();
        assert_eq!(world.asked("users") > 1, !is_late, "{name}");
        assert_eq!(
            world.last_run("coalesce(error, phase)").as_deref(),
            Some("done"),
            "{name}"
        );
    }
}

#[test]
fn every_list_is_asked_again() {
    let world = World::new();
    world.stack.populate(10, true);
    for endpoint in [
        Endpoint::Users,
        Endpoint::Teams,
        Endpoint::TeamMemberProfiles,
        Endpoint::TeamPermissions,
        Endpoint::ProjectPermissions,
    ] {
        world.stack.set_fault_times(endpoint, Fault::Truncate, 1);
    }
    world.sync();
    world.assert_mirrored();
}

#[test]
fn retry_after_is_obeyed_or_left_to_later() {
    let busy = |retry_after| Fault::Status {
        status: 429,
        retry_after: Some(retry_after),
    };
    assert_obeyed_or_left_to_later(busy(2), busy(3600), "The service returned status 429.");
}

/// A proxy or a cloud may tell the time instead of seconds (RFC 9110, 10.2.3).
#[test]
fn retry_after_may_be_a_date() {
    let busy = |seconds| Fault::BusyUntil { seconds };
    // Dates are in whole seconds: of three, two are left at least.
    assert_obeyed_or_left_to_later(busy(3), busy(3600), "The service returned status 503.");
}

/// At least half of the setting passes before the first retry: more than the session waits.
#[test]
fn the_back_off_is_that_of_the_setting() {
    let world = World::new();
    world.sign_up("user");
    let busy = Fault::status(503);
    world.stack.set_fault_times(Endpoint::Users, busy, 1);
    let mut session = world.superuser();
    session.run("SET neon_auth.api_retry_delay = '10s'; SET statement_timeout = '4s'");
    let refusal = session.run_refused(SYNC);
    assert_eq!(refusal.code(), &SqlState::QUERY_CANCELED);
    session.run("RESET neon_auth.api_retry_delay; RESET statement_timeout");
    session.run(SYNC);
    world.assert_mirrored();
}

/// Two seconds are waited for; nobody waits for an hour in a session.
fn assert_obeyed_or_left_to_later(soon: Fault, in_an_hour: Fault, detail: &str) {
    let world = World::new();
    world.sign_up("user");
    world.stack.set_fault_times(Endpoint::Users, soon, 1);
    let started = std::time::Instant::now();
    world.sync();
    assert!(started.elapsed().as_secs() >= 2);
    world.assert_mirrored();
    world.stack.forget_requests();
    world.stack.set_fault_times(Endpoint::Users, in_an_hour, 1);
    let refusal = world.sync_refused();
    assert_eq!(refusal.code(), &SqlState::CONNECTION_FAILURE);
    assert_eq!(refusal.detail(), Some(detail));
    assert_eq!(world.asked("users"), 1);
}

#[test]
fn a_service_that_is_down_leaves_the_mirror_as_it_is() {
    let mut world = World::new();
    let user = world.sign_up("user");
    world.sync();
    let port = world.stack.base_url().rsplit(':').next().expect("a port");
    let port = port.parse().expect("a port is a number");
    // A port where nobody listens until the service is back.
    let down = Simulator::start(Options::default()).expect("a port is free");
    drop(std::mem::replace(&mut world.stack, down));
    let refusal = world.sync_refused();
    assert_eq!(refusal.code(), &SqlState::CONNECTION_FAILURE);
    assert!(refusal.hint().is_some(), "{refusal:?}");
    let detail = refusal.detail().expect("it says why");
    assert!(detail.contains("refused"), "{detail}");
    let (ok, detail) = world.status("synchronisation");
    let failed = "could not get a valid response from the REST API of the auth service: ";
    assert!(!ok && detail.starts_with(failed), "{detail}");
    let failed = "concat_ws(' ', phase, finished_at IS NULL, failed_at > started_at)";
    assert_eq!(world.last_run(failed).as_deref(), Some("users t t"));
    let progress = world
        .superuser()
        .value("SELECT running::text FROM neon_auth.sync_progress", &[]);
    assert_eq!(progress.as_deref(), Some("false"));
    assert_eq!(users(&mut world.superuser()), "1");

    let options = Options {
        port,
        ..Options::default()
    };
    world.stack = Simulator::start(options).expect("the port is free again");
    // The same service, without the user.
    world.sync();
    world.assert_mirrored();
    assert_eq!(world.deleted("users_sync"), [user]);
    world.await_synchronisation();
}

#[test]
fn a_service_that_fails_halfway_leaves_what_it_has_answered() {
    let world = World::new();
    world.stack.populate(2500, false);
    world
        .stack
        .set_fault_after(Endpoint::Users, 2, Fault::status(500), None);
    world.stack.set_fault(Endpoint::User, Fault::status(500));
    let refusal = world.sync_refused();
    assert_eq!(refusal.code(), &SqlState::CONNECTION_FAILURE);
    assert_eq!(refusal.detail(), Some("The service returned status 500."));
    // Two pages, and the third one five times; then for a user who does not exist.
    assert_eq!(world.listed("users"), 7);
    assert_eq!(world.asked("users"), 8);
    assert_eq!(users(&mut world.superuser()), "1999");
    world.stack.clear_fault(Endpoint::Users);
    world.stack.clear_fault(Endpoint::User);
    world.stack.forget_requests();
    world.sync();
    world.assert_mirrored();
    // What was left, and all of it once more.
    assert_eq!(world.asked("users"), 1 + 3);
}

#[test]
fn a_service_that_is_silent_is_given_up() {
    let world = World::new();
    world.sign_up("user");
    world.database.set("neon_auth.api_timeout", "300ms");
    for fault in [
        Fault::Hang,
        Fault::Delay { millis: 60_000 },
        // Nothing of it becomes a user in that time.
        Fault::Trickle {
            interval_millis: 1000,
        },
    ] {
        world.stack.set_fault_times(Endpoint::Users, fault, 1);
        world.sync();
        world.assert_mirrored();
    }
}

/// The service may send a byte now and then for as long as it likes.
#[test]
fn no_thread_reads_what_nobody_waits_for() {
    let world = World::new();
    world.sign_up("user");
    world.database.set("neon_auth.api_timeout", "300ms");
    let trickle = Fault::Trickle {
        interval_millis: 200,
    };
    let mut session = world.superuser();
    let threads = |session: &mut Session| {
        let tasks = format!("/proc/{}/task", session.pid());
        std::fs::read_dir(tasks).expect("it is there").count()
    };
    world
        .stack
        .set_fault_times(Endpoint::Users, trickle.clone(), 1);
    session.run("CALL neon_auth.sync()");
    eventually("none is left after a time-out", || {
        threads(&mut session) == 1
    });
    world.stack.set_fault(Endpoint::Users, trickle);
    session.run("SET neon_auth.api_timeout = '10min'; SET statement_timeout = '500ms'");
    let refusal = session.run_refused("CALL neon_auth.sync()");
    assert_eq!(refusal.code(), &SqlState::QUERY_CANCELED);
    assert_eq!(world.listed("users"), 3);
    eventually("none is left after a cancel", || threads(&mut session) == 1);
}

/// What bounds a list is the silence in it, not how long it takes.
#[test]
fn a_slow_list_is_read_to_its_end() {
    let world = World::new();
    for n in 0..25_u128 {
        let id = (0x5e0f_2b1c_93d7_4a86_8c41_d7a2_f60b_0000 + n).to_string();
        let id = id.parse::<u128>().expect("a number");
        let id = format!(
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            id >> 96,
            (id >> 80) & 0xffff,
            (id >> 64) & 0xffff,
            (id >> 48) & 0xffff,
            id & 0xffff_ffff_ffff
        );
        let user = json!({ "id": id });
        world.stack.put_raw_user(id.parse().expect("a UUID"), user);
    }
    world.database.set("neon_auth.api_timeout", "1s");
    // More than a second in all.
    let trickle = Fault::Trickle { interval_millis: 1 };
    world.stack.set_fault(Endpoint::Users, trickle);
    world.sync();
    world.assert_mirrored();
    assert_eq!(world.asked("users"), 1);
}

#[test]
fn a_revoked_key_is_told_and_changes_nothing() {
    let log = ServerLog::from_here();
    let world = World::new();
    let user = world.sign_up("user");
    world.sync();
    let first = world.stack.credentials().secret_server_key;
    let second = world.stack.rotate_server_key();
    world
        .stack
        .delete_user(user.parse().expect("ids are UUIDs"));
    world.stack.forget_requests();
    let refusal = world.sync_refused();
    assert_eq!(
        refusal.code(),
        &SqlState::SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION
    );
    assert!(
        refusal
            .detail()
            .is_some_and(|detail| detail.contains("INVALID_SECRET_SERVER_KEY"))
    );
    assert!(
        refusal
            .hint()
            .is_some_and(|hint| hint.contains("neon_auth.set_secret"))
    );
    // To ask again would be in vain.
    assert_eq!(world.asked(""), 1);
    assert_eq!(users(&mut world.superuser()), "1");
    let error = world.last_run("error").expect("it is noted");
    assert!(
        error.starts_with("the auth service rejected the secret server key"),
        "{error}"
    );
    assert_eq!(world.status("synchronisation"), (false, error.clone()));
    world.superuser().value(
        "SELECT neon_auth.set_secret('secret_server_key', $1)::text",
        &[&second],
    );
    world.sync();
    world.assert_mirrored();
    let seen = [format!("{refusal:?}"), error, log.text(), tables(&world)].concat();
    for secret in [first, second] {
        assert!(!seen.contains(&secret), "a secret is in {seen}");
    }
}

/// Everything in the extension's tables but the secrets.
fn tables(world: &World) -> String {
    let mut session = world.superuser();
    let tables = session.values(
        "SELECT c.oid::regclass::text FROM pg_class c
          WHERE c.relnamespace = 'neon_auth'::regnamespace AND c.relkind IN ('r', 'v') AND c.relname <> 'secrets'",
        &[],
    );
    assert!(tables.len() > 10);
    let rows = tables.into_iter().flatten().map(|table| {
        let rows = session.values(&format!("SELECT t::text FROM {table} t"), &[]);
        rows.into_iter().flatten().collect::<String>()
    });
    rows.collect()
}

#[test]
fn no_failure_tells_the_secret() {
    let log = ServerLog::from_here();
    let world = World::new();
    let user = world.sign_up("user");
    world.sync();
    let secret = world.stack.credentials().secret_server_key;
    let mut session = world.superuser();
    let mut seen = String::new();
    for fault in [
        Fault::status(403),
        Fault::status(404),
        Fault::Redirect {
            location: "https://elsewhere.example/".to_owned(),
        },
        Fault::Status {
            status: 429,
            retry_after: Some(1_000_000),
        },
    ] {
        world.stack.set_fault(Endpoint::Users, fault);
        seen += &format!("{:?}", session.run_refused("CALL neon_auth.sync()"));
    }
    world.stack.clear_fault(Endpoint::Users);
    // A key that no header can carry, and an id that the service refuses.
    session
        .execute(
            "SELECT neon_auth.set_secret('secret_server_key', $1 || chr(233) || chr(10))",
            &[&secret],
        )
        .expect("there is such a secret");
    session.run("SET log_min_messages = debug1; SET log_statement = 'all'");
    session.run("SELECT neon_auth_internal.queue_sync('user', '', 'no-uuid', '')");
    if let Err(error) = session.batch_execute("CALL neon_auth.sync()") {
        seen += &format!("{error:?}");
    }
    world.configure(&mut world.superuser());
    session.run("CALL neon_auth.sync()");
    seen += &log.text();
    seen += &tables(&world);
    assert!(!seen.contains(&secret), "a secret is in {seen}");
    assert!(!user.is_empty());
}

#[test]
fn a_redirect_is_not_followed() {
    let world = World::new();
    world.sign_up("user");
    let elsewhere = World::new();
    let location = format!("{}/api/v1/users", elsewhere.stack.base_url());
    world
        .stack
        .set_fault(Endpoint::Users, Fault::Redirect { location });
    let refusal = world.sync_refused();
    assert_eq!(refusal.code(), &SqlState::PROTOCOL_VIOLATION);
    assert_eq!(refusal.detail(), Some("It returned status 307."));
    assert_eq!(world.asked("users"), 1);
    assert_eq!(elsewhere.asked(""), 0);
}

#[test]
fn short_and_repeated_pages_are_all_read() {
    for (fault, times) in [
        (Fault::ShortPage, None),
        (Fault::ShortPage, Some(1)),
        (Fault::Repeat, Some(1)),
        (Fault::Repeat, Some(3)),
    ] {
        let world = World::new();
        world.stack.populate(3500, false);
        world
            .stack
            .set_fault_after(Endpoint::Users, 2, fault, times);
        world.sync();
        world.assert_mirrored();
    }
}

#[test]
fn pages_without_an_end_are_given_up() {
    let world = World::new();
    world.stack.populate(2500, false);
    world
        .stack
        .set_fault_after(Endpoint::Users, 1, Fault::Repeat, None);
    let refusal = world.sync_refused();
    assert_eq!(refusal.code(), &SqlState::CONNECTION_FAILURE);
    world.stack.clear_fault(Endpoint::Users);
    world.sync();
    world.assert_mirrored();
}

/// The ids of the users at these places in the list, as cursors of the list of users.
fn cursors(world: &World, places: &[usize]) -> Fault {
    let users = world.stack.everything().users;
    let id = |place: &usize| users[*place]["id"].as_str().expect("an id").to_owned();
    let cursors = places.iter().map(id).collect();
    Fault::Cursors { cursors }
}

/// What each attempt reports whose list has no end.
#[track_caller]
fn assert_endless(world: &World, session: &mut Session, list: &str) {
    let refusal = session.run_refused(SYNC);
    assert_eq!(refusal.code(), &SqlState::CONNECTION_FAILURE);
    let reason = format!(
        "The list of {list} does not end: a cursor leads back to a page that was already read."
    );
    assert_eq!(refusal.detail(), Some(reason.as_str()));
    let error = world.last_run("error").expect("it is noted");
    assert!(error.ends_with(&reason), "{error}");
    assert_eq!(world.status("synchronisation"), (false, error));
}

/// However long the circle is, each page is read once, and the attempts to come are as short.
#[test]
fn pages_that_lead_in_a_circle_are_given_up() {
    for places in [
        &[1000, 0][..],
        &[1000, 2000, 1000],
        &[500, 1000, 1500, 2000, 0],
    ] {
        let world = World::new();
        world.stack.populate(2500, false);
        world
            .stack
            .set_fault(Endpoint::Users, cursors(&world, places));
        let mut session = world.superuser();
        // Without an end there would be no failure either.
        session.run("SET statement_timeout = '60s'");
        for _ in 0..3 {
            world.stack.forget_requests();
            assert_endless(&world, &mut session, "users");
            let asked = world.asked("users");
            assert!(asked <= places.len() + 2, "{asked}");
        }
        world.stack.clear_fault(Endpoint::Users);
        world.sync();
        world.assert_mirrored();
    }
}

#[test]
fn another_list_that_leads_in_a_circle_is_given_up() {
    let world = World::new();
    world.stack.set_age(Age::Newer);
    world.stack.populate(10, true);
    world
        .stack
        .set_fault(Endpoint::Teams, cursors(&world, &[1, 2, 3]));
    let mut session = world.superuser();
    session.run("SET statement_timeout = '60s'");
    assert_endless(&world, &mut session, "teams");
    assert_eq!(world.listed("teams"), 4);
    world.stack.clear_fault(Endpoint::Teams);
    world.sync();
    world.assert_mirrored();
}

/// Pages that look as if their cursor were lost are a circle as well.
#[test]
fn pages_that_are_lost_again_and_again_are_given_up() {
    let world = World::new();
    world.stack.populate(2500, false);
    let cursors = (0..3).map(|n| format!("00000000-0000-4000-8000-00000000000{n}"));
    let cursors = cursors.collect();
    world
        .stack
        .set_fault(Endpoint::Users, Fault::Cursors { cursors });
    let mut session = world.superuser();
    session.run("SET statement_timeout = '60s'");
    assert_endless(&world, &mut session, "users");
    assert!(world.asked("users") <= 25, "{}", world.asked("users"));
    world.stack.clear_fault(Endpoint::Users);
    world.sync();
    world.assert_mirrored();
}

/// Deletes the users around the place where the list goes on, while it is about to go on there.
#[test]
fn a_cursor_whose_user_is_deleted_in_mid_scan_loses_nobody() {
    for after in [1, 2, 3] {
        let world = World::new();
        world.stack.populate(3500, false);
        world.sync();
        let cursor = world.stack.everything().users[1000 * after as usize].clone();
        world.superuser().run("TRUNCATE neon_auth.users_sync");
        world.stack.hold(Endpoint::Users, after);
        let (outcome, ()) = world.while_syncing(|_| {
            world.stack.wait_until_held(Endpoint::Users);
            let id = cursor["id"].as_str().expect("an id is a string");
            world.stack.delete_user(id.parse().expect("ids are UUIDs"));
            world.stack.release(Endpoint::Users);
        });
        assert_eq!(outcome, Ok(()));
        world.assert_mirrored();
    }
}

#[test]
fn users_who_come_and_go_during_the_scan_are_as_they_are_in_the_end() {
    let world = World::with_webhooks();
    world.stack.populate(3500, false);
    world.sync();
    let mut random = Random::seeded(7);
    let mut session = world.superuser();
    world.stack.hold(Endpoint::Users, 0);
    let (outcome, ()) = world.while_syncing(|_| {
        for page in 0..4 {
            world.stack.wait_until_held(Endpoint::Users);
            let users = world.stack.everything().users;
            for _ in 0..5 {
                let user = random.pick(&users)["id"].as_str().expect("an id");
                let user = user.parse().expect("ids are UUIDs");
                let is_there = world
                    .stack
                    .everything()
                    .users
                    .iter()
                    .any(|known| known["id"] == json!(user));
                if is_there {
                    world.stack.delete_user(user);
                }
            }
            world.sign_up("newcomer");
            // Half of what happened is told at once.
            for message in world.stack.messages().iter().rev().take(3) {
                session.deliver(&world.stack.delivery(&message.id));
            }
            if page == 3 {
                world.stack.release(Endpoint::Users);
            } else {
                world.stack.hold(Endpoint::Users, 0);
            }
        }
    });
    assert_eq!(outcome, Ok(()));
    world.sync();
    world.assert_mirrored();
}
