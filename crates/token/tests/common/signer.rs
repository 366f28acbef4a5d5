//! Keys that sign anything.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384,
    RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use neon_auth_token::Algorithm;
use serde_json::{Value, json};

use super::encode;

/// A fresh key pair, its name and the algorithm it signs with.
pub struct Signer {
    pub algorithm: Algorithm,
    pub kid: String,
    pub pair: Pair,
}

pub enum Pair {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    pub fn new(algorithm: Algorithm, kid: &str) -> Self {
        let ec = |curve: &'static EcdsaSigningAlgorithm| {
            Pair::Ec(EcdsaKeyPair::generate(curve).expect("a key"))
        };
        let pair = match algorithm {
            Algorithm::ES256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::ES512 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDSA => Pair::Ed(Ed25519KeyPair::generate().expect("a key")),
            _ => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key")),
        };
        Self {
            algorithm,
            kid: kid.to_owned(),
            pair,
        }
    }

    /// The public key, with `kid` and `alg`.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Ec(_) => {
                let point = self.public_point();
                let (x, y) = point[1..].split_at(point.len() / 2);
                let crv = match x.len() {
                    32 => "P-256",
                    48 => "P-384",
                    _ => "P-521",
                };
                json!({"kty": "EC", "crv": crv, "x": encode(x), "y": encode(y)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": encode(pair.public_key())})
            }
            Pair::Rsa(pair) => {
                let n = pair
                    .public_key()
                    .modulus()
                    .big_endian_without_leading_zero();
                let e = pair
                    .public_key()
                    .exponent()
                    .big_endian_without_leading_zero();
                json!({"kty": "RSA", "n": encode(n), "e": encode(e)})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.algorithm.name());
        jwk
    }

    /// The public key with one member replaced, or removed if `value` is null.
    pub fn jwk_with(&self, name: &str, value: Value) -> Value {
        let mut jwk = self.jwk();
        if value.is_null() {
            jwk.as_object_mut().map(|members| members.remove(name));
        } else {
            jwk[name] = value;
        }
        jwk
    }

    /// The public key of an elliptic curve as an uncompressed point.
    pub fn public_point(&self) -> Vec<u8> {
        let Pair::Ec(pair) = &self.pair else {
            panic!("{} has no point", self.kid);
        };
        pair.public_key().as_ref().to_vec()
    }

    pub fn header(&self) -> Value {
        json!({"alg": self.algorithm.name(), "kid": self.kid})
    }

    /// Signs by the signer's own algorithm.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(self.algorithm, message)
    }

    /// Signs by another algorithm of the same family.
    pub fn sign_as(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        match &self.pair {
            Pair::Ec(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                signature.expect("a signature").as_ref().to_vec()
            }
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Rsa(_) => self.sign_rsa(rsa_encoding(algorithm), message),
        }
    }

    /// Signs with RSA in any encoding.
    pub fn sign_rsa(&self, encoding: &'static dyn RsaEncoding, message: &[u8]) -> Vec<u8> {
        let Pair::Rsa(pair) = &self.pair else {
            panic!("{} is no RSA key", self.kid);
        };
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
            .expect("a signature");
        signature
    }

    /// A properly signed token.
    pub fn token(&self, claims: &Value) -> String {
        self.raw_token(self.header().to_string(), claims.to_string())
    }

    /// A token with any bytes for header and payload, properly signed.
    pub fn raw_token(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        self.token_signed_by(header, payload, |message| self.sign(message))
    }

    /// A token with any bytes anywhere.
    pub fn token_signed_by(
        &self,
        header: impl AsRef<[u8]>,
        payload: impl AsRef<[u8]>,
        sign: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> String {
        let signed = format!("{}.{}", encode(header), encode(payload));
        let signature = sign(signed.as_bytes());
        format!("{signed}.{}", encode(signature))
    }
}

fn rsa_encoding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::RS256 => &RSA_PKCS1_SHA256,
        Algorithm::RS384 => &RSA_PKCS1_SHA384,
        Algorithm::RS512 => &RSA_PKCS1_SHA512,
        Algorithm::PS256 => &RSA_PSS_SHA256,
        Algorithm::PS384 => &RSA_PSS_SHA384,
        Algorithm::PS512 => &RSA_PSS_SHA512,
        other => panic!("{other} is not RSA"),
    }
}
