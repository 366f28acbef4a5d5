//! `CALL neon_auth.sync()`: the first time, and where it must not run.

use neon_auth_connections::{Cluster, Database, SYNC, Session, World, eventually, id_of};
use neon_auth_stack::permissions::{Definition, Grant, Scope};
use neon_auth_stack::teams::Membership;
use neon_auth_stack::{Endpoint, NewTeam, NewUser, Options, Simulator};
use postgres::error::SqlState;
use serde_json::json;

/// One of everything that the service knows.
fn inhabit(stack: &Simulator) {
    let somebody = stack.sign_up(NewUser::named("Somebody", "somebody@example.com"));
    stack.sign_up(NewUser::anonymous());
    let restricted = stack.sign_up(NewUser {
        restricted_by_admin: true,
        ..NewUser::named("Restricted", "restricted@example.com")
    });
    let team = stack.create_team(NewTeam {
        creator_user_id: Some(id_of(&somebody)),
        ..NewTeam::named("Team")
    });
    stack.create_team(NewTeam::named("Nobody's"));
    stack.join_team(Membership {
        team_id: id_of(&team),
        user_id: id_of(&restricted),
    });
    for (scope, permission, contained) in [
        (Scope::Team, "editor", "writer"),
        (Scope::Team, "writer", "reader"),
        (Scope::Team, "reader", "editor"),
        (Scope::Project, "tester", "beta"),
        (Scope::Project, "beta", ""),
    ] {
        let contained = Some(contained.to_owned()).filter(|contained| !contained.is_empty());
        stack.define_permission(Definition {
            scope,
            id: permission.to_owned(),
            contained_permission_ids: contained.into_iter().collect(),
        });
    }
    // The reader is given what the editor contains as well.
    for permission in ["editor", "reader"] {
        stack.grant(Grant {
            team_id: Some(id_of(&team)),
            user_id: id_of(&restricted),
            id: permission.to_owned(),
        });
    }
    stack.grant(Grant {
        team_id: None,
        user_id: id_of(&somebody),
        id: "tester".to_owned(),
    });
}

#[test]
fn the_first_sync_brings_everything() {
    let world = World::new();
    inhabit(&world.stack);
    world.stack.populate(2500, true);
    world.stack.forget_requests();
    world.sync();
    world.assert_mirrored();
    let mut session = world.superuser();
    let mut count = |what: &str| {
        let count = format!("SELECT count(*)::text FROM {what}");
        session.value(&count, &[]).expect("a number")
    };
    assert_eq!(count("neon_auth.users_sync"), "2503");
    assert_eq!(
        count("neon_auth.users_sync WHERE raw_json ->> 'is_anonymous' = 'true'"),
        "1"
    );
    assert_eq!(count("neon_auth.teams_sync"), "2502");
    assert_eq!(count("neon_auth.team_members_sync"), "2502");
    // The creator's six, the member's own two of three and two by default, and six for each team.
    assert_eq!(
        count("neon_auth.team_permissions_sync WHERE inherited AND permission_id ~ '^[a-z]'"),
        "1"
    );
    assert_eq!(
        count("neon_auth.project_permissions_sync WHERE inherited"),
        "1"
    );
    assert_eq!(count("neon_auth_internal.sync_scan"), "0");
    assert_eq!(count("neon_auth_internal.sync_scan_users"), "0");
    // Three pages and one question for each list: nothing is asked about by itself.
    assert_eq!(world.asked("users"), 3);
    assert_eq!(world.asked("teams"), 1);
    assert_eq!(world.asked("team-member-profiles"), 1);
    assert_eq!(world.asked("team-permissions"), 2);
    assert_eq!(world.asked("project-permissions"), 2);
    let run = "concat_ws(' ', phase, changed > 2503 + 2502 * 2, deleted, skipped, coalesce(error, 'no error'))";
    assert_eq!(world.last_run(run).as_deref(), Some("done t 0 0 no error"));
    let progress = session.values("SELECT phase FROM neon_auth.sync_progress", &[]);
    assert!(progress.is_empty(), "{progress:?}");
    world.await_synchronisation();
}

#[test]
fn an_empty_service_makes_an_empty_mirror() {
    let world = World::new();
    world.sync();
    world.assert_mirrored();
    assert_eq!(world.last_run("phase").as_deref(), Some("done"));
}

#[test]
fn whoever_is_granted_the_procedure_alone_can_call_it() {
    let world = World::new();
    inhabit(&world.stack);
    let mut app = world.app();
    let refusal = app.run_refused(SYNC);
    assert_eq!(refusal.code(), &SqlState::INSUFFICIENT_PRIVILEGE);
    world
        .superuser()
        .run("GRANT EXECUTE ON PROCEDURE neon_auth.sync() TO app");
    // Nothing that the caller sets gets between the procedure and its tables.
    app.run(
        "CREATE TEMP TABLE users_sync (LIKE notes);
         CREATE FUNCTION pg_temp.count(text) RETURNS bigint LANGUAGE sql AS 'SELECT 0';
         SET search_path = pg_temp, public;
         SET default_transaction_isolation = 'repeatable read'",
    );
    app.run(SYNC);
    world.assert_mirrored();
    for table in [
        "neon_auth.users_sync",
        "neon_auth.sync_runs",
        "neon_auth_internal.sync_scan",
        "neon_auth_internal.secrets",
    ] {
        let refusal = app.run_refused(&format!("SELECT FROM {table}"));
        assert_eq!(refusal.code(), &SqlState::INSUFFICIENT_PRIVILEGE, "{table}");
    }
}

#[test]
fn it_is_refused_wherever_it_could_not_commit() {
    let world = World::new();
    inhabit(&world.stack);
    let mut session = world.superuser();
    session.run("CREATE FUNCTION sync_within() RETURNS void LANGUAGE plpgsql AS 'BEGIN CALL neon_auth.sync(); END'");
    for call in [
        "BEGIN; CALL neon_auth.sync()",
        "BEGIN; DO 'BEGIN CALL neon_auth.sync(); END'",
        "SELECT sync_within()",
        "CALL neon_auth.sync(); SELECT 1",
    ] {
        let refusal = session.run_refused(call);
        assert_eq!(refusal.code(), &SqlState::ACTIVE_SQL_TRANSACTION, "{call}");
        assert!(refusal.hint().is_some(), "{refusal:?}");
        session.run("ROLLBACK");
    }
    // Nor can it where an error would be caught.
    let caught = "DO 'BEGIN CALL neon_auth.sync(); EXCEPTION WHEN division_by_zero THEN NULL; END'";
    assert_eq!(
        session.run_refused(caught).code(),
        &SqlState::ACTIVE_SQL_TRANSACTION
    );
    assert_eq!(world.asked(""), 0);
    // A DO block that may commit itself lets it commit.
    session.run("DO 'BEGIN CALL neon_auth.sync(); COMMIT; CALL neon_auth.sync(); END'");
    world.assert_mirrored();
}

#[test]
fn it_is_refused_on_a_standby() {
    let primary = Cluster::start("");
    let world = World::in_server(primary.server());
    let standby = primary.start_standby();
    let config = standby.server().config("postgres", world.database.name());
    let mut reader = Session::open(&config);
    let refusal = reader.run_refused(SYNC);
    assert_eq!(refusal.code(), &SqlState::READ_ONLY_SQL_TRANSACTION);
    assert!(refusal.hint().is_some(), "{refusal:?}");
    assert_eq!(world.asked(""), 0);
}

#[test]
fn it_is_refused_until_all_is_configured() {
    let database = Database::create();
    let mut session = database.superuser();
    let refusal = session.run_refused(SYNC);
    assert_eq!(refusal.code(), &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
    assert!(
        refusal
            .detail()
            .is_some_and(|detail| detail.contains("provider"))
    );

    let world = World::new();
    let mut session = world.superuser();
    for (without, missing) in [
        (
            "DELETE FROM neon_auth_internal.secrets WHERE name = 'secret_server_key'",
            "secret_server_key",
        ),
        (
            "UPDATE neon_auth.providers SET jwks_url = 'https://keys.example/jwks'",
            "jwks_url",
        ),
        ("DELETE FROM neon_auth.providers", "provider"),
    ] {
        session.run(without);
        let refusal = session.run_refused(SYNC);
        assert_eq!(
            refusal.code(),
            &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE,
            "{without}"
        );
        assert!(
            refusal
                .detail()
                .is_some_and(|detail| detail.contains(missing)),
            "{refusal:?}"
        );
        assert!(refusal.hint().is_some(), "{refusal:?}");
        world.configure(&mut session);
    }
    assert_eq!(world.asked(""), 0);
    world.sync();
}

/// Whoever may add and drop providers could name a server of his own.
#[test]
fn the_secret_goes_nowhere_but_where_it_was_stored_for() {
    let world = World::new();
    let mut session = world.superuser();
    let elsewhere = Simulator::start(Options::default()).expect("a port is free");
    let keys = elsewhere.keys_response();
    let url = keys["jwks_url"].as_str().expect("a URL is a string");
    session.run(&format!(
        "CREATE TEMP TABLE before AS SELECT * FROM neon_auth.providers;
         SELECT neon_auth.drop_provider('stack');
         SELECT neon_auth.add_provider('stack', issuers, audiences, jwks_url => '{url}', kind => 'stack', project_id => project_id)
           FROM before;"
    ));
    let refusal = session.run_refused(SYNC);
    assert_eq!(refusal.code(), &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
    let says = |detail: &str| detail.contains("secret_server_key for this project and URL");
    assert!(refusal.detail().is_some_and(says), "{refusal:?}");
    assert!(elsewhere.received("/api").is_empty());
    // Stored again, it is meant for that one.
    world.configure(&mut session);
    session.run(SYNC);
    assert!(!world.stack.received("/api").is_empty());
}

/// To anybody but the machine itself, http tells the secret to all who listen.
#[test]
fn the_secret_goes_nowhere_in_the_clear() {
    let world = World::new();
    let mut session = world.superuser();
    let clear = "UPDATE neon_auth.providers SET jwks_url = replace(jwks_url, 'http://127.0.0.1', 'http://192.0.2.1')";
    let refusal = session.run_refused(clear);
    assert_eq!(refusal.code(), &SqlState::INVALID_PARAMETER_VALUE);
    // Nor if such a URL has come to be there.
    session.run("ALTER TABLE neon_auth.providers DISABLE TRIGGER USER");
    session.run(clear);
    let refusal = session.run_refused(SYNC);
    assert_eq!(refusal.code(), &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
    assert!(
        refusal
            .detail()
            .is_some_and(|detail| detail.contains("https")),
        "{refusal:?}"
    );
}

#[test]
fn another_projects_users_do_not_take_the_place_of_those_that_are_there() {
    let mut world = World::new();
    inhabit(&world.stack);
    world.sync();
    world.enter_another_project();
    let mut session = world.superuser();
    world.configure(&mut session);
    session.run_refused(SYNC);
    // A restored dump knows of no run.
    session.run("TRUNCATE neon_auth.sync_runs, neon_auth_internal.sync_scan");
    let refusal = session.run_refused(SYNC);
    assert_eq!(refusal.code(), &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
    let hint = refusal.hint().expect("it says what to do").to_owned();
    assert_eq!(world.asked(""), 0);
    assert!(world.deleted("users_sync").is_empty());
    // Whoever wants it can have it, by what the HINT says.
    let (_, statements) = hint
        .split_once(": ")
        .expect("statements come after a colon");
    for statement in statements.split_inclusive(';') {
        session.run(statement);
    }
    world.assert_mirrored();
    assert_eq!(world.deleted("users_sync").len(), 3);
}

/// Nothing that webhooks bring says which project it is of.
#[test]
fn users_whom_webhooks_alone_have_brought_belong_to_the_project_configured_then() {
    for replaced in [false, true] {
        let mut world = World::with_webhooks();
        world.sign_up("user");
        assert_eq!(world.deliver_last(), "applied");
        let mut session = world.superuser();
        // The same project again is no other one.
        world.configure(&mut session);
        let first = world.enter_another_project();
        if replaced {
            session.run("SELECT neon_auth.drop_provider('stack')");
        }
        world.configure(&mut session);
        let refusal = session.run_refused(SYNC);
        assert_eq!(refusal.code(), &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
        assert!(world.deleted("users_sync").is_empty());
        // It was a mistake.
        world.stack = first;
        world.configure(&mut session);
        session.run(SYNC);
        world.assert_mirrored();
    }
}

#[test]
fn it_holds_nothing_while_it_waits() {
    let world = World::new();
    inhabit(&world.stack);
    world.stack.hold(Endpoint::Teams, 0);
    let (outcome, ()) = world.while_syncing(|pid| {
        world.stack.wait_until_held(Endpoint::Teams);
        let mut session = world.superuser();
        let held = "SELECT coalesce(a.backend_xmin::text, a.backend_xid::text)
                      FROM pg_stat_activity a WHERE a.pid = $1::text::integer
                    UNION ALL
                    SELECT format('%s %s', l.locktype, l.mode)
                      FROM pg_locks l WHERE l.pid = $1::text::integer AND l.locktype NOT IN ('virtualxid', 'advisory')";
        eventually("it holds no snapshot and no lock", || {
            session.values(held, &[&pid.to_string()]) == [None]
        });
        let progress = "SELECT concat_ws(' ', phase, running, pid) FROM neon_auth.sync_progress";
        let progress = session.value(progress, &[]);
        assert_eq!(progress, Some(format!("teams t {pid}")));
        world.stack.release(Endpoint::Teams);
    });
    assert_eq!(outcome, Ok(()));
    world.assert_mirrored();
}

/// The application's transactions refer to users, and stay open.
#[test]
fn open_references_do_not_keep_a_synchronisation_waiting() {
    let world = World::new();
    let user = world.sign_up("user");
    world.sync();
    let mut application = world.superuser();
    application.run("CREATE TABLE orders (user_id text REFERENCES neon_auth.users_sync)");
    application.run("BEGIN; INSERT INTO orders SELECT id FROM neon_auth.users_sync");
    let id = user.parse().expect("an id is a UUID");
    world
        .stack
        .update_user(id, json!({ "display_name": "Changed" }));
    let mut session = world.superuser();
    session.run("SET lock_timeout = '5s'");
    session.run(SYNC);
    application.run("COMMIT");
    world.assert_mirrored();
}
