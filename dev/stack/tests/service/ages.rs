//! What older and newer servers understand, and what a server says that has lost the project.

use neon_auth_stack::{Age, Endpoint, Fault, Gone, NewTeam, NewUser, Options, Simulator};
use serde_json::{Value, json};

use crate::client::{get_jwks, id, items, request, server_get};

const AGES: [Age; 4] = [
    Age::BeforeAnonymous,
    Age::BeforeRestricted,
    Age::Current,
    Age::Newer,
];

fn start(age: Age) -> Simulator {
    let options = Options {
        age,
        ..Options::default()
    };
    Simulator::start(options).unwrap()
}

/// How many items the answer to a query has, or else its code.
fn count(answer: &crate::client::Answer, member: &str) -> Result<usize, String> {
    match answer.status {
        200 => Ok(answer.json()[member].as_array().unwrap().len()),
        _ => Err(answer.header("x-stack-known-error").unwrap().to_owned()),
    }
}

/// Queries, and what servers of each age answer to them.
type Answers = [(&'static str, [Result<usize, &'static str>; 4])];

#[track_caller]
fn check(answers: &Answers, member: &str, get: impl Fn(&Simulator, &str) -> crate::client::Answer) {
    for (number, age) in AGES.into_iter().enumerate() {
        let stack = start(age);
        stack.sign_up(NewUser::default());
        stack.sign_up(NewUser::anonymous());
        stack.sign_up(NewUser {
            restricted_by_admin: true,
            ..NewUser::default()
        });
        for (query, wanted) in answers {
            let counted = count(&get(&stack, query), member);
            let counted = counted.as_ref().map(|count| *count).map_err(String::as_str);
            assert_eq!(counted, wanted[number], "{age:?} {query}");
        }
    }
}

const REFUSED: Result<usize, &str> = Err("SCHEMA_ERROR");

#[test]
fn a_server_lists_the_users_whom_it_cannot_leave_out() {
    let answers: &Answers = &[
        ("", [Ok(3), Ok(2), Ok(1), Ok(1)]),
        ("&include_anonymous=true", [REFUSED, Ok(3), Ok(3), Ok(3)]),
        ("&include_restricted=true", [REFUSED, REFUSED, Ok(2), Ok(2)]),
        (
            "&include_restricted=true&include_anonymous=true",
            [REFUSED, REFUSED, Ok(3), Ok(3)],
        ),
    ];
    check(answers, "items", |stack, query| {
        server_get(stack, &format!("/api/v1/users?limit=10{query}"))
    });
}

#[test]
fn the_key_set_of_an_old_server_has_the_keys_that_it_signs_with() {
    let answers: &Answers = &[
        ("", [Ok(2), Ok(2), Ok(2), Ok(2)]),
        ("include_anonymous=true", [Ok(2), Ok(4), Ok(6), Ok(6)]),
        ("include_restricted=true", [Ok(2), REFUSED, Ok(4), Ok(4)]),
        (
            "include_restricted=true&include_anonymous=true",
            [Ok(2), REFUSED, Ok(6), Ok(6)],
        ),
        ("unknown=true", [Ok(2), REFUSED, REFUSED, REFUSED]),
    ];
    check(answers, "keys", |stack, query| {
        let path = stack.credentials().jwks_url("");
        request(stack.base_url(), "GET", &format!("{path}?{query}"), &[], "")
    });
}

#[test]
fn a_newer_server_lists_teams_in_pages_if_it_is_asked_to() {
    let stack = start(Age::Newer);
    let teams: Vec<Value> = (0..5)
        .map(|_| stack.create_team(NewTeam::named("Team")))
        .collect();
    let whole = server_get(&stack, "/api/v1/teams").json();
    assert_eq!(whole["items"], json!(teams));
    assert_eq!(whole["is_paginated"], false);
    let mut reversed = teams.clone();
    reversed.reverse();
    for (order, teams) in [("", &teams), ("&desc=true", &reversed)] {
        let page = |cursor: &str| {
            let path = format!("/api/v1/teams?limit=2&order_by=created_at{order}{cursor}");
            server_get(&stack, &path).json()
        };
        let first = page("");
        assert_eq!(first["items"], json!(teams[..2]));
        // The last team of the page, and the next page begins after it.
        assert_eq!(first["pagination"]["next_cursor"], teams[1]["id"]);
        let cursor = |team: &Value| format!("&cursor={}", id(team));
        assert_eq!(page(&cursor(&teams[1]))["items"], json!(teams[2..4]));
        let last = page(&cursor(&teams[3]));
        assert_eq!(last["items"], json!(teams[4..]));
        assert_eq!(last["pagination"]["next_cursor"], Value::Null);
    }
    for age in &AGES[..3] {
        stack.set_age(*age);
        for query in ["limit=2", "desc=true", "order_by=created_at"] {
            let answer = server_get(&stack, &format!("/api/v1/teams?{query}"));
            assert_eq!(count(&answer, "items"), Err("SCHEMA_ERROR".to_owned()));
        }
        assert_eq!(items(&stack, "/api/v1/teams").len(), 5);
    }
}

#[test]
fn headers_of_both_names_are_read_and_sent_by_a_newer_server() {
    let stack = start(Age::Newer);
    let credentials = stack.credentials();
    let get = |prefixes: [&str; 3]| {
        let names = ["access-type", "project-id", "secret-server-key"];
        let values = [
            "server",
            &credentials.project_id,
            &credentials.secret_server_key,
        ];
        let named: Vec<String> = prefixes
            .iter()
            .zip(names)
            .map(|(prefix, name)| format!("x-{prefix}-{name}"))
            .collect();
        let headers: Vec<(&str, &str)> = named.iter().map(String::as_str).zip(values).collect();
        request(
            stack.base_url(),
            "GET",
            "/api/v1/users?limit=1",
            &headers,
            "",
        )
    };
    let (new, old) = (["hexclave"; 3], ["stack"; 3]);
    assert_eq!(get(new).status, 200);
    assert_eq!(get(old).status, 200);
    assert_eq!(get(["stack", "hexclave", "stack"]).status, 200);
    let refused = server_get(&stack, "/api/v1/users?limit=0");
    for name in ["x-stack-known-error", "x-hexclave-known-error"] {
        assert_eq!(refused.header(name), Some("SCHEMA_ERROR"), "{name}");
    }
    stack.set_age(Age::Current);
    assert_eq!(get(old).status, 200);
    let refused = get(new);
    let code = refused.header("x-stack-known-error");
    assert_eq!(code, Some("ACCESS_TYPE_REQUIRED"));
    assert_eq!(refused.header("x-hexclave-known-error"), None);
}

#[test]
fn what_is_gone_is_said_before_the_key_is_looked_at() {
    let stack = start(Age::Current);
    let code = |path: &str| {
        let answer = server_get(&stack, path);
        assert_eq!(answer.status, 400);
        answer.header("x-stack-known-error").unwrap().to_owned()
    };
    for (gone, wanted) in [
        (Gone::Project, "CURRENT_PROJECT_NOT_FOUND"),
        (Gone::Branch, "BRANCH_DOES_NOT_EXIST"),
    ] {
        stack.set_gone(Some(gone));
        for path in [
            "users",
            "users/00000000-0000-0000-0000-000000000000",
            "teams",
            "teams/x",
            "team-member-profiles",
            "team-permissions?unknown=1",
            "project-permissions",
        ] {
            assert_eq!(code(&format!("/api/v1/{path}")), wanted, "{path}");
        }
        let keys = if gone == Gone::Project { 404 } else { 200 };
        assert_eq!(get_jwks(&stack).status, keys);
    }
    stack.set_gone(None);
    assert_eq!(server_get(&stack, "/api/v1/users").status, 200);
}

#[test]
fn a_refusal_has_its_code_only_in_the_header_that_is_asked_for() {
    let stack = start(Age::Current);
    let fault = Fault::Refuse {
        status: 400,
        header: "x-hexclave-known-error".to_owned(),
        code: "SOMETHING".to_owned(),
    };
    stack.set_fault(Endpoint::Users, fault);
    let answer = server_get(&stack, "/api/v1/users");
    assert_eq!(answer.status, 400);
    assert_eq!(answer.header("x-hexclave-known-error"), Some("SOMETHING"));
    assert_eq!(answer.header("x-stack-known-error"), None);
    assert!(!answer.text().contains("SOMETHING"));
}

#[test]
fn a_server_behind_a_path_signs_for_its_host() {
    let options = Options {
        path_prefix: Some("/stack".to_owned()),
        ..Options::default()
    };
    let stack = Simulator::start(options).unwrap();
    let origin = stack.base_url().strip_suffix("/stack").unwrap();
    let path = format!("/stack{}", stack.credentials().jwks_url(""));
    assert_eq!(request(origin, "GET", &path, &[], "").status, 200);
    let path = stack.credentials().jwks_url("");
    assert_eq!(request(origin, "GET", &path, &[], "").status, 404);
    let user = stack.sign_up(NewUser::default());
    let issuer = format!("{origin}/api/v1/projects/{}", stack.project_id());
    stack.token_with(id(&user), |claims, _| assert_eq!(claims["iss"], issuer));
}
