//! Tokens verify with the published keys and say what the service says.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use neon_auth_stack::keys::SHORT_X_SEED;
use neon_auth_stack::{NewUser, Options, Simulator};
use serde_json::{Value, json};

use crate::client::{id, server_get, start, steer};

const CLAIMS: [&str; 18] = [
    "sub",
    "iat",
    "exp",
    "iss",
    "aud",
    "project_id",
    "branch_id",
    "refresh_token_id",
    "role",
    "name",
    "email",
    "email_verified",
    "selected_team_id",
    "signed_up_at",
    "is_anonymous",
    "is_restricted",
    "restricted_reason",
    "requires_totp_mfa",
];

/// The claims of a token whose signature is right.
fn verify(token: &str, jwks: &Value) -> Value {
    let set: JwkSet = serde_json::from_value(padded(jwks)).unwrap();
    let header = decode_header(token).unwrap();
    let key = set.find(header.kid.as_deref().unwrap()).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.validate_exp = false;
    validation.validate_aud = false;
    validation.required_spec_claims.clear();
    decode::<Value>(token, &DecodingKey::from_jwk(key).unwrap(), &validation)
        .unwrap()
        .claims
}

/// The set with coordinates of the length that RFC 7518 asks for.
fn padded(jwks: &Value) -> Value {
    let mut jwks = jwks.clone();
    for key in jwks["keys"].as_array_mut().unwrap() {
        if key["crv"] != "P-256" {
            continue;
        }
        for coordinate in ["x", "y"] {
            let short = URL_SAFE_NO_PAD
                .decode(key[coordinate].as_str().unwrap())
                .unwrap();
            let mut bytes = vec![0; 32 - short.len()];
            bytes.extend(short);
            key[coordinate] = URL_SAFE_NO_PAD.encode(bytes).into();
        }
    }
    jwks
}

#[test]
fn the_header_is_exactly_alg_and_kid() {
    let stack = start();
    let token = stack.access_token(id(&stack.sign_up(NewUser::default())));
    let header = URL_SAFE_NO_PAD
        .decode(token.split('.').next().unwrap())
        .unwrap();
    let kid = &stack.jwks()["keys"][0]["kid"];
    assert_eq!(
        String::from_utf8(header).unwrap(),
        format!(r#"{{"alg":"ES256","kid":{kid}}}"#)
    );
}

#[test]
fn a_token_has_every_claim_of_the_service_and_no_other() {
    let stack = start();
    let user = stack.sign_up(NewUser::named("Alice Example", "alice@example.com"));
    let claims = verify(&stack.access_token(id(&user)), &stack.jwks());
    let names: BTreeSet<_> = claims
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(names, BTreeSet::from(CLAIMS));
    assert_eq!(claims["sub"], user["id"]);
    assert_eq!(claims["name"], "Alice Example");
    assert_eq!(claims["email"], "alice@example.com");
    assert_eq!(claims["email_verified"], true);
    assert_eq!(claims["role"], "authenticated");
    assert_eq!(claims["branch_id"], "main");
    assert_eq!(claims["restricted_reason"], Value::Null);
    assert_eq!(
        claims["signed_up_at"].as_i64(),
        user["signed_up_at_millis"]
            .as_i64()
            .map(|millis| millis / 1000)
    );
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        600
    );
}

#[test]
fn issuer_audience_and_key_follow_the_kind_of_user() {
    let stack = start();
    let restricted = NewUser {
        restricted_by_admin: true,
        ..NewUser::default()
    };
    let project = stack.project_id();
    for (new, path, suffix, reason) in [
        (NewUser::default(), "projects", "", None),
        (
            restricted,
            "projects-restricted-users",
            ":restricted",
            Some("restricted_by_administrator"),
        ),
        (
            NewUser::anonymous(),
            "projects-anonymous-users",
            ":anon",
            Some("anonymous"),
        ),
    ] {
        let user = stack.sign_up(new);
        let claims = verify(&stack.access_token(id(&user)), &stack.jwks());
        let base = stack.base_url();
        assert_eq!(claims["iss"], format!("{base}/api/v1/{path}/{project}"));
        assert_eq!(claims["aud"], format!("{project}{suffix}"));
        assert_eq!(claims["is_restricted"], reason.is_some());
        assert_eq!(
            claims["restricted_reason"],
            reason.map_or(Value::Null, |kind| json!({ "type": kind }))
        );
    }
}

#[test]
fn unverified_users_are_restricted_where_verification_is_required() {
    let stack = Simulator::start(Options {
        require_verified_email: true,
        ..Options::default()
    })
    .unwrap();
    let user = stack.sign_up(NewUser::default());
    assert_eq!(user["restricted_reason"]["type"], "email_not_verified");
    let changes = json!({ "primary_email_verified": true });
    let user = stack.update_user(id(&user), changes);
    assert_eq!(user["is_restricted"], false);
}

#[test]
fn a_short_coordinate_is_one_key_like_any_other() {
    let stack = Simulator::start(Options {
        seed: SHORT_X_SEED.to_owned(),
        ..Options::default()
    })
    .unwrap();
    let jwks = stack.jwks();
    assert!(jwks["keys"][0]["x"].as_str().unwrap().len() < 43);
    verify(
        &stack.access_token(id(&stack.sign_up(NewUser::default()))),
        &jwks,
    );
}

#[test]
fn deviations_are_signed_as_asked() {
    let stack = start();
    let user = id(&stack.sign_up(NewUser::default()));
    let token = stack.token_with(user, |claims, header| {
        claims.remove("exp");
        claims.insert("aud".to_owned(), json!(["other"]));
        header.insert("typ".to_owned(), "JWT".into());
    });
    let claims = verify(&token, &stack.jwks());
    assert_eq!(claims.get("exp"), None);
    assert_eq!(claims["aud"], json!(["other"]));
    assert_eq!(decode_header(&token).unwrap().typ.as_deref(), Some("JWT"));
}

#[test]
fn rotation_replaces_every_key() {
    let stack = start();
    let user = id(&stack.sign_up(NewUser::default()));
    let kids = |jwks: &Value| -> BTreeSet<String> {
        let keys = jwks["keys"].as_array().unwrap();
        keys.iter().map(|key| key["kid"].to_string()).collect()
    };
    let before = kids(&stack.jwks());
    stack.rotate_keys();
    let after = kids(&stack.jwks());
    assert_eq!(after.len(), 6);
    assert!(before.is_disjoint(&after));
    verify(&stack.access_token(user), &stack.jwks());
}

fn stack(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_stack"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .unwrap()
        .trim_end()
        .to_owned()
}

#[test]
fn the_command_line_signs_with_every_algorithm() {
    for (name, algorithm) in [
        ("ES256", Algorithm::ES256),
        ("RS256", Algorithm::RS256),
        ("PS256", Algorithm::PS256),
        ("ES384", Algorithm::ES384),
        ("EdDSA", Algorithm::EdDSA),
    ] {
        let token = stack(&["token", "--sub", "somebody", "--alg", name]);
        let jwks = serde_json::from_str(&stack(&["jwks", "--alg", name])).unwrap();
        assert_eq!(verify(&token, &jwks)["sub"], "somebody");
        assert_eq!(decode_header(&token).unwrap().alg, algorithm);
    }
}

#[test]
fn the_command_line_and_a_server_with_the_same_seed_agree() {
    let server = start();
    let token = stack(&["token", "--sub", "somebody", "--anonymous"]);
    let claims = verify(&token, &server.jwks());
    assert_eq!(claims["is_anonymous"], true);
    let keys: Value =
        serde_json::from_str(&stack(&["keys", "--base-url", server.base_url()])).unwrap();
    assert_eq!(keys, server.keys_response());
}

/// What is signed is the same each time, and so is a signature that involves no random number, as
/// one of ES256 does.
#[test]
fn the_command_line_is_reproducible_at_a_given_time() {
    let arguments = ["token", "--sub", "somebody", "--now", "1700000000"];
    let signed = |token: String| token.rsplit_once('.').unwrap().0.to_owned();
    assert_eq!(signed(stack(&arguments)), signed(stack(&arguments)));
    let ed25519 = [arguments.as_slice(), &["--alg", "EdDSA"]].concat();
    assert_eq!(stack(&ed25519), stack(&ed25519));
}

#[test]
fn the_command_line_deviates_where_it_is_told_to() {
    let token = stack(&[
        "token",
        "--sub",
        "somebody",
        "--now",
        "1700000000",
        "--exp-in",
        "-5",
        "--aud",
        "other",
        "--claim",
        "role={\"a\":1}",
        "--without",
        "iat",
        "--header",
        "typ=\"JWT\"",
    ]);
    let jwks = serde_json::from_str(&stack(&["jwks"])).unwrap();
    let claims = verify(&token, &jwks);
    assert_eq!(claims["exp"], 1_699_999_995);
    assert_eq!(claims["aud"], "other");
    assert_eq!(claims["role"], json!({ "a": 1 }));
    assert_eq!(claims.get("iat"), None);
    assert_eq!(decode_header(&token).unwrap().typ.as_deref(), Some("JWT"));
}

#[test]
fn a_refreshed_token_moves_only_the_time_of_the_last_activity() {
    let stack = start();
    let users = [0, 1, 2, 3, 4].map(|number| {
        let other = json!({ "signed_up_at_millis": number, "last_active_at_millis": 1 });
        let other = other.as_object().unwrap().clone();
        stack.sign_up(NewUser {
            other,
            ..NewUser::default()
        })
    });
    let read = |user: &Value| server_get(&stack, &format!("/api/v1/users/{}", id(user))).json();
    let is_active = |user: &Value| {
        let mut now = read(user);
        let active = now["last_active_at_millis"].as_i64() > Some(1);
        now["last_active_at_millis"] = json!(1);
        assert_eq!(now, *user);
        active
    };
    stack.access_token(id(&users[1]));
    assert_eq!(
        users.each_ref().map(is_active),
        [false, true, false, false, false]
    );
    let every_second = NonZeroUsize::new(2).unwrap();
    assert_eq!(stack.refresh_tokens(every_second), 3);
    let expected = [true, true, true, false, true];
    assert_eq!(users.each_ref().map(is_active), expected);
    let answer = steer(&stack, "POST", "/dev/activity", json!({ "every": 1 }));
    assert_eq!(answer.json()["users"], 5);
    assert_eq!(users.each_ref().map(is_active), [true; 5]);
    // Only the five sign-ups were reported.
    assert_eq!(stack.messages().len(), 5);
}
