//! ML-DSA (FIPS 204) and keys of type AKP (RFC 9964).

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::KeyPair;
use neon_auth_token::{Algorithm, KeySet, Policy};
use serde_json::{Value, json};

use crate::common::*;

const ALL: [Algorithm; 3] = [Algorithm::MlDsa44, Algorithm::MlDsa65, Algorithm::MlDsa87];

/// The public key in bytes.
fn public(signer: &Signer) -> Vec<u8> {
    let Pair::Lattice(pair) = &signer.pair else {
        panic!("{} is not an ML-DSA key", signer.kid);
    };
    pair.public_key().as_ref().to_vec()
}

/// A signer's JWK with other bytes.
fn jwk_of(signer: &Signer, bytes: impl AsRef<[u8]>) -> Value {
    signer.jwk_with("pub", json!(encode(bytes)))
}

#[test]
fn leaves_out_keys_of_another_length() {
    for algorithm in ALL {
        let signer = Signer::new(algorithm, "pq");
        let key = public(&signer);
        for bytes in [
            vec![],
            vec![7; 32],
            key[1..].to_vec(),
            key[..key.len() - 1].to_vec(),
            [key.as_slice(), &[0]].concat(),
            [&[0], key.as_slice()].concat(),
        ] {
            assert_eq!(left_out(jwk_of(&signer, bytes)), "bad_akp_key");
        }
        // The length of another parameter set is not enough either.
        for other in ALL.into_iter().filter(|other| *other != algorithm) {
            let renamed = signer.jwk_with("alg", json!(other.name()));
            assert_eq!(left_out(renamed), "bad_akp_key");
        }
    }
}

/// aws-lc would take one for the key itself.
#[test]
fn leaves_out_a_key_wrapped_in_der() {
    let Pair::Lattice(pair) = &ML_DSA_44.pair else {
        panic!("it is an ML-DSA key");
    };
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().expect("a public key");
    assert_eq!(left_out(jwk_of(&ML_DSA_44, der.as_ref())), "bad_akp_key");
}

/// With t1 = 0, a response of zero verifies for any message.
#[test]
fn leaves_out_keys_with_which_anybody_can_sign() {
    for algorithm in ALL {
        let signer = Signer::new(algorithm, "pq");
        let mut key = public(&signer);
        key[32..].fill(0);
        assert_eq!(left_out(jwk_of(&signer, &key)), "bad_akp_key");
        assert_eq!(left_out(jwk_of(&signer, vec![0; key.len()])), "bad_akp_key");
    }
}

#[test]
fn leaves_out_keys_that_lack_a_member_or_have_an_odd_one() {
    for (name, value, code) in [
        ("alg", Value::Null, "malformed"),
        ("pub", Value::Null, "malformed"),
        ("pub", json!(7), "malformed"),
        ("pub", json!("not base64url!"), "malformed"),
        ("alg", json!("ES256"), "algorithm_mismatch"),
        ("alg", json!("EdDSA"), "algorithm_mismatch"),
        ("alg", json!("ml-dsa-44"), "unsupported"),
        ("alg", json!("MLDSA44"), "unsupported"),
        ("kty", json!("akp"), "unsupported"),
        ("kty", json!("OKP"), "malformed"),
        ("use", json!("enc"), "other_purpose"),
        ("key_ops", json!(["sign"]), "other_purpose"),
        ("priv", json!(encode([7; 32])), "private_key"),
    ] {
        assert_eq!(left_out(ML_DSA_44.jwk_with(name, value)), code, "{name}");
    }
    for signer in [&ES256, &RS256, &EDDSA] {
        let renamed = signer.jwk_with("alg", json!("ML-DSA-44"));
        assert_eq!(left_out(renamed), "algorithm_mismatch");
    }
}

#[test]
fn takes_keys_beside_others_and_stores_what_it_reads() {
    let lattice = ALL.map(|algorithm| Signer::new(algorithm, algorithm.name()));
    let mut jwks = vec![ES256.jwk(), RS256.jwk_with("alg", Value::Null)];
    jwks.extend(lattice.iter().map(Signer::jwk));
    let text = json!({ "keys": jwks }).to_string();
    let stored = KeySet::storable(text.as_bytes()).expect("a set can be stored");
    for set in [&text, &stored] {
        let keys = KeySet::parse(set.as_bytes()).expect("a key set");
        assert_eq!(keys.len(), 5);
        let mut served = Algorithm::ALL.to_vec();
        served.retain(|one| ![Algorithm::ES384, Algorithm::ES512, Algorithm::EdDSA].contains(one));
        assert_eq!(keys.algorithms().collect::<Vec<_>>(), served);
        for signer in lattice.iter().chain([&*ES256, &*RS256]) {
            assert!(judge_by(&signer.token(&claims()), &keys, &policy(), NOW).is_ok());
        }
    }
}

#[test]
fn refuses_tokens_where_the_policy_does_not_name_the_algorithm() {
    for algorithm in ALL {
        let signer = Signer::new(algorithm, "pq");
        let keys = key_set(&[signer.jwk()]);
        let token = signer.token(&claims());
        let mut algorithms = Algorithm::ALL.to_vec();
        algorithms.retain(|one| *one != algorithm);
        let others = Policy {
            algorithms,
            ..policy()
        };
        let refusal = judge_by(&token, &keys, &others, NOW).expect_err("not accepted");
        assert_eq!(refusal.code(), "algorithm_not_allowed");
        assert!(refusal.detail().contains(algorithm.name()));
        assert!(refusal.hint().contains("algorithms"));
    }
}

/// Each flipped bit is one of the challenge, the response or the hint (FIPS 204 section 7.2).
#[test]
fn refuses_every_altered_part_of_a_signature() {
    for algorithm in ALL {
        let signer = Signer::new(algorithm, "pq");
        let keys = key_set(&[signer.jwk()]);
        let mut altered = Vec::new();
        let token = |sign: &mut dyn FnMut(&[u8]) -> Vec<u8>| {
            let (header, payload) = (signer.header().to_string(), claims().to_string());
            signer.token_signed_by(header, payload, sign)
        };
        let good = token(&mut |message| {
            altered = signer.sign(message);
            altered.clone()
        });
        assert!(judge_by(&good, &keys, &policy(), NOW).is_ok());
        let length = altered.len();
        for at in (0..length).step_by(199).chain(length - 90..length) {
            altered[at] ^= 1;
            let bad = token(&mut |_| altered.clone());
            altered[at] ^= 1;
            assert_eq!(refusal_by(&bad, &keys, &policy()), "bad_signature", "{at}");
        }
    }
}

#[test]
fn refuses_a_token_that_names_another_parameter_set() {
    for algorithm in ALL {
        let signer = Signer::new(algorithm, "pq");
        for other in ALL.into_iter().filter(|other| *other != algorithm) {
            let header = json!({"alg": other.name(), "kid": "pq"}).to_string();
            let token = signer.raw_token(header, claims().to_string());
            let keys = key_set(&[signer.jwk()]);
            assert_eq!(refusal_by(&token, &keys, &policy()), "unusable_key");
            // A key of the named set, under the same name.
            let keys = key_set(&[signer.jwk(), Signer::new(other, "pq").jwk()]);
            assert_eq!(refusal_by(&token, &keys, &policy()), "bad_signature");
        }
    }
}

/// The largest key and signature leave room for claims within the longest token.
#[test]
fn a_token_of_the_largest_kind_fits() {
    let signer = Signer::new(Algorithm::MlDsa87, "pq");
    let token = signer.token(&claims_with("text", json!("x".repeat(7_000))));
    assert!(token.len() <= neon_auth_token::LONGEST);
    let keys = key_set(&[signer.jwk()]);
    assert!(judge_by(&token, &keys, &policy(), NOW).is_ok());
}
