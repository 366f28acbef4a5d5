//! What the service does at a sign-up and at an upgrade without an event.

use std::collections::BTreeSet;

use neon_auth_stack::permissions::{Definition, Scope};
use neon_auth_stack::webhooks::Mishaps;
use neon_auth_stack::{NewUser, Simulator};
use serde_json::{Value, json};

use crate::client::{id, start};

fn events(stack: &Simulator) -> Vec<(&'static str, Value)> {
    let messages = stack.messages();
    let read = messages.iter().map(|message| {
        let body: Value = serde_json::from_str(&message.body).unwrap();
        (message.event, body["data"].clone())
    });
    read.collect()
}

#[test]
fn default_permissions_are_granted_without_an_event() {
    let stack = start();
    stack.define_permission(Definition {
        scope: Scope::Project,
        id: "tester".to_owned(),
        contained_permission_ids: vec!["beta".to_owned()],
    });
    stack.sign_up(NewUser::default());
    stack.grant_at_sign_up(&["tester", "undefined"]);
    let user = stack.sign_up(NewUser::default());
    assert_eq!(
        stack.everything().direct_project_permissions,
        [json!({ "id": "tester", "user_id": user["id"] })]
    );
    let sent: Vec<_> = events(&stack).iter().map(|(event, _)| *event).collect();
    assert_eq!(sent, ["user.created", "user.created"]);
}

#[test]
fn a_personal_team_is_told_of_before_its_owner_who_seems_to_have_none() {
    let stack = start();
    stack.give_personal_teams(true);
    let user = stack.sign_up(NewUser::named("Alice Example", "alice@example.com"));
    let events = events(&stack);
    let names: Vec<_> = events.iter().map(|(event, _)| *event).collect();
    assert_eq!(names, ["team.created", "user.created"]);
    let (team, told) = (&events[0].1, &events[1].1);
    assert_eq!(told, &user);
    assert_eq!(told["selected_team_id"], Value::Null);
    assert_eq!(told["selected_team"], Value::Null);
    assert_eq!(team["display_name"], "Alice Example's Team");

    let everything = stack.everything();
    assert_eq!(everything.users[0]["selected_team_id"], team["id"]);
    assert_eq!(everything.users[0]["selected_team"], *team);
    assert_eq!(
        everything.direct_team_permissions,
        [json!({ "id": "team_admin", "team_id": team["id"], "user_id": user["id"] })]
    );
}

#[test]
fn an_upgrade_renames_the_personal_team_silently() {
    let stack = start();
    stack.give_personal_teams(true);
    let user = id(&stack.sign_up(NewUser::anonymous()));
    let named = json!({ "display_name": "Alice" });
    stack.update_user(user, named);
    assert_eq!(stack.everything().teams[0]["display_name"], "Personal Team");
    stack.update_user(user, json!({ "is_anonymous": false }));
    assert_eq!(stack.everything().teams[0]["display_name"], "Alice's Team");
    let sent = stack.messages();
    assert!(sent.iter().all(|message| message.event != "team.updated"));
}

#[test]
fn events_are_lost_and_doubled_the_same_way_for_the_same_seed() {
    let mishaps = |seed: &str, lost, doubled| Mishaps {
        seed: seed.to_owned(),
        lost,
        doubled,
    };
    let sent = |mishaps| {
        let stack = start();
        stack.set_mishaps(mishaps);
        for number in 0..200 {
            stack.sign_up(NewUser::named(&number.to_string(), "a@example.com"));
        }
        let ids: BTreeSet<String> = stack.messages().into_iter().map(|sent| sent.id).collect();
        assert_eq!(ids.len(), stack.messages().len(), "each has its own id");
        let told: BTreeSet<_> = stack.messages().into_iter().map(|sent| sent.body).collect();
        assert_eq!(told.len() + stack.lost_events().len(), 200);
        let names = events(&stack).into_iter();
        names
            .map(|(_, user)| user["display_name"].to_string())
            .collect::<Vec<_>>()
    };
    let reliable = sent(None);
    assert_eq!(reliable.len(), 200);
    assert_eq!(sent(Some(mishaps("a", 0, 0))), reliable);
    assert_eq!(sent(Some(mishaps("a", 100, 0))), [""; 0]);
    assert_eq!(sent(Some(mishaps("a", 0, 100))).len(), 400);

    let some = sent(Some(mishaps("a", 20, 20)));
    assert_eq!(some, sent(Some(mishaps("a", 20, 20))));
    assert_ne!(some, sent(Some(mishaps("b", 20, 20))));
    let different: BTreeSet<_> = some.iter().collect();
    assert!((120..200).contains(&different.len()), "some are lost");
    assert!(some.len() > different.len() + 10, "some are doubled");
}
