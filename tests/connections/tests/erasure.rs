//! An erased user stays so, whatever comes later and whoever else writes at that moment.

use neon_auth_connections::{Cluster, World, eventually, together};
use serde_json::{Value, json};

/// What is known of a user.
fn known(world: &World, user: &str) -> Value {
    let query = "SELECT json_build_array(raw_json, name, email, deleted_at IS NOT NULL)::text
                   FROM neon_auth.users_sync WHERE id = $1";
    let known = world.superuser().value(query, &[&user]);
    serde_json::from_str(&known.expect("a row stays")).expect("as the query builds it")
}

/// Fails unless the id and the time of sign-up are all that is known of a user.
#[track_caller]
fn assert_erased(world: &World, user: &str) {
    let mut known = known(world, user);
    let object = known[0].as_object_mut().expect("a user is an object");
    object.remove("signed_up_at_millis");
    assert_eq!(known, json!([{ "id": user }, null, null, true]));
}

fn erase(world: &World, user: &str) -> bool {
    let mut session = world.superuser();
    let row = session.query_one("SELECT neon_auth.erase_user($1)", &[&user]);
    row.expect("anybody can be erased").get(0)
}

#[test]
fn neither_a_synchronisation_nor_a_late_event_brings_anything_back() {
    let world = World::with_webhooks();
    let (user, other) = (world.sign_up("user"), world.sign_up("other"));
    let created = world.stack.messages();
    world.sync();
    assert!(erase(&world, &user));
    assert_erased(&world, &user);
    // The service has the user still.
    world.sync();
    assert_erased(&world, &user);
    let id = user.parse().expect("ids are UUIDs");
    world
        .stack
        .update_user(id, json!({ "display_name": "Changed" }));
    world.deliver_last();
    for message in &created {
        world
            .superuser()
            .deliver(&world.stack.delivery(&message.id));
    }
    world.stack.delete_user(id);
    world.deliver_last();
    world.sync();
    assert_erased(&world, &user);
    assert_eq!(known(&world, &other)[3], false);
    assert!(!erase(&world, &user));
}

#[test]
fn no_writer_at_the_same_moment_undoes_it() {
    let world = World::new();
    for round in 0..20 {
        let user = format!("u{round}");
        let object = json!([{ "id": user, "display_name": "Somebody" }]).to_string();
        let upsert = "SELECT neon_auth.upsert_users($1::text::jsonb)";
        if round % 2 == 0 {
            let written = world.superuser().execute(upsert, &[&object]);
            written.expect("it is an array");
        }
        let changed = json!([{ "id": user, "display_name": "Somebody else" }]).to_string();
        together(
            vec![true, false, false],
            |erases| (erases, world.superuser()),
            |(erases, mut session)| {
                let erase = "SELECT neon_auth.erase_user($1)";
                let outcome = match erases {
                    true => session.execute(erase, &[&user]),
                    false => session.execute(upsert, &[&changed]),
                };
                outcome.expect("none is in the way of another");
            },
        );
        assert_erased(&world, &user);
    }
}

/// Who was deleted an hour ago, and who a moment ago.
fn deleted(world: &World) -> [String; 2] {
    let users = ["old", "new"].map(|name| world.sign_up(name));
    for user in &users {
        let object = json!([{ "id": user, "display_name": "Somebody" }]).to_string();
        let mut session = world.superuser();
        let upsert = "SELECT neon_auth.upsert_users($1::text::jsonb)::text";
        session.value(upsert, &[&object]);
        session.value("SELECT neon_auth.delete_user($1)::text", &[user]);
    }
    world
        .superuser()
        .execute(
            "UPDATE neon_auth.users_sync SET deleted_at = deleted_at - interval '1 h' WHERE id = $1",
            &[&users[0]],
        )
        .expect("a superuser may");
    users
}

#[test]
fn a_synchronisation_erases_who_was_deleted_long_ago() {
    let world = World::new();
    let [old, new] = deleted(&world);
    // By default nobody is.
    world.sync();
    assert_eq!(known(&world, &old)[1], "Somebody");
    world.database.set("neon_auth.erase_deleted_after", "30min");
    world.sync();
    assert_erased(&world, &old);
    assert_eq!(known(&world, &new)[1], "Somebody");
}

#[test]
fn a_worker_erases_who_was_deleted_long_ago() {
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 0");
    let world = World::in_server(cluster.server());
    let [old, new] = deleted(&world);
    cluster.set("neon_auth.erase_deleted_after", "30min");
    eventually("the user is erased", || known(&world, &old)[1].is_null());
    assert_erased(&world, &old);
    assert_eq!(known(&world, &new)[1], "Somebody");
}
