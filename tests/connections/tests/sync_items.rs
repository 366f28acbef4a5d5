//! Items that cannot be rows are skipped, counted and reported; the others are written.

use neon_auth_connections::World;
use neon_auth_stack::{Endpoint, Fault, NewTeam};
use serde_json::{Value, json};

/// Users that cannot be rows, each with a part of what is said about it.
fn bad_users() -> Vec<(String, &'static str)> {
    let deep = |depth: usize| {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        format!(r#"{{"id":"deep","client_metadata":{open}{close}}}"#)
    };
    vec![
        (r#"{"display_name":"Nobody"}"#.to_owned(), "no member"),
        (r#"{"id":5}"#.to_owned(), "not a string"),
        (r#"{"id":null}"#.to_owned(), "not a string"),
        (r#"{"id":""}"#.to_owned(), "0 bytes"),
        (format!(r#"{{"id":"{}"}}"#, "x".repeat(300)), "300 bytes"),
        (r#"{"id":"nul\u0000"}"#.to_owned(), "\\u0000"),
        (
            r#"{"id":"a","client_metadata":{"a":["\u0000"]}}"#.to_owned(),
            "\\u0000",
        ),
        (
            r#"{"id":"b","client_metadata":1e400000}"#.to_owned(),
            "numeric",
        ),
        (
            r#"{"id":"c","client_metadata":"\ud800"}"#.to_owned(),
            "nicode",
        ),
        (
            r#"{"id":"d","signed_up_at_millis":"soon"}"#.to_owned(),
            "not a number",
        ),
        (
            r#"{"id":"e","signed_up_at_millis":-1}"#.to_owned(),
            "milliseconds",
        ),
        (
            r#"{"id":"f","signed_up_at_millis":1e30}"#.to_owned(),
            "milliseconds",
        ),
        (deep(1_000_000), "stack depth"),
        ("null".to_owned(), "null"),
        ("[]".to_owned(), "array"),
        (r#""text""#.to_owned(), "string"),
        ("true".to_owned(), "boolean"),
    ]
}

fn list(items: &[String]) -> Fault {
    Fault::Body {
        content_type: "application/json".to_owned(),
        body: format!(r#"{{"items":[{}],"is_paginated":false}}"#, items.join(",")),
    }
}

#[test]
fn each_bad_user_is_skipped_with_the_reason() {
    let world = World::new();
    world.sign_up("user");
    let good = world.stack.everything().users[0].to_string();
    for (bad, reason) in bad_users() {
        let shown: String = bad.chars().take(80).collect();
        let items = [bad, good.clone()];
        world
            .stack
            .set_fault_times(Endpoint::Users, list(&items), 1);
        world.sync();
        world.assert_mirrored();
        let run = world
            .last_run("concat_ws(' ', phase, skipped, last_skip_reason)")
            .expect("a run");
        assert!(run.starts_with("done 1 "), "{shown}: {run}");
        assert!(run.contains(reason), "{shown}: {run}");
        assert!(run.len() < 500, "{run}");
    }
    let status = "SELECT concat_ws(' ', ok, detail) FROM neon_auth.status WHERE component = 'synchronisation'";
    let status = world.superuser().value(status, &[]).expect("a row");
    assert!(
        status.starts_with("t ") && status.contains("skipped: 1. The last of those: "),
        "{status}"
    );
}

#[test]
fn many_bad_users_among_many_good_ones_are_the_only_ones_skipped() {
    let world = World::new();
    world.stack.populate(990, false);
    let everything = world.stack.everything();
    let mut items: Vec<String> = everything.users.iter().map(Value::to_string).collect();
    let bad = bad_users();
    for (number, (bad, _)) in bad.iter().enumerate() {
        items.insert(number * 50, bad.clone());
    }
    world
        .stack
        .set_fault_times(Endpoint::Users, list(&items), 1);
    world.sync();
    world.assert_mirrored();
    let skipped = world.last_run("skipped").expect("a run");
    assert_eq!(skipped, bad.len().to_string());
}

#[test]
fn bad_items_of_every_list_are_skipped() {
    let world = World::new();
    world.stack.populate(3, true);
    world.sync();
    let everything = world.stack.everything();
    let long = format!(
        r#"{{"id":"x","team_id":"x","user_id":"{}"}}"#,
        "x".repeat(300)
    );
    let text = "x".repeat(100_000);
    let bad = [
        "null".to_owned(),
        "{}".to_owned(),
        r#"{"id":"x","team_id":5,"user_id":{}}"#.to_owned(),
        r#"{"id":"","team_id":"","user_id":""}"#.to_owned(),
        r#"{"id":"x\u0000","team_id":"x\u0000","user_id":"x\u0000"}"#.to_owned(),
        format!(r#""{text}""#),
        long,
    ];
    let with_bad = |good: Vec<String>| {
        let mut items = bad.to_vec();
        items.extend(good);
        list(&items)
    };
    let members = everything.memberships.iter().map(|member| {
        format!(
            r#"{{"team_id":"{}","user_id":"{}"}}"#,
            member.team_id, member.user_id
        )
    });
    let texts = |values: &[Value]| values.iter().map(Value::to_string).collect();
    let stack = &world.stack;
    stack.set_fault_times(Endpoint::TeamMemberProfiles, with_bad(members.collect()), 1);
    stack.set_fault_times(
        Endpoint::TeamPermissions,
        with_bad(texts(&everything.direct_team_permissions)),
        1,
    );
    stack.set_fault_times(Endpoint::ProjectPermissions, with_bad(Vec::new()), 1);
    let teams = [
        vec![
            r#"{"id":"t","created_at_millis":{}}"#.to_owned(),
            "5".to_owned(),
        ],
        texts(&everything.teams),
    ]
    .concat();
    stack.set_fault_times(Endpoint::Teams, list(&teams), 1);
    world.sync();
    world.assert_mirrored();
    let run = world.last_run(
        "concat_ws(' ', phase, skipped, changed, deleted, length(last_skip_reason) < 500)",
    );
    assert_eq!(run.as_deref(), Some("done 23 0 0 t"));
}

/// A user that was a row, and can be one no more.
#[test]
fn a_known_user_who_becomes_malformed_is_skipped_once_and_nobody_listed_again() {
    let world = World::new();
    let user = world.sign_up("user");
    world.sign_up("other");
    world.sync();
    let id = user.parse().expect("an id is a UUID");
    let good = world.stack.everything().users[0].clone();
    let mut bad = good.clone();
    bad["signed_up_at_millis"] = json!(-5);
    world.stack.put_raw_user(id, bad.clone());
    world.stack.forget_requests();
    world.sync();
    let run = "concat_ws(' ', phase, skipped, deleted)";
    assert_eq!(world.last_run(run).as_deref(), Some("done 1 0"));
    assert_eq!((world.listed("users"), world.asked("users/")), (1, 0));

    // No page has it, and its own answer is no row either.
    let items = [world.stack.everything().users[1].to_string()];
    world
        .stack
        .set_fault_times(Endpoint::Users, list(&items), 1);
    world.stack.forget_requests();
    world.sync();
    assert_eq!(world.last_run(run).as_deref(), Some("done 1 0"));
    assert_eq!((world.listed("users"), world.asked("users/")), (1, 1));
    world.stack.put_raw_user(id, good);
    world.sync();
    world.assert_mirrored();
}

/// What a trigger of the application's keeps from being written is not asked for again and again.
#[test]
fn what_a_trigger_keeps_is_skipped() {
    let world = World::new();
    let user = world.sign_up("user");
    let team = world.stack.create_team(NewTeam::named("Team"));
    world.sync();
    world.superuser().run(
        "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN IF new.raw_json ->> 'display_name' = 'kept' THEN RETURN NULL; END IF; RETURN new; END $$;
         CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON neon_auth.users_sync
             FOR EACH ROW EXECUTE FUNCTION keep();
         CREATE TRIGGER keep BEFORE INSERT OR UPDATE ON neon_auth.teams_sync
             FOR EACH ROW EXECUTE FUNCTION keep()",
    );
    let kept = || json!({ "display_name": "kept" });
    world
        .stack
        .update_user(user.parse().expect("an id is a UUID"), kept());
    world.sign_up("kept");
    let id = team["id"].as_str().expect("an id is a string");
    world
        .stack
        .update_team(id.parse().expect("an id is a UUID"), kept());
    world.sign_up("other");
    world.stack.forget_requests();
    world.sync();
    let queued = "SELECT count(*)::text FROM neon_auth.sync_queue";
    assert_eq!(
        world.superuser().value(queued, &[]).as_deref(),
        Some("0"),
        "nothing is queued"
    );
    let run = world.last_run("concat_ws(' ', phase, changed, skipped, last_skip_reason)");
    assert_eq!(
        run.as_deref(),
        Some("done 1 3 A team: a trigger on neon_auth.teams_sync keeps the row as it is.")
    );
    assert_eq!((world.listed("users"), world.asked("users/")), (1, 0));
    world.superuser().run(
        "DROP TRIGGER keep ON neon_auth.users_sync; DROP TRIGGER keep ON neon_auth.teams_sync",
    );
    world.sync();
    world.assert_mirrored();
}

/// What is too large for memory is not read to its end; asked again, the service behaves.
#[test]
fn an_item_without_bounds_is_not_read_to_its_end() {
    let world = World::new();
    world.sign_up("user");
    let good = world.stack.everything().users[0].to_string();
    let huge = format!(
        r#"{{"id":"huge","client_metadata":"{}"}}"#,
        "x".repeat(65 << 20)
    );
    world
        .stack
        .set_fault_times(Endpoint::Users, list(&[good, huge]), 1);
    world.sync();
    world.assert_mirrored();
    assert_eq!(world.asked("users"), 2);
}

/// PostgreSQL decides how deep is too deep.
#[test]
fn a_deeply_nested_user_is_a_row_or_is_skipped() {
    let world = World::new();
    world.sign_up("user");
    let good = world.stack.everything().users[0].to_string();
    for depth in [1_000, 5_000, 10_000, 20_000, 100_000] {
        let (open, close) = ("[".repeat(depth), "]".repeat(depth));
        let deep = format!(r#"{{"id":"deep","client_metadata":{open}{close}}}"#);
        world
            .stack
            .set_fault_times(Endpoint::Users, list(&[deep, good.clone()]), 1);
        world.sync();
        let skipped = world.last_run("skipped").expect("a run");
        let gone = world
            .superuser()
            .execute("DELETE FROM neon_auth.users_sync WHERE id = 'deep'", &[]);
        let written = gone.expect("users_sync can be written").to_string();
        assert!(
            ["01", "10"].contains(&(skipped + &written).as_str()),
            "{depth}"
        );
        world.assert_mirrored();
    }
}

/// The last of several for one id counts, as it does for upsert_users().
#[test]
fn a_user_who_is_listed_twice_is_one_user() {
    let world = World::new();
    world.sign_up("user");
    let good = world.stack.everything().users[0].clone();
    let mut old = good.clone();
    old["display_name"] = "Old".into();
    let items = [old.to_string(), old.to_string(), good.to_string()];
    world
        .stack
        .set_fault_times(Endpoint::Users, list(&items), 1);
    world.sync();
    world.assert_mirrored();
}
