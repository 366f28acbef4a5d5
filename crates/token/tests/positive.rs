//! Every algorithm works, with a key that names it and with one that does not.

use neon_auth_token::{Algorithm, LONGEST, Policy, Token, UnknownAlgorithm, verify};
use serde_json::{Value, json};

use crate::common::*;

#[test]
fn accepts_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm, "k");
        let token = signer.token(&claims());
        for jwk in [signer.jwk(), signer.jwk_with("alg", Value::Null)] {
            let verified = judge_by(&token, &key_set(&[jwk]), &policy(), NOW);
            assert_eq!(verified.expect("accepted").algorithm(), algorithm);
        }
    }
}

/// RFC 9864 names EdDSA with Ed25519 anew: the key and the signature are the same.
#[test]
fn accepts_both_names_of_ed25519() {
    assert_eq!("Ed25519".parse(), Ok(Algorithm::EdDSA));
    let only_ed = Policy {
        algorithms: vec![Algorithm::EdDSA],
        ..policy()
    };
    for in_token in ["EdDSA", "Ed25519"] {
        let header = json!({"alg": in_token, "kid": EDDSA.kid}).to_string();
        let token = EDDSA.raw_token(header, claims().to_string());
        for in_key in [json!("EdDSA"), json!("Ed25519"), Value::Null] {
            let keys = key_set(&[EDDSA.jwk_with("alg", in_key)]);
            assert!(judge_by(&token, &keys, &only_ed, NOW).is_ok());
        }
    }
    for unknown in ["ed25519", "ED25519", "Ed448", "EdDsa"] {
        assert_eq!(unknown.parse::<Algorithm>(), Err(UnknownAlgorithm));
    }
}

#[test]
fn accepts_one_rsa_key_for_its_whole_family() {
    let keys = key_set(&[RS256.jwk_with("alg", Value::Null)]);
    for algorithm in Algorithm::ALL {
        let header = json!({"alg": algorithm.name(), "kid": RS256.kid}).to_string();
        if !algorithm.name().contains('S') || algorithm.name().starts_with('E') {
            continue;
        }
        let token = RS256.token_signed_by(header, claims().to_string(), |message| {
            RS256.sign_as(algorithm, message)
        });
        assert!(
            judge_by(&token, &keys, &policy(), NOW).is_ok(),
            "{algorithm}"
        );
    }
}

#[test]
fn accepts_tokens_that_another_library_makes() {
    use jsonwebtoken::{EncodingKey, Header, encode};
    let pair = aws_lc_rs::signature::EcdsaKeyPair::generate(
        &aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING,
    )
    .expect("a key");
    let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
    header.kid = Some("key-1".to_owned());
    let private = pair.to_pkcs8v1().expect("a private key");
    let key = EncodingKey::from_ec_der(private.as_ref());
    let token = encode(&header, &claims(), &key).expect("a token");
    let signer = Signer {
        algorithm: Algorithm::ES256,
        kid: "key-1".to_owned(),
        pair: Pair::Ec(pair),
    };
    assert!(judge_by(&token, &key_set(&[signer.jwk()]), &policy(), NOW).is_ok());
}

#[test]
fn names_algorithms_exactly() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        assert_eq!(
            algorithm.name().to_lowercase().parse::<Algorithm>(),
            Err(UnknownAlgorithm)
        );
    }
}

#[test]
fn keys_and_verdicts_cross_threads() {
    let keys = key_set(&[ES256.jwk()]);
    let token = ES256.token(&claims());
    let verified = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                Token::parse(&token, LONGEST)
                    .and_then(|token| verify(&token, &keys, &policy(), NOW))
            })
            .join()
    });
    assert!(verified.is_ok_and(|verdict| verdict.is_ok()));
}
