//! Published test keys of the algorithms that Stack Auth itself does not use.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::Value;

const RSA: &str = include_str!("../testkeys/rsa.pem");
const P384: &str = include_str!("../testkeys/p384.pem");
const ED25519: &str = include_str!("../testkeys/ed25519.pem");

/// An algorithm with a fixed key that everybody can read in this repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TestKey {
    Rs256,
    Ps256,
    Es384,
    EdDsa,
}

impl TestKey {
    pub(crate) fn alg(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    pub(crate) fn kid(self) -> &'static str {
        match self {
            Self::Rs256 => "test-rs256",
            Self::Ps256 => "test-ps256",
            Self::Es384 => "test-es384",
            Self::EdDsa => "test-eddsa",
        }
    }

    pub(crate) fn sign(self, message: &[u8]) -> Vec<u8> {
        let signature = crypto::sign(message, &self.private(), self.algorithm())
            .expect("the embedded key signs with its algorithm");
        URL_SAFE_NO_PAD
            .decode(signature)
            .expect("a signature is base64url")
    }

    pub(crate) fn jwk(self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.private(), self.algorithm())
            .expect("the embedded key has a public part");
        jwk.common.key_id = Some(self.kid().to_owned());
        serde_json::to_value(jwk).expect("a JWK is JSON")
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::Rs256 => Algorithm::RS256,
            Self::Ps256 => Algorithm::PS256,
            Self::Es384 => Algorithm::ES384,
            Self::EdDsa => Algorithm::EdDSA,
        }
    }

    fn private(self) -> EncodingKey {
        match self {
            Self::Rs256 | Self::Ps256 => EncodingKey::from_rsa_der(&der(RSA)),
            Self::Es384 => EncodingKey::from_ec_der(&der(P384)),
            Self::EdDsa => EncodingKey::from_ed_der(&der(ED25519)),
        }
    }
}

/// The body of an embedded PEM file.
fn der(pem: &str) -> Vec<u8> {
    let body: String = pem
        .lines()
        .skip_while(|line| !line.starts_with("-----BEGIN"))
        .skip(1)
        .take_while(|line| !line.starts_with("-----END"))
        .collect();
    STANDARD.decode(body).expect("the embedded key is PEM")
}
