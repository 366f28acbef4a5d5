//! What makes lists of users hard to read: cursors of two forms, users who move, and objects that
//! the service cannot return.

use neon_auth_stack::{Endpoint, NewTeam, NewUser, Simulator};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{id, server_get, start};

/// Users in the order of their sign-up.
fn people(stack: &Simulator, count: usize) -> Vec<Uuid> {
    let mut people: Vec<(i64, Uuid)> = (0..count)
        .map(|_| {
            let user = stack.sign_up(NewUser::anonymous());
            (user["signed_up_at_millis"].as_i64().unwrap(), id(&user))
        })
        .collect();
    people.sort_unstable();
    people.into_iter().map(|(_, id)| id).collect()
}

fn ids(stack: &Simulator, query: &str) -> (Vec<Uuid>, Value) {
    let path = format!("/api/v1/users?include_anonymous=true&order_by=signed_up_at&{query}");
    let list = server_get(stack, &path).json();
    let ids = list["items"].as_array().unwrap().iter().map(id).collect();
    (ids, list["pagination"]["next_cursor"].clone())
}

#[test]
fn a_cursor_is_the_first_of_a_page_or_the_last_before_it() {
    let stack = start();
    let people = people(&stack, 5);
    for is_exclusive in [false, true] {
        stack.set_exclusive_cursors(is_exclusive);
        let next = if is_exclusive { people[1] } else { people[2] };
        let first = ids(&stack, "limit=2");
        assert_eq!(first, (people[..2].to_vec(), json!(next)));
        let next = if is_exclusive { people[3] } else { people[4] };
        let cursor = first.1.as_str().unwrap();
        let second = ids(&stack, &format!("limit=2&cursor={cursor}"));
        assert_eq!(second, (people[2..4].to_vec(), json!(next)));
        let cursor = second.1.as_str().unwrap();
        let last = ids(&stack, &format!("limit=2&cursor={cursor}"));
        assert_eq!(last, (people[4..].to_vec(), Value::Null));
        let next = if is_exclusive { people[3] } else { people[2] };
        let backwards = ids(&stack, "limit=2&desc=true");
        assert_eq!(backwards, (vec![people[4], people[3]], json!(next)));
    }
}

#[test]
fn a_user_who_is_not_anonymous_any_more_moves_to_the_end() {
    let stack = start();
    let people = people(&stack, 3);
    stack.update_user(people[0], json!({ "signed_up_at_millis": 5 }));
    assert_eq!(ids(&stack, "limit=9").0[0], people[0]);
    stack.update_user(people[0], json!({ "is_anonymous": false }));
    assert_eq!(ids(&stack, "limit=9").0[2], people[0]);
    // What lies between is on no page that begins there.
    let begun = ids(&stack, &format!("limit=9&cursor={}", people[0]));
    assert_eq!(begun, (vec![people[0]], Value::Null));
}

#[test]
fn every_answer_with_a_poisoned_object_is_a_failure() {
    let stack = start();
    let people = people(&stack, 3);
    let team = id(&stack.create_team(NewTeam::named("Team")));
    stack.poison(people[1]);
    let status = |path: &str| server_get(&stack, &format!("/api/v1/{path}")).status;
    let list = "users?include_anonymous=true&order_by=signed_up_at";
    assert_eq!(status(&format!("users/{}", people[1])), 500);
    assert_eq!(status(list), 500);
    // Its id in a cursor is not the user.
    assert_eq!(status(&format!("{list}&limit=1")), 200);
    assert_eq!(status(&format!("{list}&limit=2")), 500);
    assert_eq!(status(&format!("users/{}", people[0])), 200);
    stack.cure(people[1]);
    assert_eq!(status(list), 200);
    stack.poison(team);
    assert_eq!(status("teams"), 500);
    assert_eq!(status(&format!("teams/{team}")), 500);
    assert_eq!(status(list), 200);
}

#[test]
fn an_outage_is_everywhere_until_it_ends() {
    let stack = start();
    let status = |path: &str| server_get(&stack, &format!("/api/v1/{path}")).status;
    stack.begin_outage(Endpoint::Teams, 1);
    assert_eq!(status("users"), 200);
    assert_eq!(status("teams"), 200);
    assert_eq!(status("users"), 200);
    assert_eq!(status("teams"), 500);
    assert_eq!(status("users"), 500);
    stack.end_outage();
    assert_eq!(status("users"), 200);
}
