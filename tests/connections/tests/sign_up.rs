//! What the service does at a sign-up and at an upgrade without an event arrives without a full
//! comparison, whichever events are lost.

use neon_auth_connections::{Cluster, Session, World, eventually, id_of};
use neon_auth_stack::permissions::{Definition, Scope};
use neon_auth_stack::{NewUser, Simulator};
use serde_json::{Value, json};

/// A world that workers compared once, and will not compare again for an hour.
fn world(cluster: &Cluster) -> World {
    let world = World::with_users(cluster.server(), 0);
    world.await_synchronisation();
    world.accept_webhooks();
    world.stack.give_personal_teams(true);
    for (id, contained) in [("tester", vec!["beta".to_owned()]), ("beta", Vec::new())] {
        world.stack.define_permission(Definition {
            scope: Scope::Project,
            id: id.to_owned(),
            contained_permission_ids: contained,
        });
    }
    world.stack.grant_at_sign_up(&["tester"]);
    world
}

/// Delivers the last event of a type, and no other.
fn deliver(world: &World, session: &mut Session, event: &str) {
    let messages = world.stack.messages();
    let last = messages.iter().rfind(|message| message.event == event);
    let delivery = world.stack.delivery(&last.expect("it was sent").id);
    assert_eq!(session.deliver(&delivery), "applied", "{event}");
}

fn the_only_user(stack: &Simulator) -> Value {
    let users = stack.everything().users;
    assert_eq!(users.len(), 1);
    users[0].clone()
}

/// Waits until the mirror is what the service has, without another run.
fn await_mirrored(world: &World) {
    world.await_empty_queue();
    world.assert_mirrored();
    assert_eq!(world.last_run("id"), Some("1".to_owned()));
}

#[test]
fn a_new_user_has_the_default_permissions_and_the_selected_team() {
    let cluster = Cluster::with_workers("");
    for events in [
        &["user.created"][..],
        &["team.created", "user.created"],
        &["user.created", "team.created"],
        &["user.updated"],
        &["user.updated", "user.created", "team.created"],
    ] {
        let world = world(&cluster);
        let mut session = world.superuser();
        let user = world
            .stack
            .sign_up(NewUser::named("Ada", "ada@example.com"));
        if events.contains(&"user.updated") {
            let changes = json!({ "display_name": "Ada L." });
            world.stack.update_user(id_of(&user), changes);
        }
        for event in events {
            let messages = world.stack.messages();
            let last = messages.iter().rfind(|message| message.event == *event);
            session.deliver(&world.stack.delivery(&last.expect("it was sent").id));
        }
        await_mirrored(&world);
        let query = "SELECT string_agg(permission_id, ' ' ORDER BY permission_id)
                       FROM neon_auth.project_permissions_sync WHERE user_id = $1";
        let id = user["id"].as_str().expect("an id is a string");
        let held = session.value(query, &[&id]);
        assert_eq!(held.as_deref(), Some("beta tester"), "{events:?}");
    }
}

#[test]
fn a_team_is_renamed_whose_owner_stops_being_anonymous() {
    let cluster = Cluster::with_workers("");
    // A worker may ask for the user before the event of the upgrade arrives, or after it.
    for is_asked_before in [false, true] {
        let world = world(&cluster);
        let mut session = world.superuser();
        world.stack.sign_up(NewUser::anonymous());
        deliver(&world, &mut session, "team.created");
        deliver(&world, &mut session, "user.created");
        await_mirrored(&world);
        let user = the_only_user(&world.stack);
        let changes = json!({ "is_anonymous": false, "display_name": "Ada" });
        world.stack.update_user(id_of(&user), changes);
        if is_asked_before {
            let id = user["id"].as_str().expect("an id is a string");
            world.queue("user", "", id);
        } else {
            deliver(&world, &mut session, "user.updated");
        }
        eventually("the team is renamed", || {
            let names = session.value("SELECT name FROM neon_auth.teams_sync", &[]);
            names.as_deref() == Some("Ada's Team")
        });
        await_mirrored(&world);
    }
}
