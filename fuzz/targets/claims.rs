//! Any bytes as a signed payload: nothing panics, and what is accepted keeps its promises.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neon_auth_fuzz::{KEYS, NOW, PLAIN, STACK, sign};
use neon_auth_token::{LONGEST, Token, inspect, verify};
use serde_json::Value;

fuzz_target!(|payload: &[u8]| {
    let text = sign(br#"{"alg":"EdDSA","kid":"k"}"#, payload);
    for policy in [&*PLAIN, &*STACK] {
        let verdict =
            Token::parse(&text, LONGEST).and_then(|token| verify(&token, &KEYS, policy, NOW, None));
        let steps = inspect(&text, LONGEST, |_| Some((Some(&*KEYS), policy)), NOW);
        assert_eq!(verdict.is_ok(), steps.iter().all(|step| step.ok));
        let Ok(verified) = verdict else { continue };
        assert_eq!(verified.claims_json().as_bytes(), payload);
        let again: Value = serde_json::from_slice(payload).expect("JSON");
        let told = neon_auth_token::Value::Object(verified.claims().clone()).to_string();
        assert_eq!(serde_json::from_str::<Value>(&told).expect("JSON"), again);
        assert_eq!(again["sub"].as_str(), Some(verified.subject()));
        assert!((1..=255).contains(&verified.subject().len()));
        assert!(!again.to_string().replace("\\\\", "").contains("\\u0000"));
        assert!(verified.expires_at() > NOW - 30);
        assert!(
            verified
                .judge_time(policy, verified.expires_at() + 30)
                .is_err()
        );
    }
});
