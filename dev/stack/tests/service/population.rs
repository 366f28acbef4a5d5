//! Users in great numbers, who are like those that sign up one by one.

use std::collections::BTreeSet;

use neon_auth_stack::{NewUser, Simulator};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{id, items, page, server_get, start, steer};

fn populated(users: u64, with_teams: bool) -> Simulator {
    let stack = start();
    stack.populate(users, with_teams);
    stack
}

fn members(object: &Value) -> Vec<&String> {
    object.as_object().unwrap().keys().collect()
}

fn distinct(users: &[Value], member: &str) -> BTreeSet<String> {
    users.iter().map(|user| user[member].to_string()).collect()
}

#[test]
fn a_population_is_of_users_like_others() {
    let stack = populated(200, false);
    let users = items(&stack, "/api/v1/users?limit=1000");
    assert_eq!(users.len(), 200);
    let signed_up = stack.sign_up(NewUser::named("Alice Example", "alice@example.com"));
    for user in &users {
        assert_eq!(members(user), members(&signed_up));
        assert_eq!(user["is_restricted"], false);
        let path = format!("/api/v1/users/{}", id(user));
        assert_eq!(server_get(&stack, &path).json(), *user);
        assert!(stack.access_token(id(user)).starts_with("ey"));
    }
    for member in ["id", "primary_email", "signed_up_at_millis"] {
        assert_eq!(distinct(&users, member).len(), 200, "{member}");
    }
    for member in ["client_metadata", "server_metadata", "profile_image_url"] {
        let with = users.iter().filter(|user| !user[member].is_null()).count();
        assert!((1..200).contains(&with), "{member}");
    }
    assert!(
        stack
            .messages()
            .iter()
            .all(|message| message.body.contains(&id(&signed_up).to_string()))
    );
    assert_eq!(items(&stack, "/api/v1/teams"), Vec::<Value>::new());
}

#[test]
fn a_population_grows_and_the_same_seed_gives_the_same() {
    let [once, twice] = [populated(30, false), populated(10, false)];
    twice.populate(20, false);
    let list = "/api/v1/users?limit=1000";
    assert_eq!(items(&once, list), items(&twice, list));
}

#[test]
fn each_has_a_personal_team_and_is_its_admin() {
    let stack = populated(20, true);
    let users = items(&stack, "/api/v1/users");
    let teams = items(&stack, "/api/v1/teams");
    let profiles = items(&stack, "/api/v1/team-member-profiles");
    assert_eq!((teams.len(), profiles.len()), (20, 20));
    assert_eq!(distinct(&teams, "id").len(), 20);
    for ((user, team), profile) in users.iter().zip(&teams).zip(&profiles) {
        assert_eq!(user["selected_team"], *team);
        assert_eq!(profile["team_id"], team["id"]);
        assert_eq!(profile["user"], *user);
        let path = format!("/api/v1/team-permissions?user_id={}", id(user));
        let held = json!({ "id": "team_admin", "team_id": team["id"], "user_id": user["id"] });
        assert_eq!(items(&stack, &path), [held]);
    }
}

#[test]
fn one_of_a_population_changes_and_goes_like_others() {
    let stack = populated(5, true);
    let users = items(&stack, "/api/v1/users");
    let ids: Vec<Uuid> = users.iter().map(id).collect();
    let team = |at: usize| id(&users[at]["selected_team"]);

    let changed = stack.update_user(ids[0], json!({ "display_name": "Another Name" }));
    assert_eq!(changed["primary_email"], users[0]["primary_email"]);
    stack.update_team(team(1), json!({ "display_name": "Another Team" }));
    stack.delete_team(team(2));
    stack.delete_user(ids[3]);
    stack.update_user(ids[4], json!({ "signed_up_at_millis": 1 }));

    let now = items(&stack, "/api/v1/users");
    let wanted = [ids[4], ids[0], ids[1], ids[2]];
    assert_eq!(now.iter().map(id).collect::<Vec<_>>(), wanted);
    assert_eq!(now[1]["display_name"], "Another Name");
    assert_eq!(now[2]["selected_team"]["display_name"], "Another Team");
    assert_eq!(now[3]["selected_team_id"], Value::Null);
    assert_eq!(items(&stack, "/api/v1/team-member-profiles").len(), 3);
    assert_eq!(items(&stack, "/api/v1/team-permissions").len(), 3);
}

#[test]
fn pages_show_everybody_of_a_population_once() {
    let stack = populated(2_500, false);
    let (mut users, mut lengths, mut cursor) = (BTreeSet::new(), Vec::new(), None);
    loop {
        let (ids, next) = page(&stack, 1000, cursor.as_deref());
        lengths.push(ids.len());
        users.extend(ids);
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(lengths, [1000, 1000, 500]);
    assert_eq!(users.len(), 2_500);
}

#[test]
fn a_list_of_many_is_whole_although_it_comes_in_batches() {
    for people in [1_000, 1_001, 2_500] {
        let stack = populated(people, true);
        for list in ["teams", "team-member-profiles", "team-permissions"] {
            let answer = server_get(&stack, &format!("/api/v1/{list}")).json();
            assert_eq!(answer["is_paginated"], false);
            let listed = answer["items"].as_array().unwrap();
            assert_eq!(listed.len() as u64, people, "{list}");
            let member = if list == "teams" { "id" } else { "team_id" };
            assert_eq!(distinct(listed, member).len() as u64, people, "{list}");
        }
        let teams = items(&stack, "/api/v1/teams");
        let created = |team: &Value| team["created_at_millis"].as_i64().unwrap();
        assert!(teams.is_sorted_by_key(created));
    }
}

#[test]
fn a_population_is_asked_for_over_http() {
    let stack = start();
    let answer = steer(
        &stack,
        "POST",
        "/dev/populate",
        json!({ "users": 3, "with_teams": true }),
    );
    assert_eq!(answer.status, 200);
    assert_eq!(items(&stack, "/api/v1/users").len(), 3);
    assert_eq!(items(&stack, "/api/v1/teams").len(), 3);
    let too_many = json!({ "users": 10_000_001 });
    assert_eq!(steer(&stack, "POST", "/dev/populate", too_many).status, 400);
}
