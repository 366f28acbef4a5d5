//! Keys that sign anything. What `jsonwebtoken` can sign and publish, it does; aws-lc makes the
//! keys, and signs with ES512 and ML-DSA.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING,
    ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair,
    ML_DSA_44_SIGNING, ML_DSA_65_SIGNING, ML_DSA_87_SIGNING, PqdsaKeyPair, PqdsaSigningAlgorithm,
    RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{EncodingKey, Header, crypto};
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
    Lattice(PqdsaKeyPair),
}

impl Signer {
    pub fn new(algorithm: Algorithm, kid: &str) -> Self {
        let ec = |curve: &'static EcdsaSigningAlgorithm| {
            Pair::Ec(EcdsaKeyPair::generate(curve).expect("a key"))
        };
        let lattice = |parameters: &'static PqdsaSigningAlgorithm| {
            Pair::Lattice(PqdsaKeyPair::generate(parameters).expect("a key"))
        };
        let pair = match algorithm {
            Algorithm::ES256 => ec(&ECDSA_P256_SHA256_FIXED_SIGNING),
            Algorithm::ES384 => ec(&ECDSA_P384_SHA384_FIXED_SIGNING),
            Algorithm::ES512 => ec(&ECDSA_P521_SHA512_FIXED_SIGNING),
            Algorithm::EdDSA => Pair::Ed(Ed25519KeyPair::generate().expect("a key")),
            Algorithm::MlDsa44 => lattice(&ML_DSA_44_SIGNING),
            Algorithm::MlDsa65 => lattice(&ML_DSA_65_SIGNING),
            Algorithm::MlDsa87 => lattice(&ML_DSA_87_SIGNING),
            _ => Pair::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).expect("a key")),
        };
        Self {
            algorithm,
            kid: kid.to_owned(),
            pair,
        }
    }

    /// The private key as `jsonwebtoken` signs with it.
    pub fn private(&self) -> EncodingKey {
        match &self.pair {
            Pair::Ec(pair) => {
                EncodingKey::from_ec_der(pair.to_pkcs8v1().expect("a private key").as_ref())
            }
            Pair::Ed(pair) => {
                EncodingKey::from_ed_der(pair.to_pkcs8v1().expect("a private key").as_ref())
            }
            Pair::Rsa(pair) => EncodingKey::from_rsa_der(&rsa_private_key(pair)),
            Pair::Lattice(_) => panic!("jsonwebtoken cannot sign with {}", self.algorithm),
        }
    }

    /// The public key, with `kid` and `alg`.
    pub fn jwk(&self) -> Value {
        if let Pair::Lattice(pair) = &self.pair {
            let (key, alg) = (encode(pair.public_key()), self.algorithm.name());
            return json!({"kty": "AKP", "kid": self.kid, "alg": alg, "pub": key});
        }
        let Some(algorithm) = named(self.algorithm) else {
            let point = self.public_point();
            let (x, y) = point[1..].split_at(point.len() / 2);
            let (x, y, alg) = (encode(x), encode(y), self.algorithm.name());
            return json!({
                "kty": "EC", "crv": "P-521", "kid": self.kid, "alg": alg, "x": x, "y": y,
            });
        };
        let mut jwk = Jwk::from_encoding_key(&self.private(), algorithm).expect("a JWK");
        jwk.common.key_id = Some(self.kid.clone());
        serde_json::to_value(jwk).expect("JSON")
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
        match (named(algorithm), &self.pair) {
            (Some(algorithm), _) => {
                let signature = crypto::sign(message, &self.private(), algorithm);
                URL_SAFE_NO_PAD
                    .decode(signature.expect("a signature"))
                    .expect("base64url")
            }
            (None, Pair::Ec(pair)) => {
                let signature = pair.sign(&SystemRandom::new(), message);
                signature.expect("a signature").as_ref().to_vec()
            }
            (None, Pair::Lattice(pair)) => {
                let mut signature = vec![0; pair.algorithm().signature_len()];
                let length = pair.sign(message, &mut signature).expect("a signature");
                signature[..length].to_vec()
            }
            (None, _) => panic!("{} is not a key for {algorithm}", self.kid),
        }
    }

    /// A properly signed token.
    pub fn token(&self, claims: &Value) -> String {
        let Some(algorithm) = named(self.algorithm) else {
            return self.raw_token(self.header().to_string(), claims.to_string());
        };
        let mut header = Header::new(algorithm);
        header.typ = None;
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.private()).expect("a token")
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

/// The algorithm as `jsonwebtoken` names it, if it knows it.
fn named(algorithm: Algorithm) -> Option<jsonwebtoken::Algorithm> {
    algorithm.name().parse().ok()
}

/// The `RSAPrivateKey` (RFC 8017 appendix A.1.2) of a pair, in DER.
pub fn rsa_private_key(pair: &RsaKeyPair) -> Vec<u8> {
    let der: Pkcs8V1Der<'_> = pair.as_der().expect("a private key");
    // PrivateKeyInfo { version, algorithm, OCTET STRING { RSAPrivateKey } } (RFC 5208)
    let (_version, rest) = element(element(der.as_ref()).0);
    let (_algorithm, rest) = element(rest);
    element(rest).0.to_vec()
}

/// The content of the first DER element, and what follows it.
pub fn element(der: &[u8]) -> (&[u8], &[u8]) {
    let (length, start) = match der[1] {
        short @ ..0x80 => (usize::from(short), 2),
        long => {
            let bytes = usize::from(long & 0x7f);
            let length = der[2..2 + bytes]
                .iter()
                .fold(0, |length, byte| length << 8 | usize::from(*byte));
            (length, 2 + bytes)
        }
    };
    der[start..].split_at(length)
}
