//! Any bytes as a key set: nothing panics, and what is accepted is usable.

#![no_main]

use libfuzzer_sys::fuzz_target;
use neon_auth_fuzz::{NOW, PLAIN};
use neon_auth_token::{KeySet, LONGEST, Token, inspect, verify};

const SIGNED: &str = include_str!("../seeds/token/valid");

fuzz_target!(|json: &[u8]| match KeySet::parse(json) {
    Ok(keys) => {
        assert!((1..=100).contains(&keys.len()));
        assert!(keys.left_out().len() < 100);
        let stored = KeySet::storable(json).expect("a set can be stored");
        let again = KeySet::parse(stored.as_bytes()).expect("the stored set is the same");
        assert_eq!(again.left_out(), keys.left_out());
        assert_eq!(again.len(), keys.len());
        assert!(keys.key_ids().all(|kid| keys.contains(kid)));
        let token = Token::parse(SIGNED, LONGEST).expect("a sound form");
        let verdict = verify(&token, &keys, &PLAIN, NOW, None);
        let steps = inspect(SIGNED, LONGEST, |_| Some((Some(&keys), &*PLAIN)), NOW);
        assert_eq!(verdict.is_ok(), steps.iter().all(|step| step.ok));
        if let Err(refusal) = verdict {
            assert_eq!(refusal.is_unknown_key(), !keys.contains("k"));
        }
    }
    Err(error) => assert!(!error.code().is_empty() && error.detail().len() < 4_000),
});
