//! The REST API: who may ask, pages, single users, and what belongs to teams.

use neon_auth_stack::permissions::{Definition, Grant, Scope};
use neon_auth_stack::teams::Membership;
use neon_auth_stack::{Endpoint, Fault, NewTeam, NewUser, Simulator};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::{Answer, id, items, request, server_get, start};

/// Names and values.
type Headers<'a> = &'a [(&'a str, &'a str)];

#[test]
fn headers_are_checked_one_after_another() {
    let stack = start();
    let credentials = stack.credentials();
    let key = (
        "x-stack-secret-server-key",
        credentials.secret_server_key.as_str(),
    );
    let project = ("x-stack-project-id", credentials.project_id.as_str());
    let server = ("x-stack-access-type", "server");
    let cases: [(Headers, u16, &str); 9] = [
        (&[], 400, "ACCESS_TYPE_REQUIRED"),
        (&[project], 400, "ACCESS_TYPE_REQUIRED"),
        (&[project, key], 400, "PROJECT_KEY_WITHOUT_ACCESS_TYPE"),
        (
            &[("x-stack-access-type", "root"), project, key],
            400,
            "INVALID_ACCESS_TYPE",
        ),
        (&[server, key], 400, "ACCESS_TYPE_WITHOUT_PROJECT_ID"),
        (
            &[("x-stack-access-type", "client"), project, key],
            401,
            "INSUFFICIENT_ACCESS_TYPE",
        ),
        (&[server, project], 401, "SERVER_AUTHENTICATION_REQUIRED"),
        (
            &[server, ("x-stack-project-id", "other"), key],
            400,
            "CURRENT_PROJECT_NOT_FOUND",
        ),
        (
            &[server, project, ("x-stack-secret-server-key", "ssk_wrong")],
            401,
            "INVALID_SECRET_SERVER_KEY",
        ),
    ];
    for path in [
        "/api/v1/users",
        "/api/v1/teams",
        "/api/v1/teams/00000000-0000-0000-0000-000000000000",
        "/api/v1/team-permissions",
    ] {
        for (headers, status, code) in cases {
            let answer = request(stack.base_url(), "GET", path, headers, "");
            assert_eq!(answer.status, status, "{code}");
            assert_eq!(answer.header("x-stack-known-error"), Some(code));
            assert_eq!(answer.json()["code"], code);
            assert!(answer.json()["error"].is_string());
        }
    }
}

#[test]
fn a_user_object_has_every_member_of_the_service() {
    let stack = start();
    let user = stack.sign_up(NewUser::named("Alice Example", "alice@example.com"));
    let read = server_get(&stack, &format!("/api/v1/users/{}", id(&user))).json();
    assert_eq!(read, user);
    for member in [
        "id",
        "selected_team_id",
        "primary_email",
        "display_name",
        "profile_image_url",
        "restricted_by_admin_reason",
        "restricted_by_admin_private_details",
        "country_code",
        "signed_up_at_millis",
        "last_active_at_millis",
        "primary_email_verified",
        "primary_email_auth_enabled",
        "has_password",
        "otp_auth_enabled",
        "passkey_auth_enabled",
        "is_anonymous",
        "is_restricted",
        "restricted_by_admin",
        "auth_with_email",
        "requires_totp_mfa",
        "client_metadata",
        "client_read_only_metadata",
        "server_metadata",
        "selected_team",
        "restricted_reason",
        "oauth_providers",
        "risk_scores",
    ] {
        assert!(read.get(member).is_some(), "{member}");
    }
    assert_eq!(read.as_object().unwrap().len(), 27);
    let scores = &read["risk_scores"]["sign_up"];
    assert!(scores["bot"].is_number() && scores["free_trial_abuse"].is_number());
}

#[test]
fn an_unknown_user_is_a_known_error() {
    let stack = start();
    let user = id(&stack.sign_up(NewUser::default()));
    let path = format!("/api/v1/users/{user}");
    assert_eq!(server_get(&stack, &path).status, 200);
    stack.delete_user(user);
    let answer = server_get(&stack, &path);
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("x-stack-known-error"), Some("USER_NOT_FOUND"));
    let answer = server_get(&stack, "/api/v1/users/no-uuid");
    assert_eq!(answer.header("x-stack-known-error"), Some("SCHEMA_ERROR"));
}

/// All ids that pages of two show, and how many pages there were.
fn pages(stack: &Simulator, query: &str) -> (Vec<Value>, usize) {
    let (mut ids, mut pages, mut cursor) = (Vec::new(), 0, String::new());
    loop {
        let answer = server_get(stack, &format!("/api/v1/users?limit=2{query}{cursor}")).json();
        assert_eq!(answer["is_paginated"], true);
        pages += 1;
        let items = answer["items"].as_array().unwrap();
        ids.extend(items.iter().map(|user| user["id"].clone()));
        match answer["pagination"]["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (ids, pages),
        }
    }
}

#[test]
fn pages_show_every_user_once_in_the_order_of_signing_up() {
    let stack = start();
    let mut signed_up: Vec<_> = (0..5)
        .map(|minute| {
            let other = json!({ "signed_up_at_millis": 1_700_000_000_000_i64 - minute * 60_000 });
            let user = stack.sign_up(NewUser {
                other: other.as_object().unwrap().clone(),
                ..NewUser::default()
            });
            user["id"].clone()
        })
        .collect();
    assert_eq!(pages(&stack, "&desc=true"), (signed_up.clone(), 3));
    signed_up.reverse();
    assert_eq!(pages(&stack, ""), (signed_up.clone(), 3));
    assert_eq!(pages(&stack, "&order_by=signed_up_at"), (signed_up, 3));
}

#[test]
fn a_changed_time_of_signing_up_moves_a_user() {
    let stack = start();
    let first = stack.sign_up(NewUser::default());
    let second = stack.sign_up(NewUser::default());
    stack.update_user(id(&second), json!({ "signed_up_at_millis": 1 }));
    let (ids, _) = pages(&stack, "");
    assert_eq!(ids, [second["id"].clone(), first["id"].clone()]);
}

#[test]
fn restricted_and_anonymous_users_are_listed_on_demand() {
    let stack = start();
    stack.sign_up(NewUser::default());
    stack.sign_up(NewUser::anonymous());
    stack.sign_up(NewUser {
        restricted_by_admin: true,
        ..NewUser::default()
    });
    for (query, users) in [
        ("", 1),
        ("&include_restricted=true", 2),
        ("&include_anonymous=true", 3),
    ] {
        let path = format!("/api/v1/users?limit=10{query}");
        assert_eq!(items(&stack, &path).len(), users, "{query}");
    }
}

#[test]
fn a_cursor_whose_user_is_gone_ends_the_list() {
    let stack = start();
    for _ in 0..4 {
        stack.sign_up(NewUser::default());
    }
    let page = server_get(&stack, "/api/v1/users?limit=2").json();
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap();
    stack.delete_user(cursor.parse().unwrap());
    let page = server_get(&stack, &format!("/api/v1/users?limit=2&cursor={cursor}")).json();
    assert_eq!(page["items"], json!([]));
    assert_eq!(page["pagination"]["next_cursor"], Value::Null);
}

#[test]
fn a_list_without_a_limit_shows_a_thousand_users_at_most() {
    let stack = start();
    for _ in 0..1000 {
        stack.sign_up(NewUser::default());
    }
    assert_eq!(items(&stack, "/api/v1/users").len(), 1000);
    stack.sign_up(NewUser::default());
    let answer = server_get(&stack, "/api/v1/users");
    assert_eq!(answer.status, 400);
    assert_is_text(&answer);
    assert_eq!(items(&stack, "/api/v1/users?limit=1000").len(), 1000);
}

#[test]
fn a_query_that_the_service_does_not_know_is_refused() {
    let stack = start();
    for query in [
        "limit=0",
        "limit=1001",
        "limit=x",
        "cursor=x",
        "order_by=name",
        "desc=yes",
        "include_anonymous=1",
        "updated_since=0",
    ] {
        let answer = server_get(&stack, &format!("/api/v1/users?{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.header("x-stack-known-error"), Some("SCHEMA_ERROR"));
    }
}

#[test]
fn a_list_has_the_providers_of_a_user_in_another_order() {
    let stack = start();
    let providers = json!([{ "id": "github" }, { "id": "google" }]);
    let user = stack.sign_up(NewUser {
        other: json!({ "oauth_providers": providers })
            .as_object()
            .unwrap()
            .clone(),
        ..NewUser::default()
    });
    assert_eq!(user["oauth_providers"], providers);
    let read = server_get(&stack, &format!("/api/v1/users/{}", id(&user))).json();
    assert_eq!(read, user);
    let mut listed = items(&stack, "/api/v1/users").remove(0);
    assert_ne!(listed, user);
    listed["oauth_providers"].as_array_mut().unwrap().reverse();
    assert_eq!(listed, user);
}

/// A refusal without a code.
fn assert_is_text(answer: &Answer) {
    let content_type = answer.header("content-type").unwrap();
    assert!(content_type.starts_with("text/plain"), "{content_type}");
    assert_eq!(answer.header("x-stack-known-error"), None);
    assert!(serde_json::from_slice::<Value>(&answer.body).is_err());
}

#[test]
fn a_failure_of_the_service_is_text_that_names_the_request() {
    let stack = start();
    stack.set_fault(Endpoint::Teams, Fault::status(500));
    let answer = server_get(&stack, "/api/v1/teams");
    assert_eq!(answer.status, 500);
    assert_is_text(&answer);
    assert!(answer.text().starts_with("Something went wrong"));
    assert!(answer.text().contains("Request ID: "));
}

#[test]
fn every_endpoint_refuses_parameters_that_it_does_not_know() {
    let stack = start();
    let user = id(&stack.sign_up(NewUser::default()));
    let team = id(&stack.create_team(NewTeam::named("Example Team")));
    for (path, known) in [
        (format!("/api/v1/users/{user}"), None),
        ("/api/v1/teams".to_owned(), Some("user_id")),
        (format!("/api/v1/teams/{team}"), None),
        ("/api/v1/team-member-profiles".to_owned(), Some("user_id")),
        ("/api/v1/team-permissions".to_owned(), Some("user_id")),
        ("/api/v1/project-permissions".to_owned(), Some("user_id")),
    ] {
        assert_eq!(server_get(&stack, &path).status, 200, "{path}");
        let answer = server_get(&stack, &format!("{path}?include_deleted=true"));
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.header("x-stack-known-error"), Some("SCHEMA_ERROR"));
        let with_user = server_get(&stack, &format!("{path}?user_id={user}"));
        assert_eq!(with_user.status == 200, known.is_some(), "{path}");
    }
}

#[test]
fn teams_are_filtered_by_a_member() {
    let stack = start();
    let [member, other] = [(); 2].map(|()| id(&stack.sign_up(NewUser::default())));
    let teams = [(); 3].map(|()| stack.create_team(NewTeam::named("Example Team")));
    for team in &teams[1..] {
        stack.join_team(Membership {
            team_id: id(team),
            user_id: member,
        });
    }
    let of = |user: Uuid| items(&stack, &format!("/api/v1/teams?user_id={user}"));
    assert_eq!(of(member), teams[1..]);
    assert!(of(other).is_empty());
    assert!(of(Uuid::from_u128(1)).is_empty());
    assert_eq!(server_get(&stack, "/api/v1/teams?user_id=x").status, 400);
}

#[test]
fn permissions_are_filtered_by_their_id() {
    let stack = start();
    let user = id(&stack.sign_up(NewUser::default()));
    let team = id(&stack.create_team(NewTeam {
        creator_user_id: Some(user),
        ..NewTeam::named("Example Team")
    }));
    let list = |query: &str| items(&stack, &format!("/api/v1/team-permissions?{query}"));
    let held = |id: &str| json!({ "id": id, "team_id": team, "user_id": user });
    assert_eq!(list("permission_id=team_admin"), [held("team_admin")]);
    assert!(list("permission_id=$read_members").is_empty());
    assert_eq!(
        list("permission_id=$read_members&recursive=true"),
        [held("$read_members")]
    );
    let in_project = "/api/v1/project-permissions?permission_id=team_admin";
    assert!(items(&stack, in_project).is_empty());
}

#[test]
fn old_rows_lack_what_they_lack() {
    let stack = start();
    let user = Uuid::from_u128(1);
    stack.put_raw_user(user, json!({ "id": user }));
    let read = server_get(&stack, &format!("/api/v1/users/{user}")).json();
    assert_eq!(read, json!({ "id": user }));
}

#[test]
fn a_team_comes_with_its_creator_members_and_permissions() {
    let stack = start();
    let [creator, member] = [(); 2].map(|()| id(&stack.sign_up(NewUser::default())));
    let team = stack.create_team(NewTeam {
        creator_user_id: Some(creator),
        ..NewTeam::named("Example Team")
    });
    let membership = Membership {
        team_id: id(&team),
        user_id: member,
    };
    stack.join_team(membership);
    assert_eq!(items(&stack, "/api/v1/teams"), std::slice::from_ref(&team));

    let profiles = items(&stack, "/api/v1/team-member-profiles");
    let users: Vec<_> = profiles.iter().map(|profile| &profile["user_id"]).collect();
    assert_eq!(users, [&json!(creator), &json!(member)]);
    assert_eq!(profiles[0]["user"]["id"], json!(creator));

    let direct = items(&stack, "/api/v1/team-permissions");
    let mut ids: Vec<_> = direct
        .iter()
        .map(|held| held["id"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["team_admin", "team_member"]);
    let all = items(&stack, "/api/v1/team-permissions?recursive=true");
    assert_eq!(all.len(), 7 + 3);
    let read = json!({ "id": "$read_members", "team_id": team["id"], "user_id": member });
    assert!(all.contains(&read));

    stack.leave_team(membership);
    assert_eq!(items(&stack, "/api/v1/team-member-profiles").len(), 1);
    assert_eq!(items(&stack, "/api/v1/team-permissions").len(), 1);
    stack.delete_team(id(&team));
    for path in ["teams", "team-member-profiles", "team-permissions"] {
        assert!(
            items(&stack, &format!("/api/v1/{path}")).is_empty(),
            "{path}"
        );
    }
}

#[test]
fn the_selected_team_is_part_of_the_user() {
    let stack = start();
    let user = id(&stack.sign_up(NewUser::default()));
    let team = stack.create_team(NewTeam::named("Example Team"));
    let changed = stack.update_user(user, json!({ "selected_team_id": team["id"] }));
    assert_eq!(changed["selected_team"], team);
    let renamed = stack.update_team(id(&team), json!({ "display_name": "Another Name" }));
    let path = format!("/api/v1/users/{user}");
    assert_eq!(server_get(&stack, &path).json()["selected_team"], renamed);
    stack.delete_team(id(&team));
    let read = server_get(&stack, &path).json();
    assert_eq!(read["selected_team_id"], Value::Null);
    assert_eq!(read["selected_team"], Value::Null);
}

#[test]
fn project_permissions_are_listed_apart_from_team_permissions() {
    let stack = start();
    let user_id = id(&stack.sign_up(NewUser::default()));
    for (id, contained) in [("admin", &["read"][..]), ("read", &[])] {
        stack.define_permission(Definition {
            scope: Scope::Project,
            id: id.to_owned(),
            contained_permission_ids: contained.iter().map(|id| (*id).to_owned()).collect(),
        });
    }
    let grant = Grant {
        team_id: None,
        user_id,
        id: "admin".to_owned(),
    };
    stack.grant(grant.clone());
    let held = |id: &str| json!({ "id": id, "user_id": user_id });
    let path = "/api/v1/project-permissions";
    assert_eq!(items(&stack, path), [held("admin")]);
    assert_eq!(
        items(&stack, &format!("{path}?recursive=true")),
        [held("admin"), held("read")]
    );
    assert!(items(&stack, "/api/v1/team-permissions").is_empty());
    stack.revoke(&grant);
    assert!(items(&stack, path).is_empty());
}

#[test]
fn a_team_is_read_by_its_id() {
    let stack = start();
    let team = stack.create_team(NewTeam::named("Example Team"));
    let path = format!("/api/v1/teams/{}", id(&team));
    assert_eq!(server_get(&stack, &path).json(), team);
    stack.delete_team(id(&team));
    let answer = server_get(&stack, &path);
    assert_eq!(answer.status, 404);
    assert_eq!(answer.header("x-stack-known-error"), Some("TEAM_NOT_FOUND"));
    let answer = server_get(&stack, "/api/v1/teams/no-uuid");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("x-stack-known-error"), Some("SCHEMA_ERROR"));
}

#[test]
fn lists_are_filtered_by_team_and_by_user() {
    let stack = start();
    let users = [(); 2].map(|()| id(&stack.sign_up(NewUser::default())));
    let teams = [(); 2].map(|()| id(&stack.create_team(NewTeam::named("Example Team"))));
    stack.define_permission(Definition {
        scope: Scope::Project,
        id: "read".to_owned(),
        contained_permission_ids: Vec::new(),
    });
    for user_id in users {
        for team_id in teams {
            stack.join_team(Membership { team_id, user_id });
        }
        stack.grant(Grant {
            team_id: None,
            user_id,
            id: "read".to_owned(),
        });
    }
    // What a list holds beyond what it is filtered by.
    let pairs = |path: &str| -> Vec<(Value, Value)> {
        let listed = items(&stack, path);
        let pair = |item: &Value| (item["team_id"].clone(), item["user_id"].clone());
        listed.iter().map(pair).collect()
    };
    let (team, user) = (teams[0], users[1]);
    for (list, each) in [
        ("team-member-profiles?", 1),
        ("team-permissions?", 1),
        ("team-permissions?recursive=true&", 3),
    ] {
        let all = pairs(&format!("/api/v1/{list}"));
        assert_eq!(all.len(), 4 * each, "{list}");
        for (query, wanted_team, wanted_user) in [
            (format!("team_id={team}"), Some(team), None),
            (format!("user_id={user}"), None, Some(user)),
            (
                format!("team_id={team}&user_id={user}"),
                Some(team),
                Some(user),
            ),
        ] {
            let mut wanted = all.clone();
            wanted.retain(|(team_id, user_id)| {
                wanted_team.is_none_or(|id| *team_id == json!(id))
                    && wanted_user.is_none_or(|id| *user_id == json!(id))
            });
            assert_eq!(pairs(&format!("/api/v1/{list}{query}")), wanted, "{query}");
        }
    }
    let held = [json!({ "id": "read", "user_id": user })];
    for recursive in [true, false] {
        let path = format!("/api/v1/project-permissions?user_id={user}&recursive={recursive}");
        assert_eq!(items(&stack, &path), held);
    }
}

#[test]
fn a_filter_is_an_id_and_must_be_somebodys_only_for_memberships() {
    let stack = start();
    let user = id(&stack.sign_up(NewUser::default()));
    stack.create_team(NewTeam {
        creator_user_id: Some(user),
        ..NewTeam::named("Example Team")
    });
    for (list, filter, refusal) in [
        ("team-member-profiles", "team_id", Some("TEAM_NOT_FOUND")),
        ("team-member-profiles", "user_id", Some("USER_NOT_FOUND")),
        ("team-permissions", "team_id", None),
        ("team-permissions", "user_id", None),
        ("project-permissions", "user_id", None),
    ] {
        let path = format!("/api/v1/{list}?{filter}=");
        let nobodys = format!("{path}{}", Uuid::from_u128(1));
        if refusal.is_some() {
            let answer = server_get(&stack, &nobodys);
            assert_eq!(answer.status, 404, "{nobodys}");
            assert_eq!(answer.header("x-stack-known-error"), refusal);
        } else {
            assert!(items(&stack, &nobodys).is_empty());
        }
        for text in ["", "x"] {
            let answer = server_get(&stack, &format!("{path}{text}"));
            assert_eq!(answer.status, 400, "{path}{text}");
            assert_eq!(answer.header("x-stack-known-error"), Some("SCHEMA_ERROR"));
        }
    }
    let nobody = Uuid::nil();
    let path = format!("/api/v1/team-member-profiles?team_id={nobody}&user_id={nobody}");
    let answer = server_get(&stack, &path);
    assert_eq!(answer.header("x-stack-known-error"), Some("TEAM_NOT_FOUND"));
    let path = format!("/api/v1/project-permissions?team_id={nobody}");
    assert_eq!(server_get(&stack, &path).status, 400);
}

#[test]
fn a_user_who_leaves_takes_only_their_own_permissions() {
    let stack = start();
    let users = [(); 3].map(|()| id(&stack.sign_up(NewUser::default())));
    let teams = [(); 2].map(|()| id(&stack.create_team(NewTeam::named("Example Team"))));
    for user_id in users {
        for team_id in teams {
            stack.join_team(Membership { team_id, user_id });
        }
    }
    let left = || {
        let lists = ["team-member-profiles", "team-permissions"];
        lists.map(|list| items(&stack, &format!("/api/v1/{list}")).len())
    };
    stack.delete_user(users[0]);
    assert_eq!(left(), [4, 4]);
    stack.leave_team(Membership {
        team_id: teams[0],
        user_id: users[1],
    });
    assert_eq!(left(), [3, 3]);
    stack.delete_team(teams[1]);
    assert_eq!(left(), [1, 1]);
}

#[test]
fn a_rotated_server_key_takes_the_place_of_the_old_one() {
    let stack = start();
    let old = stack.credentials().secret_server_key;
    let new = stack.rotate_server_key();
    assert_ne!(new, old);
    assert!(new.starts_with("ssk_"));
    assert_eq!(stack.credentials().secret_server_key, new);
    assert_eq!(stack.keys_response()["secret_server_key"], new);
    assert_eq!(server_get(&stack, "/api/v1/users").status, 200);
    let headers = [
        ("x-stack-access-type", "server"),
        ("x-stack-project-id", &stack.project_id()),
        ("x-stack-secret-server-key", &old),
    ];
    let refused = request(stack.base_url(), "GET", "/api/v1/users", &headers, "");
    assert_eq!(refused.status, 401);
    let code = refused.header("x-stack-known-error");
    assert_eq!(code, Some("INVALID_SECRET_SERVER_KEY"));
    assert_ne!(stack.rotate_server_key(), old);
}
