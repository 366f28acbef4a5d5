//! Every algorithm works, with a key that names it and with one that does not.

use neon_auth_token::{Algorithm, LONGEST, Policy, Token, UnknownAlgorithm, verify};
use serde_json::{Value, json};

use crate::common::*;

#[test]
fn accepts_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm, "k");
        let token = signer.token(&claims());
        let jwks = match &signer.pair {
            Pair::Lattice(_) => vec![signer.jwk()],
            _ => vec![signer.jwk(), signer.jwk_with("alg", Value::Null)],
        };
        for jwk in jwks {
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
        assert!(UnknownAlgorithm.to_string().contains("not supported"));
    }
}

#[test]
fn accepts_one_rsa_key_for_its_whole_family() {
    let keys = key_set(&[RS256.jwk_with("alg", Value::Null)]);
    for algorithm in Algorithm::ALL {
        let header = json!({"alg": algorithm.name(), "kid": RS256.kid}).to_string();
        if !algorithm.name().starts_with("RS") && !algorithm.name().starts_with("PS") {
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

/// Libraries write `typ`, which tests leave out otherwise.
#[test]
fn accepts_tokens_that_another_library_makes() {
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::ES256);
    header.kid = Some(ES256.kid.clone());
    let token = jsonwebtoken::encode(&header, &claims(), &ES256.private()).expect("a token");
    assert!(judge(&token).is_ok());
}

/// `jsonwebtoken` reads the same keys and verifies the same tokens, where it knows the algorithm.
#[test]
fn agrees_with_jsonwebtoken() {
    let mut unknown = vec![];
    for algorithm in Algorithm::ALL {
        let Ok(named) = algorithm.name().parse() else {
            unknown.push(algorithm);
            continue;
        };
        let (signer, other) = (Signer::new(algorithm, "k"), Signer::new(algorithm, "k"));
        let token = signer.token(&claims());
        let mut validation = jsonwebtoken::Validation::new(named);
        validation.validate_exp = false;
        validation.set_audience(&["app"]);
        for (jwk, accepted) in [(signer.jwk(), true), (other.jwk(), false)] {
            let typed = serde_json::from_value(jwk.clone()).expect("a JWK");
            let key = jsonwebtoken::DecodingKey::from_jwk(&typed).expect("a key");
            let theirs = jsonwebtoken::decode::<Value>(&token, &key, &validation);
            assert_eq!(theirs.is_ok(), accepted, "{algorithm}");
            let ours = judge_by(&token, &key_set(&[jwk]), &policy(), NOW);
            assert_eq!(ours.is_ok(), accepted, "{algorithm}");
        }
    }
    let ours = [
        Algorithm::ES512,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
        Algorithm::MlDsa87,
    ];
    assert_eq!(unknown, ours);
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
                    .and_then(|token| verify(&token, &keys, &policy(), NOW, None))
            })
            .join()
    });
    assert!(verified.is_ok_and(|verdict| verdict.is_ok()));
}
