//! Any bytes as a signed payload: nothing panics, what is accepted keeps its promises, and a second implementation of the
//! rules decides the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neon_auth_fuzz::{KEYS, NARROW, NOW, PLAIN, STACK, is_acceptable, sign};
use neon_auth_token::{LONGEST, Policy, Refusal, Token, Verified, inspect, verify};
use serde_json::Value;

fn judge(payload: &[u8], policy: &Policy) -> Result<Verified, Refusal> {
    let text = sign(br#"{"alg":"EdDSA","kid":"k"}"#, payload);
    let verdict =
        Token::parse(&text, LONGEST).and_then(|token| verify(&token, &KEYS, policy, NOW, None));
    let steps = inspect(&text, LONGEST, |_| Some((Some(&*KEYS), policy)), NOW);
    assert_eq!(verdict.is_ok(), steps.iter().all(|step| step.ok));
    verdict
}

/// How many containers are inside one another.
fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fuzz_target!(|payload: &[u8]| {
    let read = serde_json::from_slice::<Value>(payload).ok();
    for policy in [&*PLAIN, &*STACK, &*NARROW] {
        // The same claims in the one spelling that is short, has no member twice and no number of many digits.
        if let Some(Value::Object(claims)) = &read {
            let again = Value::from(claims.clone()).to_string();
            let is_strict = depth(&Value::from(claims.clone())) <= 32
                && !again.replace("\\\\", "").contains("\\u0000")
                && again.len() < 8_000;
            if is_strict {
                let verdict = judge(again.as_bytes(), policy);
                assert_eq!(
                    verdict.is_ok(),
                    is_acceptable(claims, policy),
                    "{again} {verdict:?}"
                );
            }
        }
        let Ok(verified) = judge(payload, policy) else {
            continue;
        };
        assert_eq!(verified.claims_json().as_bytes(), payload);
        let again: Value = serde_json::from_slice(payload).expect("JSON");
        let written = again.to_string();
        let told = neon_auth_token::Value::Object(verified.claims().clone()).to_string();
        // Other numbers are rounded by the second reader, such as a date beyond a second's end.
        if told == written {
            assert!(is_acceptable(again.as_object().expect("an object"), policy));
        }
        assert_eq!(serde_json::from_str::<Value>(&told).expect("JSON"), again);
        assert_eq!(again["sub"].as_str(), Some(verified.subject()));
        assert!(!written.replace("\\\\", "").contains("\\u0000"));
        assert!(
            verified
                .judge_time(policy, verified.expires_at() + 30)
                .is_err()
        );
    }
});
