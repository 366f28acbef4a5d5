//! Exact boundaries in time, for a token and for a verdict that was kept.

use neon_auth_token::{Policy, Verified};
use serde_json::{Value, json};

use crate::common::*;

const LEEWAY: i64 = 30;

fn at(claims: &Value, policy: &Policy, now: i64) -> Result<Verified, &'static str> {
    judge_by(&ES256.token(claims), &key_set(&[ES256.jwk()]), policy, now)
        .map_err(|refusal| refusal.code())
}

/// What `verify` and a kept verdict say at `now`; they must say the same.
fn code_at(claims: &Value, policy: &Policy, now: i64) -> &'static str {
    let code = at(claims, policy, now).map_or_else(|code| code, |_| "ok");
    let kept = at(claims, policy, NOW).expect("accepted while the tests take place");
    let later = kept
        .judge_time(policy, now)
        .map_err(|refusal| refusal.code());
    assert_eq!(later.map_or_else(|code| code, |()| "ok"), code);
    code
}

#[test]
fn refuses_expired_and_early_tokens_beyond_the_leeway() {
    let claims = claims_with("nbf", json!(NOW));
    let exp = NOW + 600;
    let policy = policy();
    assert_eq!(code_at(&claims, &policy, exp - 1), "ok");
    assert_eq!(code_at(&claims, &policy, exp), "ok");
    assert_eq!(code_at(&claims, &policy, exp + LEEWAY - 1), "ok");
    assert_eq!(code_at(&claims, &policy, exp + LEEWAY), "expired");
    assert_eq!(code_at(&claims, &policy, exp + LEEWAY + 1), "expired");
    assert_eq!(code_at(&claims, &policy, NOW - LEEWAY), "ok");
    assert_eq!(code_at(&claims, &policy, NOW - LEEWAY - 1), "not_yet_valid");
    let exact = Policy {
        leeway: 0,
        ..policy
    };
    assert_eq!(code_at(&claims, &exact, exp - 1), "ok");
    assert_eq!(code_at(&claims, &exact, exp), "expired");
    assert_eq!(code_at(&claims, &exact, NOW), "ok");
    assert_eq!(code_at(&claims, &exact, NOW - 1), "not_yet_valid");
}

#[test]
fn refuses_nbf_that_is_not_a_date() {
    for nbf in [
        json!("1700000000"),
        json!(null),
        json!(-1),
        json!(-1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MAX),
        json!([]),
    ] {
        assert_eq!(refusal_of_claims(&claims_with("nbf", nbf)), "invalid_claim");
    }
    assert_eq!(
        refusal_of_claims(&claims_with("nbf", json!(NOW + LEEWAY + 1))),
        "not_yet_valid"
    );
    assert_eq!(
        refusal_of_claims(&claims_with("nbf", json!(253_402_300_799_i64))),
        "not_yet_valid"
    );
    let mut inside_out = claims_with("nbf", json!(NOW + 20));
    inside_out["exp"] = json!(NOW + 20);
    assert_eq!(refusal_of_claims(&inside_out), "inconsistent_times");
    inside_out["exp"] = json!(NOW + 21);
    assert!(judge(&ES256.token(&inside_out)).is_ok());
}

#[test]
fn refuses_issued_in_the_future_or_valid_too_long() {
    let issued = |iat: Value| claims_with("iat", iat);
    assert!(judge(&ES256.token(&issued(json!(NOW + LEEWAY)))).is_ok());
    assert_eq!(
        refusal_of_claims(&issued(json!(NOW + LEEWAY + 1))),
        "issued_in_future"
    );
    for iat in [
        json!("1700000000"),
        json!(null),
        json!(-1),
        json!(-0.5),
        json!(1e19),
    ] {
        assert_eq!(refusal_of_claims(&issued(iat)), "invalid_claim");
    }
    let mut at_once = claims_with("exp", json!(NOW));
    assert_eq!(refusal_of_claims(&at_once), "inconsistent_times");
    at_once["exp"] = json!(NOW + 1);
    assert!(judge(&ES256.token(&at_once)).is_ok());

    let short = Policy {
        max_lifetime: Some(600),
        ..policy()
    };
    assert_eq!(code_at(&claims(), &short, NOW), "ok");
    let longer = claims_with("exp", json!(NOW + 601));
    assert_eq!(at(&longer, &short, NOW).err(), Some("lifetime_too_long"));
    let undated = claims_without("iat");
    assert_eq!(at(&undated, &short, NOW).err(), Some("missing_claim"));
    assert_eq!(code_at(&undated, &policy(), NOW), "ok");
}

#[test]
fn refuses_a_clock_that_steps_backwards() {
    let policy = policy();
    let issued_now = claims();
    assert_eq!(code_at(&issued_now, &policy, NOW - LEEWAY), "ok");
    assert_eq!(
        code_at(&issued_now, &policy, NOW - LEEWAY - 1),
        "issued_in_future"
    );
    assert_eq!(code_at(&issued_now, &policy, 0), "issued_in_future");
    for unset in [-1, i64::MIN] {
        assert_eq!(code_at(&issued_now, &policy, unset), "bad_clock");
    }
    assert_eq!(code_at(&issued_now, &policy, i64::MAX), "expired");
    let undated = claims_without("iat");
    assert_eq!(code_at(&undated, &policy, 0), "ok");
    assert_eq!(code_at(&undated, &policy, -1), "bad_clock");
}

#[test]
fn survives_any_leeway() {
    let generous = Policy {
        leeway: u64::MAX,
        max_lifetime: Some(u64::MAX),
        ..policy()
    };
    for now in [0, NOW, i64::MAX - 1] {
        assert_eq!(code_at(&claims(), &generous, now), "ok");
    }
    assert_eq!(code_at(&claims(), &generous, i64::MAX), "expired");
}
