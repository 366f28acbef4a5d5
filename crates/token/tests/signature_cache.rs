//! What the cache of signatures finds, and what it must not find.

use std::thread;

use neon_auth_token::{
    Algorithm, CacheSet, KeySet, LONGEST, Policy, Refusal, Salt, SignatureCache, Token, verify,
};
use serde_json::json;

use crate::common::*;

const SALT: &Salt = &[1; 32];

/// Verifies a token, and returns whether its signature was in the cache.
fn judge_with(
    sets: &[CacheSet],
    token: &str,
    keys: &KeySet,
    policy: &Policy,
    now: i64,
) -> Result<bool, Refusal> {
    let cache = SignatureCache::new(sets, SALT, 1);
    verify(
        &Token::parse(token, LONGEST)?,
        keys,
        policy,
        now,
        Some(&cache),
    )?;
    Ok(cache.was_hit())
}

/// The same with the usual policy and time.
fn is_hit(sets: &[CacheSet], token: &str, keys: &KeySet) -> Result<bool, Refusal> {
    judge_with(sets, token, keys, &policy(), NOW)
}

fn token_of(number: usize) -> String {
    ES256.token(&claims_with("number", json!(number)))
}

/// The claims of one token with the signature of another.
fn forged(token: &str, other: &str) -> String {
    let (signed, _) = token.rsplit_once('.').expect("a token has dots");
    let (_, signature) = other.rsplit_once('.').expect("a token has dots");
    format!("{signed}.{signature}")
}

#[test]
fn finds_a_signature_of_each_algorithm_the_second_time() {
    let sets = cache_of(100);
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm, "k");
        let (token, keys) = (signer.token(&claims()), key_set(&[signer.jwk()]));
        assert_eq!(is_hit(&sets, &token, &keys), Ok(false), "{algorithm}");
        assert_eq!(is_hit(&sets, &token, &keys), Ok(true), "{algorithm}");
    }
}

#[test]
fn finds_the_key_that_is_chosen_among_many() {
    let sets = cache_of(100);
    let token = ES256.token(&claims());
    let alone = key_set(&[ES256.jwk()]);
    let among = key_set(&[EDDSA.jwk(), ES384.jwk(), ES256.jwk(), RS256.jwk()]);
    assert_eq!(is_hit(&sets, &token, &alone), Ok(false));
    assert_eq!(is_hit(&sets, &token, &among), Ok(true));
}

#[test]
fn a_forged_signature_is_refused_after_the_true_one() {
    let sets = cache_of(1);
    let keys = key_set(&[ES256.jwk()]);
    let (token, other) = (token_of(1), token_of(2));
    for good in [&token, &other] {
        assert_eq!(is_hit(&sets, good, &keys), Ok(false));
    }
    for bad in [forged(&token, &other), forged(&other, &token)] {
        for _ in 0..2 {
            let refusal = is_hit(&sets, &bad, &keys).expect_err("a forgery");
            assert_eq!(refusal.code(), "bad_signature");
        }
    }
    assert_eq!(is_hit(&sets, &token, &keys), Ok(true));
}

#[test]
fn a_signature_by_the_former_key_of_the_same_name_is_refused() {
    let sets = cache_of(1);
    let token = ES256.token(&claims());
    assert_eq!(is_hit(&sets, &token, &key_set(&[ES256.jwk()])), Ok(false));
    let next = Signer::new(Algorithm::ES256, &ES256.kid);
    let refusal = is_hit(&sets, &token, &key_set(&[next.jwk()])).expect_err("another key");
    assert_eq!(refusal.code(), "bad_signature");
    let gone = is_hit(&sets, &token, &key_set(&[EDDSA.jwk()])).expect_err("no key");
    assert_eq!(gone.code(), "unknown_key");
}

#[test]
fn rules_and_times_are_judged_each_time() {
    let sets = cache_of(1);
    let (token, keys) = (ES256.token(&claims()), key_set(&[ES256.jwk()]));
    assert_eq!(is_hit(&sets, &token, &keys), Ok(false));
    let code = |policy: Policy, now| {
        let verdict = judge_with(&sets, &token, &keys, &policy, now);
        verdict.expect_err("the token must be refused").code()
    };
    assert_eq!(code(policy(), NOW + 10_000), "expired");
    let audiences = vec!["another".to_owned()];
    assert_eq!(
        code(
            Policy {
                audiences,
                ..policy()
            },
            NOW
        ),
        "wrong_audience"
    );
    let algorithms = vec![Algorithm::RS256];
    assert_eq!(
        code(
            Policy {
                algorithms,
                ..policy()
            },
            NOW
        ),
        "algorithm_not_allowed"
    );
    let issuers = vec!["https://another.example/".to_owned()];
    assert_eq!(
        code(
            Policy {
                issuers,
                ..policy()
            },
            NOW
        ),
        "wrong_issuer"
    );
    let required_claims = required(json!(["absent"]));
    assert_eq!(
        code(
            Policy {
                required_claims,
                ..policy()
            },
            NOW
        ),
        "missing_claim"
    );
    assert_eq!(is_hit(&sets, &token, &keys), Ok(true));
}

#[test]
fn a_refused_token_leaves_nothing() {
    let sets = cache_of(1);
    let keys = key_set(&[ES256.jwk()]);
    let token = ES256.token(&claims_with("aud", json!("another")));
    for _ in 0..2 {
        let refusal = is_hit(&sets, &token, &keys).expect_err("another audience");
        assert_eq!(refusal.code(), "wrong_audience");
    }
    let audiences = vec!["another".to_owned()];
    let policy = Policy {
        audiences,
        ..policy()
    };
    assert_eq!(judge_with(&sets, &token, &keys, &policy, NOW), Ok(false));
    assert_eq!(judge_with(&sets, &token, &keys, &policy, NOW), Ok(true));
}

#[test]
fn another_scope_or_salt_finds_nothing() {
    let sets = cache_of(1);
    let (text, keys) = (ES256.token(&claims()), key_set(&[ES256.jwk()]));
    let token = Token::parse(&text, LONGEST).expect("a token");
    let is_hit = |salt: &Salt, scope| {
        let cache = SignatureCache::new(&sets, salt, scope);
        verify(&token, &keys, &policy(), NOW, Some(&cache)).expect("a good token");
        cache.was_hit()
    };
    for (salt, scope) in [(SALT, 1), (SALT, 2), (&[2; 32], 1)] {
        assert!(!is_hit(salt, scope));
        assert!(is_hit(salt, scope));
    }
}

#[test]
fn the_signature_that_was_not_used_for_the_longest_time_is_evicted() {
    let sets = cache_of(1);
    let keys = key_set(&[ES256.jwk()]);
    let tokens: Vec<String> = (0..8).map(token_of).collect();
    let is_hit = |token: &str, now| judge_with(&sets, token, &keys, &policy(), now);
    for (token, now) in tokens[..7].iter().zip(NOW..) {
        assert_eq!(is_hit(token, now), Ok(false));
    }
    // The first is used again, so the second is the oldest.
    assert_eq!(is_hit(&tokens[0], NOW + 7), Ok(true));
    assert_eq!(is_hit(&tokens[7], NOW + 8), Ok(false));
    for token in tokens[..1].iter().chain(&tokens[2..]) {
        assert_eq!(is_hit(token, NOW + 9), Ok(true));
    }
    assert_eq!(is_hit(&tokens[1], NOW + 9), Ok(false));
}

#[test]
fn the_signature_of_a_process_that_is_a_second_ahead_is_not_evicted_for_it() {
    let sets = cache_of(1);
    let keys = key_set(&[ES256.jwk()]);
    let is_hit = |token: &str, now| judge_with(&sets, token, &keys, &policy(), now);
    let token = token_of(0);
    assert_eq!(is_hit(&token, NOW + 1), Ok(false));
    for number in 1..8 {
        assert_eq!(is_hit(&token_of(number), NOW), Ok(false));
    }
    assert_eq!(is_hit(&token, NOW), Ok(true));
}

#[test]
fn a_clock_that_was_set_back_breaks_nothing() {
    let sets = cache_of(1);
    let keys = key_set(&[ES256.jwk()]);
    for now in [NOW + 100, NOW, NOW + 50] {
        for number in 0..8 {
            let token = token_of(number);
            let first = judge_with(&sets, &token, &keys, &policy(), now);
            assert!(first.is_ok());
            assert_eq!(judge_with(&sets, &token, &keys, &policy(), now), Ok(true));
        }
    }
}

#[test]
fn a_cache_without_sets_finds_nothing() {
    let (token, keys) = (ES256.token(&claims()), key_set(&[ES256.jwk()]));
    for _ in 0..2 {
        assert_eq!(is_hit(&[], &token, &keys), Ok(false));
    }
}

#[test]
fn most_of_its_entries_are_in_use_when_it_is_full() {
    let sets = cache_of(8);
    let keys = key_set(&[EDDSA.jwk()]);
    let tokens: Vec<String> = (0..200)
        .map(|number| EDDSA.token(&claims_with("number", json!(number))))
        .collect();
    for token in &tokens {
        assert_eq!(is_hit(&sets, token, &keys), Ok(false));
    }
    let bytes = size_of_val(sets.as_slice());
    assert_eq!(bytes, 8 * 256);
    // Latest first, so that no miss evicts a token that is still to come.
    let hits = tokens
        .iter()
        .rev()
        .filter(|token| is_hit(&sets, token, &keys) == Ok(true))
        .count();
    assert!((40..=56).contains(&hits), "{hits} of 200 in 56 entries");
}

#[test]
fn writers_of_one_set_neither_lose_a_verdict_nor_let_a_forgery_pass() {
    let sets = cache_of(1);
    let keys = key_set(&[EDDSA.jwk()]);
    let tokens: Vec<String> = (0..12)
        .map(|number| EDDSA.token(&claims_with("number", json!(number))))
        .collect();
    thread::scope(|scope| {
        for writer in 0..4 {
            let (sets, keys, tokens) = (&sets, &keys, &tokens);
            scope.spawn(move || {
                for round in 0..300 {
                    let (token, other) = (
                        &tokens[(writer + round) % 12],
                        &tokens[(writer * 5 + round * 7 + 1) % 12],
                    );
                    assert!(is_hit(sets, token, keys).is_ok());
                    if token != other {
                        assert!(is_hit(sets, &forged(token, other), keys).is_err());
                    }
                }
            });
        }
    });
}

#[test]
fn counts_the_entries_that_were_used_lately() {
    let sets = cache_of(1);
    let keys = key_set(&[ES256.jwk()]);
    let (old, new) = (token_of(1), token_of(2));
    assert_eq!(sets[0].used_within(10, NOW), 0);
    assert_eq!(is_hit(&sets, &old, &keys), Ok(false));
    let later = NOW + 20;
    assert_eq!(sets[0].used_within(20, later), 1);
    assert_eq!(sets[0].used_within(10, later), 0);
    assert_eq!(judge_with(&sets, &new, &keys, &policy(), later), Ok(false));
    assert_eq!(sets[0].used_within(10, later), 1);
    assert_eq!(judge_with(&sets, &old, &keys, &policy(), later), Ok(true));
    assert_eq!(sets[0].used_within(10, later), 2);
}
