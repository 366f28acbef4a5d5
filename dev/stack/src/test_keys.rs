//! Published test keys, for other issuers than Stack Auth.

use aws_lc_rs::signature::{KeyPair, ML_DSA_44_SIGNING, PqdsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

const RSA: &str = include_str!("../testkeys/rsa.pem");
const RSA_CERTIFICATE: &str = include_str!("../testkeys/rsa.crt");
const P256: &str = include_str!("../testkeys/p256.pem");
const P384: &str = include_str!("../testkeys/p384.pem");
/// The ML-DSA key is that of the examples of RFC 9964.
const ML_DSA_SEED: [u8; 32] = [0; 32];
const ED25519: &str = include_str!("../testkeys/ed25519.pem");

/// An algorithm with a fixed key that everybody can read in this repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestKey {
    Rs256,
    Ps256,
    Es256,
    Es384,
    EdDsa,
    MlDsa44,
}

impl TestKey {
    /// The key that signs with `alg`, as a header names it.
    pub(crate) fn for_alg(alg: &str) -> Option<Self> {
        Some(match alg {
            "RS256" => Self::Rs256,
            "PS256" => Self::Ps256,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            "ML-DSA-44" => Self::MlDsa44,
            _ => return None,
        })
    }

    pub(crate) fn alg(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::MlDsa44 => "ML-DSA-44",
        }
    }

    pub(crate) fn kid(self) -> &'static str {
        match self {
            Self::Rs256 => "test-rs256",
            Self::Ps256 => "test-ps256",
            Self::Es256 => "test-es256",
            Self::Es384 => "test-es384",
            Self::EdDsa => "test-eddsa",
            Self::MlDsa44 => "test-ml-dsa-44",
        }
    }

    pub(crate) fn sign(self, message: &[u8]) -> String {
        match self.private() {
            Private::Usual(key, algorithm) => crypto::sign(message, &key, algorithm)
                .expect("the embedded key signs with its algorithm"),
            Private::Lattice(pair) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                pair.sign(message, &mut signature)
                    .expect("the embedded key signs");
                URL_SAFE_NO_PAD.encode(signature)
            }
        }
    }

    pub(crate) fn jwk(self) -> Value {
        match self.private() {
            Private::Usual(key, algorithm) => {
                let mut jwk = Jwk::from_encoding_key(&key, algorithm)
                    .expect("the embedded key has a public part");
                jwk.common.key_id = Some(self.kid().to_owned());
                serde_json::to_value(jwk).expect("a JWK is JSON")
            }
            Private::Lattice(pair) => json!({
                "kty": "AKP",
                "kid": self.kid(),
                "alg": self.alg(),
                "pub": URL_SAFE_NO_PAD.encode(pair.public_key()),
            }),
        }
    }

    fn private(self) -> Private {
        let (key, algorithm) = match self {
            Self::Rs256 => (EncodingKey::from_rsa_der(&der(RSA)), Algorithm::RS256),
            Self::Ps256 => (EncodingKey::from_rsa_der(&der(RSA)), Algorithm::PS256),
            Self::Es256 => (EncodingKey::from_ec_der(&der(P256)), Algorithm::ES256),
            Self::Es384 => (EncodingKey::from_ec_der(&der(P384)), Algorithm::ES384),
            Self::EdDsa => (EncodingKey::from_ed_der(&der(ED25519)), Algorithm::EdDSA),
            Self::MlDsa44 => {
                let pair = PqdsaKeyPair::from_seed(&ML_DSA_44_SIGNING, &ML_DSA_SEED);
                return Private::Lattice(pair.expect("the seed makes a key"));
            }
        };
        Private::Usual(key, algorithm)
    }
}

/// A private key, and how it signs.
enum Private {
    Usual(EncodingKey, Algorithm),
    /// `jsonwebtoken` has no ML-DSA.
    Lattice(PqdsaKeyPair),
}

/// A certificate of the RSA key, as a JWK's `x5c` contains it.
pub(crate) fn certificate() -> String {
    body(RSA_CERTIFICATE)
}

fn der(pem: &str) -> Vec<u8> {
    STANDARD.decode(body(pem)).expect("the embedded key is PEM")
}

/// The body of an embedded PEM file, in one line.
fn body(pem: &str) -> String {
    pem.lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|line| !line.starts_with("-----END"))
        .collect()
}
