//! What is different is made equal, what is equal is left alone, and a deletion takes the
//! service's own word.

use neon_auth_connections::{Session, World, grant, membership, parsed};
use neon_auth_stack::permissions::{Definition, Scope};
use neon_auth_stack::{Endpoint, Fault, NewTeam};
use serde_json::json;

fn team(world: &World, creator: Option<&str>) -> String {
    let team = world.stack.create_team(NewTeam {
        creator_user_id: creator.map(parsed),
        ..NewTeam::named("Team")
    });
    team["id"].as_str().expect("an id is a string").to_owned()
}

fn define_beta(world: &World) {
    world.stack.define_permission(Definition {
        scope: Scope::Project,
        id: "beta".to_owned(),
        contained_permission_ids: Vec::new(),
    });
}

#[test]
fn everything_that_changed_is_changed_here() {
    let world = World::new();
    define_beta(&world);
    let users: Vec<String> = (0..6).map(|n| world.sign_up(&format!("user{n}"))).collect();
    let teams: Vec<String> = (0..3).map(|n| team(&world, Some(&users[n]))).collect();
    for user in &users[3..] {
        for team in &teams {
            world.stack.join_team(membership(team, user));
        }
        world.stack.grant(grant(None, user, "beta"));
    }
    world.sync();
    world.assert_mirrored();

    let name = json!({ "display_name": "Another" });
    world.stack.update_user(parsed(&users[0]), name.clone());
    world.stack.update_team(parsed(&teams[0]), name);
    world.stack.delete_user(parsed(&users[3]));
    world.stack.delete_team(parsed(&teams[1]));
    world.stack.leave_team(membership(&teams[2], &users[4]));
    world.stack.join_team(membership(&teams[0], &users[2]));
    // By default a member is given what it contains, too: what follows changes with it.
    world
        .stack
        .revoke(&grant(Some(&teams[0]), &users[4], "team_member"));
    world
        .stack
        .grant(grant(Some(&teams[0]), &users[5], "team_admin"));
    world.stack.revoke(&grant(None, &users[4], "beta"));
    world.stack.grant(grant(None, &users[0], "beta"));
    let newcomer = world.sign_up("newcomer");
    team(&world, Some(&newcomer));
    world.sync();
    world.assert_mirrored();
    assert_eq!(world.deleted("users_sync"), [users[3].clone()]);
    assert_eq!(world.deleted("teams_sync"), [teams[1].clone()]);
    assert_eq!(world.last_run("skipped").as_deref(), Some("0"));
    assert_eq!(world.last_run("deleted >= 4").as_deref(), Some("true"));
}

/// Where each row of the mirror is, by which version it is.
fn versions(session: &mut Session) -> Vec<Option<String>> {
    let mut versions = Vec::new();
    for table in [
        "neon_auth.users_sync",
        "neon_auth.teams_sync",
        "neon_auth.team_members_sync",
        "neon_auth.team_permissions_sync",
        "neon_auth.project_permissions_sync",
        "neon_auth_internal.tombstones",
        "neon_auth.webhook_deliveries",
    ] {
        let query = format!(
            "SELECT concat_ws(' ', tableoid::regclass, ctid, xmin, xmax) FROM {table} ORDER BY ctid"
        );
        versions.extend(session.values(&query, &[]));
    }
    versions
}

#[test]
fn what_is_equal_is_not_written() {
    let world = World::new();
    define_beta(&world);
    world.stack.populate(1200, true);
    let user = world.sign_up("user");
    world.stack.grant(grant(None, &user, "beta"));
    world.sync();
    let mut session = world.superuser();
    let before = versions(&mut session);
    assert!(before.len() > 1200 * 3);
    world.stack.forget_requests();
    world.sync();
    world.sync();
    assert_eq!(before, versions(&mut session));
    assert_eq!(world.listed("users"), 4);
    // No question about any single object.
    assert_eq!(world.asked("users"), 4);
    assert_eq!(world.asked("teams"), 2);
    assert_eq!(
        world
            .last_run("concat_ws(' ', changed, deleted, skipped)")
            .as_deref(),
        Some("0 0 0")
    );
}

/// A mirror that holds a user and a team whom the lists lack, and what the service then says of
/// each by a fault.
fn missing(fault: Fault) -> World {
    let world = World::new();
    let user = world.sign_up("user");
    let team = team(&world, None);
    world.sync();
    world.stack.delete_user(parsed(&user));
    world.stack.delete_team(parsed(&team));
    world.stack.set_fault(Endpoint::User, fault.clone());
    world.stack.set_fault(Endpoint::Team, fault);
    world
}

#[test]
fn a_404_that_is_not_the_services_own_deletes_nothing() {
    let status = Fault::status(404);
    let code = Fault::Header {
        name: "x-stack-known-error".to_owned(),
        value: Some("PROJECT_NOT_FOUND".to_owned()),
    };
    for fault in [status, code] {
        let world = missing(fault);
        world.sync();
        assert!(world.deleted("users_sync").is_empty());
        assert!(world.deleted("teams_sync").is_empty());
        let run = "concat_ws(' ', phase, deleted, skipped, last_skip_reason)";
        let run = world.last_run(run).expect("there was a run");
        assert!(run.starts_with("done 0 2 the REST API"), "{run}");
        world.stack.clear_fault(Endpoint::User);
        world.stack.clear_fault(Endpoint::Team);
        world.sync();
        world.assert_mirrored();
        assert_eq!(world.deleted("users_sync").len(), 1);
        assert_eq!(world.deleted("teams_sync").len(), 1);
    }
}

#[test]
fn an_answer_of_another_form_deletes_nothing() {
    for body in ["null", "[]", "{}", r#"{"code":"USER_NOT_FOUND"}"#] {
        let world = missing(Fault::Body {
            content_type: "application/json".to_owned(),
            body: body.to_owned(),
        });
        world.sync();
        assert!(world.deleted("users_sync").is_empty(), "{body}");
        assert!(world.deleted("teams_sync").is_empty(), "{body}");
        assert_eq!(
            world.last_run("skipped > 0").as_deref(),
            Some("true"),
            "{body}"
        );
        // The list was whole: to ask for it again would be in vain.
        assert_eq!(world.listed("users"), 2, "{body}");
    }
}

#[test]
fn a_list_that_is_empty_by_mistake_deletes_nobody() {
    let world = World::new();
    let user = world.sign_up("user");
    let team = team(&world, Some(&user));
    world
        .stack
        .join_team(membership(&team, &world.sign_up("member")));
    world.sync();
    let empty = Fault::Body {
        content_type: "application/json".to_owned(),
        body: r#"{"items":[],"is_paginated":false}"#.to_owned(),
    };
    for endpoint in [Endpoint::Users, Endpoint::Teams] {
        world.stack.set_fault(endpoint, empty.clone());
    }
    for endpoint in [Endpoint::TeamMemberProfiles, Endpoint::ProjectPermissions] {
        world.stack.set_fault_times(endpoint, empty.clone(), 1);
    }
    world.sync();
    world.assert_mirrored();
    assert_eq!(world.last_run("deleted").as_deref(), Some("0"));
    // What was given directly and what follows come as two lists.
    world
        .stack
        .set_fault_times(Endpoint::TeamPermissions, empty, 2);
    world.sync();
    world.assert_mirrored();
    assert_eq!(world.last_run("deleted").as_deref(), Some("0"));
}

/// Somebody may have put an object there that is not the service's.
#[test]
fn an_id_that_the_service_takes_for_none_is_left_alone() {
    let world = World::new();
    world.sign_up("user");
    world.superuser().run(
        r#"SELECT neon_auth.upsert_users('[{"id": "no-uuid"}, {"id": "a/b?c#d%00é"}]');
           SELECT neon_auth.upsert_teams('[{"id": "../users"}]')"#,
    );
    world.sync();
    assert!(world.deleted("users_sync").is_empty());
    assert!(world.deleted("teams_sync").is_empty());
    assert_eq!(
        world.last_run("concat_ws(' ', phase, skipped)").as_deref(),
        Some("done 3")
    );
    // The service never saw another path than that of one user or one team.
    let paths = world.stack.received("/api/v1/");
    assert!(
        paths
            .iter()
            .all(|request| !request.path.contains("..") || request.path.contains("..%2Fusers"))
    );
}
