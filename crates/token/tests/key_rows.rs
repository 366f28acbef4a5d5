//! Keys of Better Auth's table `jwks`: a row is one key, and type and curve say what it serves.

use neon_auth_token::{Algorithm, KeySet};
use serde_json::{Value, json};

use crate::common::*;

/// A signer's JWK as the table has it: without kid, alg and use.
fn public_key(signer: &Signer) -> Value {
    let mut jwk = signer.jwk();
    let members = jwk.as_object_mut().expect("an object");
    members.retain(|name, _| !["kid", "alg", "use"].contains(&name.as_str()));
    jwk
}

/// What a token of the signer is refused for by the row's key; "ok" if it is not.
fn verdict(signer: &Signer, jwk: &Value, column: Option<&str>) -> &'static str {
    let keys = KeySet::of_row(&signer.kid, &jwk.to_string(), column);
    judge_by(&signer.token(&claims()), &keys, &policy(), NOW)
        .map_or_else(|refusal| refusal.code(), |_| "ok")
}

#[test]
fn type_and_curve_decide_the_algorithm_whatever_is_named() {
    for algorithm in [Algorithm::EdDSA, Algorithm::ES256, Algorithm::ES512] {
        let signer = Signer::new(algorithm, "row-1");
        let jwk = public_key(&signer);
        for column in [
            None,
            Some("ES256"),
            Some("EdDSA"),
            Some("RS256"),
            Some("HS256"),
            Some(""),
        ] {
            assert_eq!(
                verdict(&signer, &jwk, column),
                "ok",
                "{algorithm} {column:?}"
            );
        }
        for inside in ["ES256", "RS256", "HS256", "none"] {
            let mut jwk = jwk.clone();
            jwk["alg"] = json!(inside);
            assert_eq!(verdict(&signer, &jwk, None), "ok", "{algorithm} {inside}");
        }
    }
}

#[test]
fn an_rsa_key_serves_what_is_named_and_else_rs256_and_ps256() {
    for (algorithm, column, inside, expected) in [
        (Algorithm::RS256, None, None, "ok"),
        (Algorithm::PS256, None, None, "ok"),
        (Algorithm::RS512, None, None, "unusable_key"),
        (Algorithm::RS256, Some("RS256"), None, "ok"),
        (Algorithm::PS256, Some("RS256"), None, "unusable_key"),
        (Algorithm::PS256, Some("PS256"), Some("RS256"), "ok"),
        (Algorithm::RS256, None, Some("PS256"), "unusable_key"),
        (Algorithm::PS256, None, Some("PS256"), "ok"),
        // The configured algorithm may have changed since the key was made.
        (Algorithm::RS256, Some("EdDSA"), None, "ok"),
        (Algorithm::PS256, Some("ES256"), Some("PS256"), "ok"),
    ] {
        let signer = Signer::new(algorithm, "row-1");
        let mut jwk = public_key(&signer);
        if let Some(inside) = inside {
            jwk["alg"] = json!(inside);
        }
        let found = verdict(&signer, &jwk, column);
        assert_eq!(found, expected, "{algorithm} {column:?} {inside:?}");
    }
}

#[test]
fn the_rows_id_is_the_name_whatever_the_jwk_contains() {
    let signer = Signer::new(Algorithm::ES256, "row-1");
    let mut jwk = public_key(&signer);
    jwk["kid"] = json!("another");
    assert_eq!(verdict(&signer, &jwk, None), "ok");
    let keys = KeySet::of_row("another", &jwk.to_string(), None);
    let token = signer.token(&claims());
    assert_eq!(refusal_by(&token, &keys, &policy()), "unknown_key");
}

#[test]
fn a_broken_row_is_a_key_that_is_left_out() {
    let signer = Signer::new(Algorithm::ES256, "row-1");
    let mut private = public_key(&signer);
    private["d"] = json!("AAAA");
    let mut moved = public_key(&signer);
    moved["x"] = moved["y"].clone();
    for broken in [
        "".to_owned(),
        "null".to_owned(),
        "[]".to_owned(),
        "{}".to_owned(),
        "{\"kty\":\"EC\"".to_owned(),
        json!({"kty": 1}).to_string(),
        ML_DSA_44.jwk().to_string(),
        json!({"kty": "oct", "k": "AAAA"}).to_string(),
        private.to_string(),
        moved.to_string(),
    ] {
        let keys = KeySet::of_row("row-1", &broken, None);
        let token = signer.token(&claims());
        assert_eq!(
            refusal_by(&token, &keys, &policy()),
            "left_out_key",
            "{broken}"
        );
        assert!(keys.is_empty() && keys.left_out().len() == 1, "{broken}");
    }
}

#[test]
fn an_expired_row_and_a_missing_row_verify_nothing() {
    let token = Signer::new(Algorithm::EdDSA, "row-1").token(&claims());
    let expired = KeySet::of_expired_row("row-1");
    assert_eq!(refusal_by(&token, &expired, &policy()), "left_out_key");
    assert_eq!(expired.left_out()[0].code(), "expired");
    let missing = KeySet::without_keys();
    assert_eq!(refusal_by(&token, &missing, &policy()), "unknown_key");
}
