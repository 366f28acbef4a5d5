//! A valid token is invalid after any change.

use neon_auth_token::{Algorithm, KeySet, LONGEST, Token, inspect, verify};

use crate::common::*;

/// A character of a token, or now and then any other.
fn character(random: &mut Random) -> char {
    const ALPHABET: &[u8] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+/ {}\"\0\n";
    char::from(ALPHABET[random.below(ALPHABET.len())])
}

/// The token with one thing changed.
fn mutate(random: &mut Random, token: &str) -> String {
    let mut characters: Vec<char> = token.chars().collect();
    let at = random.below(characters.len());
    match random.below(6) {
        0 => characters[at] = character(random),
        1 => characters.insert(at, character(random)),
        2 => drop(characters.remove(at)),
        3 => characters.truncate(at),
        4 => {
            let other = random.below(characters.len());
            characters.swap(at, other);
        }
        _ => {
            let end = at + random.below(characters.len() - at);
            let copy = characters[at..end].to_vec();
            characters.splice(at..at, copy);
        }
    }
    characters.into_iter().collect()
}

#[test]
fn refuses_every_mutation() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for algorithm in [
        Algorithm::ES256,
        Algorithm::EdDSA,
        Algorithm::RS256,
        Algorithm::MlDsa44,
    ] {
        let signer = Signer::new(algorithm, "k");
        let keys = key_set(&[signer.jwk()]);
        let token = signer.token(&claims());
        let accepted = |text: &str| {
            Token::parse(text, LONGEST)
                .is_ok_and(|token| verify(&token, &keys, &policy(), NOW, Some(&cache())).is_ok())
        };
        assert!(accepted(&token));
        // A token of ML-DSA is ten times as long, and so is the work on it.
        let rounds = if algorithm == Algorithm::MlDsa44 {
            400
        } else {
            4_000
        };
        for _ in 0..rounds {
            let mut mutated = token.clone();
            for _ in 0..=random.below(3) {
                if !mutated.is_empty() {
                    mutated = mutate(&mut random, &mutated);
                }
            }
            assert_eq!(accepted(&mutated), mutated == token, "{mutated:?}");
        }
    }
}

#[test]
fn refuses_every_flipped_bit_of_what_was_signed() {
    let keys = key_set(&[EDDSA.jwk()]);
    let header = EDDSA.header().to_string().into_bytes();
    let payload = claims().to_string().into_bytes();
    let signature = |message: &[u8]| EDDSA.sign(message);
    let good = format!("{}.{}", encode(&header), encode(&payload));
    let good_signature = signature(good.as_bytes());
    for part in 0..3 {
        let mut parts = [header.clone(), payload.clone(), good_signature.clone()];
        for bit in 0..parts[part].len() * 8 {
            parts[part][bit / 8] ^= 1 << (bit % 8);
            let text = parts.each_ref().map(encode).join(".");
            let verdict = Token::parse(&text, LONGEST)
                .and_then(|token| verify(&token, &keys, &policy(), NOW, Some(&cache())));
            assert!(verdict.is_err(), "bit {bit} of part {part}");
            parts[part][bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn never_panics_on_noise() {
    let mut random = Random(7);
    let (keys, policy) = (key_set(&[ES256.jwk()]), policy());
    for _ in 0..4_000 {
        let length = random.below(120);
        let noise: String = (0..length).map(|_| character(&mut random)).collect();
        assert!(Token::parse(&noise, LONGEST).is_err());
        let json = format!("{{\"keys\":[{noise}]}}");
        assert!(KeySet::parse(json.as_bytes()).is_err());
        let token = ES256.raw_token(ES256.header().to_string(), &noise);
        let steps = inspect(&token, LONGEST, |_| Some((Some(&keys), &policy)), NOW);
        assert!(steps.iter().any(|step| !step.ok));
    }
}
