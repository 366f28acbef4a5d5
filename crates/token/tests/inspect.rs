//! What `inspect` reports. Every other test asserts that it agrees with `verify`.

use neon_auth_token::{Algorithm, LONGEST, Policy, Refusal, Step, TokenType, inspect};
use serde_json::json;

use crate::common::*;

fn inspect_by(token: &str, policy: &Policy) -> Vec<Step> {
    let keys = key_set(&[ES256.jwk()]);
    inspect(token, LONGEST, |_| Some((Some(&keys), policy)), NOW)
}

fn failed(steps: &[Step]) -> Vec<&'static str> {
    let failed = steps.iter().filter(|step| !step.ok);
    failed.map(|step| step.name).collect()
}

#[test]
fn lists_every_check_in_order() {
    let steps = inspect_by(&ES256.token(&claims()), &policy());
    let names: Vec<_> = steps.iter().map(|step| step.name).collect();
    assert_eq!(
        names,
        [
            "form",
            "header",
            "claims",
            "provider",
            "issuer",
            "algorithm",
            "type",
            "clock",
            "expiry",
            "not before",
            "issued at",
            "time order",
            "lifetime",
            "key",
            "signature",
            "audience",
            "required claims",
            "anonymous users",
            "restricted users",
        ]
    );
    assert!(failed(&steps).is_empty());
    assert!(steps.iter().all(|step| !step.detail.is_empty()));
}

/// The report as text, a line for each step.
fn report(token: &str, policy: &Policy) -> String {
    let steps = inspect_by(token, policy);
    let lines = steps.iter().map(|step| {
        format!(
            "{} {}: {}\n",
            if step.ok { "+" } else { "-" },
            step.name,
            step.detail
        )
    });
    lines.collect()
}

#[test]
fn each_step_says_what_was_found_and_what_is_expected() {
    let mut claims = claims_with("aud", json!(["a", "app"]));
    claims["nbf"] = json!(NOW - 1);
    claims["plan"] = json!("pro");
    let strict = Policy {
        max_lifetime: Some(600),
        required_claims: required(json!({"plan": ["free", 1], "tenant.id": null})),
        typ: TokenType::Named("at+jwt".to_owned()),
        algorithms: vec![Algorithm::ES256, Algorithm::EdDSA],
        ..policy()
    };
    let expected = r#"
+ form: 301 bytes, 64 of signature
+ header: alg is ES256, kid is "key-1"
+ claims: 7 claims of the right types
+ provider: iss is "https://issuer.example/"
+ issuer: iss is "https://issuer.example/"; expected: "https://issuer.example/"
+ algorithm: alg is ES256; allowed: "ES256", "EdDSA"
- type: the provider does not accept the token's type: typ is absent; expected: "at+jwt"
+ clock: now is 1700000000 seconds after 1970
+ expiry: exp is 1700000600; now is 1700000000 with 30 seconds of leeway
+ not before: nbf is 1699999999; now is 1700000000 with 30 seconds of leeway
+ issued at: iat is 1700000000; now is 1700000000 with 30 seconds of leeway
+ time order: exp is 1700000600; expected after nbf, which is 1699999999, and iat, which is 1700000000
+ lifetime: exp is 1700000600 and iat is 1700000000; accepted seconds between them: at most 600
+ key: kid is "key-1", alg is ES256; keys of that name: one for ES256; usable keys in the set: "key-1"
+ signature: 64 bytes checked with ES256
+ audience: aud is "a", "app"; expected: one of "app"
- required claims: the token has a claim with a value that the provider does not accept: required: "plan", "tenant.id"; absent or null: "tenant.id"; "plan" is "pro"; expected: one of "free", 1
+ anonymous users: is_anonymous is absent; the user is not anonymous; such users are not accepted
+ restricted users: the user is not restricted; such users are not accepted
"#;
    assert_eq!(
        report(&ES256.token(&claims), &strict),
        expected.trim_start()
    );

    // What the provider does not restrict, and a key that is not there.
    let open = Policy {
        audiences: vec![],
        ..policy()
    };
    let steps = inspect_by(&EDDSA.token(&claims_without("aud")), &open);
    let detail = |name: &str| {
        let step = steps.iter().find(|step| step.name == name);
        step.map_or("", |step| step.detail.as_str())
    };
    assert_eq!(detail("audience"), "aud is absent; expected: any");
    assert_eq!(
        detail("type"),
        "typ is absent; expected: \"JWT\", \"at+jwt\" or absent"
    );
    assert_eq!(
        detail("lifetime"),
        "exp is 1700000600 and iat is 1700000000; accepted seconds between them: any"
    );
    assert!(detail("signature").ends_with("64 bytes, and no key to verify them with"));
}

#[test]
fn goes_on_after_a_failure() {
    let mut claims = claims_with("exp", json!(NOW - 100));
    claims["aud"] = json!("other");
    claims["iat"] = json!(NOW - 700);
    let forged = ES256.token_signed_by(ES256.header().to_string(), claims.to_string(), |_| {
        vec![0; 64]
    });
    let steps = inspect_by(&forged, &policy());
    assert_eq!(failed(&steps), ["expiry", "signature", "audience"]);
    let expiry = steps.iter().find(|step| step.name == "expiry");
    assert_eq!(
        expiry.map(|step| step.detail.as_str()),
        Some(
            "the token has expired: exp is 1699999900; now is 1700000000 with 30 seconds of leeway"
        )
    );
}

#[test]
fn looks_at_the_claims_of_a_token_with_a_bad_header() {
    let token = ES256.raw_token("{}", claims_without("exp").to_string());
    assert_eq!(failed(&inspect_by(&token, &policy())), ["header", "claims"]);
    assert_eq!(failed(&inspect_by("x", &policy())), ["form"]);
}

#[test]
fn says_when_no_provider_answers_for_the_issuer() {
    let steps = inspect(&ES256.token(&claims()), LONGEST, |_| None, NOW);
    assert_eq!(failed(&steps), ["provider"]);
    let detail = steps.last().map(|step| step.detail.clone());
    let refusal = Refusal::unknown_issuer(ISSUER);
    assert_eq!(detail, Some(format!("{refusal}: {}", refusal.detail())));
    assert_eq!(refusal.code(), "unknown_issuer");
}

#[test]
fn judges_what_needs_no_key_without_keys() {
    let policy = policy();
    let mut claims = claims_with("aud", json!("other"));
    claims["exp"] = json!(NOW - 100);
    claims["iat"] = json!(NOW - 700);
    let steps = inspect(
        &ES256.token(&claims),
        LONGEST,
        |_| Some((None, &policy)),
        NOW,
    );
    assert_eq!(failed(&steps), ["expiry", "key", "signature", "audience"]);
    let key = steps.iter().find(|step| step.name == "key");
    assert_eq!(
        key.map(|step| step.detail.as_str()),
        Some("there are no keys to verify the token with: kid is \"key-1\", alg is ES256")
    );
}

#[test]
fn says_which_keys_there_are() {
    let token = ES256.raw_token(header_with(json!({"kid": "gone"})), claims().to_string());
    let steps = inspect_by(&token, &policy());
    assert_eq!(failed(&steps), ["key", "signature"]);
    let key = steps.iter().find(|step| step.name == "key");
    assert_eq!(
        key.map(|step| step.detail.as_str()),
        Some(
            "the token's key is not in the provider's key set: kid is \"gone\", alg is ES256; \
             keys of that name: none; usable keys in the set: \"key-1\""
        )
    );
}
