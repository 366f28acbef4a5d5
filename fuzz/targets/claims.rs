//! Any bytes as a signed payload: nothing panics, and what is accepted keeps its promises.

#![no_main]

use std::sync::LazyLock;

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use libfuzzer_sys::fuzz_target;
use neon_auth_fuzz::{NOW, PROJECT};
use neon_auth_token::{KeySet, LONGEST, Policy, StackRules, Token, inspect, verify};
use serde_json::Value;

const SEED: &str = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";

static PAIR: LazyLock<Ed25519KeyPair> = LazyLock::new(|| {
    let seed = URL_SAFE_NO_PAD.decode(SEED).expect("a seed");
    Ed25519KeyPair::from_seed_unchecked(&seed).expect("a key pair")
});
static KEYS: LazyLock<KeySet> = LazyLock::new(neon_auth_fuzz::keys);
static PLAIN: LazyLock<Policy> = LazyLock::new(|| neon_auth_fuzz::policy(None));
static STACK: LazyLock<Policy> = LazyLock::new(|| {
    neon_auth_fuzz::policy(Some(StackRules {
        project_id: PROJECT.to_owned(),
    }))
});

fn sign(payload: &[u8]) -> String {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"EdDSA","kid":"k"}"#);
    let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload));
    let signature = URL_SAFE_NO_PAD.encode(PAIR.sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

fuzz_target!(|payload: &[u8]| {
    let text = sign(payload);
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
