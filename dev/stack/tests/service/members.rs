//! The members of teams: in pages of users, and in lists of profiles that must not be long.

use std::collections::BTreeSet;

use neon_auth_stack::teams::Membership;
use neon_auth_stack::{Endpoint, Fault, NewTeam, NewUser, Simulator};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{id, items, server_get, start, steer};

const ALL: &str = "include_anonymous=true&include_restricted=true";

/// A team, and its members in the order in which they signed up.
fn with_team(stack: &Simulator, members: u64) -> (Uuid, Vec<Uuid>) {
    stack.populate_teams(members + 3, true, &[members]);
    let teams = stack.everything().teams;
    let team = id(teams.last().unwrap());
    let users = items(stack, "/api/v1/users?limit=1000");
    let members = users.iter().take(members as usize).map(id).collect();
    (team, members)
}

/// The pages of a team's members, of `limit` each.
fn pages(stack: &Simulator, team: Uuid, limit: usize, and: &str) -> Vec<Vec<Uuid>> {
    let mut pages = Vec::new();
    let mut cursor = String::new();
    loop {
        let path = format!("/api/v1/users?team_id={team}&limit={limit}&{ALL}{and}{cursor}");
        let answer = server_get(stack, &path).json();
        pages.push(answer["items"].as_array().unwrap().iter().map(id).collect());
        match answer["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pages,
        }
    }
}

#[test]
fn a_team_is_paged_like_all_users() {
    let stack = start();
    let (team, mut members) = with_team(&stack, 7);
    assert_eq!(
        pages(&stack, team, 3, ""),
        members.chunks(3).collect::<Vec<_>>()
    );
    members.reverse();
    let descending = pages(&stack, team, 3, "&desc=true");
    assert_eq!(descending, members.chunks(3).collect::<Vec<_>>());
    let path = format!("/api/v1/users?team_id={team}&limit=1000");
    let whole = items(&stack, &path);
    let user = server_get(&stack, &format!("/api/v1/users/{}", id(&whole[0]))).json();
    assert_eq!(whole[0], user);
}

#[test]
fn a_cursor_out_of_the_team_is_a_place_and_one_of_nobody_is_not() {
    let stack = start();
    let (team_id, members) = with_team(&stack, 4);
    let from = |cursor| {
        let path = format!("/api/v1/users?team_id={team_id}&limit=1000&cursor={cursor}");
        items(&stack, &path).iter().map(id).collect::<Vec<_>>()
    };
    let user_id = members[1];
    stack.leave_team(Membership { team_id, user_id });
    assert_eq!(from(user_id), members[2..]);
    stack.delete_user(user_id);
    assert!(from(user_id).is_empty());
}

#[test]
fn anonymous_and_restricted_members_are_shown_if_asked_for() {
    let stack = start();
    let team_id = id(&stack.create_team(NewTeam::named("Team")));
    for new in [NewUser::anonymous(), NewUser::named("A", "a@example.com")] {
        let user_id = id(&stack.sign_up(new));
        stack.join_team(Membership { team_id, user_id });
    }
    let path = format!("/api/v1/users?team_id={team_id}");
    assert_eq!(items(&stack, &path).len(), 1);
    assert_eq!(items(&stack, &format!("{path}&{ALL}")).len(), 2);
}

#[test]
fn an_unknown_team_has_no_members_and_another_text_is_refused() {
    let stack = start();
    stack.populate(3, true);
    let path = format!("/api/v1/users?team_id={}", Uuid::nil());
    assert!(items(&stack, &path).is_empty());
    let refused = server_get(&stack, "/api/v1/users?team_id=team");
    assert_eq!(refused.header("x-stack-known-error"), Some("SCHEMA_ERROR"));
    stack.set_fault(Endpoint::TeamUsers, Fault::AnyTeam);
    assert_eq!(items(&stack, &path).len(), 3);
}

#[test]
fn a_list_of_too_many_profiles_fails_each_time() {
    let stack = start();
    let (team, members) = with_team(&stack, 5);
    stack.set_profiles_cap(5);
    let of_team = format!("/api/v1/team-member-profiles?team_id={team}");
    assert_eq!(items(&stack, &of_team).len(), 5);
    for _ in 0..2 {
        let failed = server_get(&stack, "/api/v1/team-member-profiles");
        assert_eq!(failed.status, 500);
        assert_eq!(
            failed.header("content-type"),
            Some("text/plain; charset=utf-8")
        );
        assert_eq!(failed.header("x-stack-known-error"), None);
    }
    stack.set_profiles_cap(4);
    assert_eq!(server_get(&stack, &of_team).status, 500);
    // One membership always comes.
    let one = format!("{of_team}&user_id={}", members[0]);
    assert_eq!(items(&stack, &one).len(), 1);
}

#[test]
fn a_population_shares_teams() {
    let stack = start();
    stack.populate(2, true);
    let asked = json!({ "users": 6, "with_teams": true, "shared_teams": [4, 6] });
    assert_eq!(steer(&stack, "POST", "/dev/populate", asked).status, 200);
    let everything = stack.everything();
    assert_eq!(everything.teams.len(), 2 + 6 + 2);
    assert_eq!(everything.memberships.len(), 2 + 6 + 4 + 6);
    let shared: Vec<&Value> = everything.teams.iter().skip(8).collect();
    let earlier: BTreeSet<Uuid> = everything.users[..2].iter().map(id).collect();
    for (team, members) in shared.into_iter().zip([4, 6]) {
        let listed = pages(&stack, id(team), 1000, "").concat();
        assert_eq!(listed.len(), members);
        assert!(listed.iter().all(|user| !earlier.contains(user)));
        let held = items(
            &stack,
            &format!("/api/v1/team-permissions?team_id={}", id(team)),
        );
        assert_eq!(held.len(), members);
        assert!(held.iter().all(|held| held["id"] == "team_member"));
    }
}
