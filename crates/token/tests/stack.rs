//! The access tokens of a Stack Auth project.

use neon_auth_token::{LONGEST, Policy, StackRules, inspect};
use serde_json::{Value, json};

use crate::common::*;

const PROJECT: &str = "5f1c1f6e-9f0a-4c0e-8a52-1d2f3a4b5c6d";
const HOST: &str = "https://api.stack-auth.com";

const FAMILIES: [&str; 3] = [
    "projects",
    "projects-restricted-users",
    "projects-anonymous-users",
];
const SUFFIXES: [&str; 3] = ["", ":restricted", ":anon"];

fn issuer(family: &str) -> String {
    format!("{HOST}/api/v1/{family}/{PROJECT}")
}

fn stack_policy(allow_anonymous: bool, allow_restricted: bool) -> Policy {
    Policy {
        issuers: FAMILIES.map(issuer).to_vec(),
        audiences: SUFFIXES.map(|suffix| format!("{PROJECT}{suffix}")).to_vec(),
        max_lifetime: Some(3600),
        stack: Some(StackRules {
            project_id: PROJECT.to_owned(),
        }),
        allow_anonymous,
        allow_restricted,
        ..policy()
    }
}

/// The claims that Stack Auth signs for a normal (0), restricted (1) or anonymous (2) user.
fn user(kind: usize) -> Value {
    json!({
        "sub": "0c5f7f0e-5a3c-4b0e-9d55-6f6f0b2f9b11",
        "iat": NOW,
        "exp": NOW + 600,
        "iss": issuer(FAMILIES[kind]),
        "aud": format!("{PROJECT}{}", SUFFIXES[kind]),
        "project_id": PROJECT,
        "branch_id": "main",
        "refresh_token_id": "77f0a1a4-3f0f-4d0c-b8e1-0d6ad19ee1a4",
        "role": "authenticated",
        "name": null,
        "email": "user@example.com",
        "selected_team_id": null,
        "email_verified": true,
        "is_anonymous": kind == 2,
        "is_restricted": kind != 0,
        "requires_totp_mfa": false,
        "signed_up_at": NOW - 1000,
        "restricted_reason": null,
    })
}

fn with(kind: usize, name: &str, value: Value) -> Value {
    let mut claims = user(kind);
    claims[name] = value;
    claims
}

fn without(kind: usize, name: &str) -> Value {
    let mut claims = user(kind);
    claims.as_object_mut().map(|members| members.remove(name));
    claims
}

fn code_by(claims: &Value, policy: &Policy) -> &'static str {
    judge_by(&ES256.token(claims), &key_set(&[ES256.jwk()]), policy, NOW)
        .map_or_else(|refusal| refusal.code(), |_| "ok")
}

/// The verdict of a project that accepts everybody.
fn code(claims: &Value) -> &'static str {
    code_by(claims, &stack_policy(true, true))
}

#[test]
fn accepts_each_kind_of_user_where_allowed() {
    for (anonymous, restricted) in [(false, false), (false, true), (true, false), (true, true)] {
        let policy = stack_policy(anonymous, restricted);
        assert_eq!(code_by(&user(0), &policy), "ok");
        let expected = if restricted {
            "ok"
        } else {
            "restricted_refused"
        };
        assert_eq!(code_by(&user(1), &policy), expected);
        let expected = if anonymous { "ok" } else { "anonymous_refused" };
        assert_eq!(code_by(&user(2), &policy), expected);
    }
}

#[test]
fn refuses_any_other_role() {
    for role in [
        json!("postgres"),
        json!("none"),
        json!("NONE"),
        json!("\"authenticated\""),
        json!("authenticated\"; SET ROLE postgres; --"),
        json!("Authenticated"),
        json!("pg_read_all_data"),
        json!(""),
        json!(null),
        json!(["authenticated"]),
    ] {
        assert_eq!(code(&with(0, "role", role)), "wrong_role");
    }
    assert_eq!(code(&without(0, "role")), "ok");
}

#[test]
fn refuses_another_project() {
    for aud in [
        json!("other"),
        json!(format!("{PROJECT}:admin")),
        json!(format!("{PROJECT}:")),
        json!(format!("{PROJECT}:anon:anon")),
        json!(format!("{PROJECT}x")),
        json!([PROJECT]),
        json!([PROJECT, "other"]),
        json!([PROJECT, format!("{PROJECT}:anon")]),
    ] {
        let lax = Policy {
            audiences: vec![],
            ..stack_policy(true, true)
        };
        assert_eq!(code_by(&with(0, "aud", aud), &lax), "wrong_project");
    }
    let mut lax = stack_policy(true, true);
    lax.audiences.clear();
    assert_eq!(code_by(&without(0, "aud"), &lax), "wrong_project");
    assert_eq!(code(&with(0, "aud", json!("other"))), "wrong_audience");
    for project in [json!("other"), json!(null), json!(1), json!("")] {
        assert_eq!(code(&with(0, "project_id", project)), "wrong_project");
    }
    assert_eq!(code(&without(0, "project_id")), "ok");
}

#[test]
fn refuses_contradictions_about_the_user() {
    for kind in 0..3 {
        for other in (0..3).filter(|other| *other != kind) {
            let by_issuer = with(kind, "iss", user(other)["iss"].clone());
            assert_eq!(code(&by_issuer), "inconsistent_user");
            let by_audience = with(kind, "aud", user(other)["aud"].clone());
            assert_eq!(code(&by_audience), "inconsistent_user");
        }
    }
    assert_eq!(
        code(&with(0, "is_anonymous", json!(true))),
        "inconsistent_user"
    );
    assert_eq!(
        code(&with(0, "is_restricted", json!(true))),
        "inconsistent_user"
    );
    assert_eq!(
        code(&with(1, "is_restricted", json!(false))),
        "inconsistent_user"
    );
    assert_eq!(
        code(&with(1, "is_anonymous", json!(true))),
        "inconsistent_user"
    );
    assert_eq!(
        code(&with(2, "is_anonymous", json!(false))),
        "inconsistent_user"
    );
    assert_eq!(code(&with(2, "is_restricted", json!(false))), "ok");
    for flag in [json!("true"), json!(1), json!(null), json!([])] {
        for name in ["is_anonymous", "is_restricted"] {
            assert_eq!(code(&with(0, name, flag.clone())), "invalid_claim");
        }
    }
}

#[test]
fn counts_missing_flags_as_false() {
    let mut old = without(0, "is_anonymous");
    old.as_object_mut()
        .map(|members| members.remove("is_restricted"));
    assert_eq!(code(&old), "ok");
    assert_eq!(code(&without(1, "is_restricted")), "inconsistent_user");
    assert_eq!(code(&without(2, "is_anonymous")), "inconsistent_user");
}

#[test]
fn refuses_issuers_of_another_shape() {
    for iss in [
        format!("{HOST}/api/v1/projects/{PROJECT}/"),
        format!("{HOST}/api/v1/projects{PROJECT}"),
        format!("{HOST}/api/v2/projects/{PROJECT}"),
        format!("{HOST}/api/v1/other/projects/{PROJECT}"),
        format!("{HOST}/api/v1/projects/x{PROJECT}"),
        format!("{HOST}/api/v1/projects/other"),
        "https://access-token.jwt-signature.stack-auth.com".to_owned(),
    ] {
        let listed = Policy {
            issuers: vec![iss.clone()],
            ..stack_policy(true, true)
        };
        assert_eq!(
            code_by(&with(0, "iss", json!(iss)), &listed),
            "inconsistent_user"
        );
    }
    let hosted = "http://localhost:8102/prefix/api/v1/projects/".to_owned() + PROJECT;
    let listed = Policy {
        issuers: vec![hosted.clone()],
        ..stack_policy(false, false)
    };
    assert_eq!(code_by(&with(0, "iss", json!(hosted)), &listed), "ok");
}

#[test]
fn each_step_says_what_was_found_and_what_is_expected() {
    let keys = key_set(&[ES256.jwk()]);
    let policy = stack_policy(true, true);
    let mut claims = user(2);
    claims["project_id"] = json!("another");
    claims["role"] = json!(null);
    claims["is_restricted"] = json!(false);
    let token = ES256.token(&claims);
    let steps = inspect(&token, LONGEST, |_| Some((Some(&keys), &policy)), NOW);
    for found in [
        format!(
            "aud is \"{PROJECT}:anon\", project_id is \"another\"; expected project: \"{PROJECT}\""
        ),
        format!(
            "iss is \"{}\", aud is \"{PROJECT}:anon\", is_anonymous is true, is_restricted is false; expected: all agree",
            issuer(FAMILIES[2])
        ),
        "role is null; expected: \"authenticated\" or absent".to_owned(),
    ] {
        let is_said = steps.iter().any(|step| step.detail.ends_with(&found));
        assert!(is_said, "{found}: {steps:?}");
    }
}
