//! Any text as a token: nothing panics, and only the one signed token is accepted.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use neon_auth_fuzz::{KEYS, NOW, PLAIN};
use neon_auth_token::{CacheSet, LONGEST, SignatureCache, Token, inspect, verify};

const SIGNED: &str = include_str!("../seeds/token/valid");

/// The signed token's signature is known from its first verification on.
static SETS: LazyLock<[CacheSet; 1]> = LazyLock::new(Default::default);

fuzz_target!(|text: &str| {
    let cache = SignatureCache::new(&*SETS, &[0; 32], 0);
    let verdict = Token::parse(text, LONGEST)
        .and_then(|token| verify(&token, &KEYS, &PLAIN, NOW, Some(&cache)));
    assert_eq!(verdict.is_ok(), text == SIGNED);
    let steps = inspect(text, LONGEST, |_| Some((Some(&*KEYS), &*PLAIN)), NOW);
    let failed = steps.iter().find(|step| !step.ok);
    match (verdict, failed) {
        (Ok(_), None) => {}
        (Err(refusal), Some(step)) => {
            assert!(step.detail.starts_with(&refusal.to_string()));
            assert!(refusal.detail().len() < 4_000);
        }
        (verdict, step) => panic!("verify says {verdict:?}, inspect says {step:?}"),
    }
});
