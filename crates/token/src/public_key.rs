//! Public keys made ready for one algorithm each.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519,
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use jsonwebtoken::signature::{Error, Verifier};

use crate::Algorithm;

/// A parsed public key that verifies signatures of one algorithm.
///
/// It is a [`Verifier`] of its own: those that `jsonwebtoken` builds parse the key at every use,
/// which costs 14 % of an RSA verification and 3 % of an ECDSA one, and know no ES512.
pub(crate) struct PublicKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl PublicKey {
    /// An RSA key for `algorithm`, or nothing if the algorithm or the key is not RSA.
    /// Both integers are big-endian, without leading zeros, and already of a sane size.
    pub(crate) fn rsa(algorithm: Algorithm, modulus: &[u8], exponent: &[u8]) -> Option<Self> {
        let components = RsaPublicKeyComponents {
            n: modulus,
            e: exponent,
        };
        let key = components
            .to_parsed_public_key(rsa_parameters(algorithm)?)
            .ok()?;
        Some(Self { algorithm, key })
    }

    /// A key of an elliptic curve: an uncompressed SEC 1 point for ES256, ES384 and ES512, 32
    /// bytes for EdDSA. Nothing if the point is not on the curve of `algorithm`; aws-lc
    /// finds that out for Ed25519 only at verification, which then always fails.
    pub(crate) fn elliptic(algorithm: Algorithm, point: &[u8]) -> Option<Self> {
        let curve: &'static dyn VerificationAlgorithm = match algorithm {
            Algorithm::ES256 => &ECDSA_P256_SHA256_FIXED,
            Algorithm::ES384 => &ECDSA_P384_SHA384_FIXED,
            Algorithm::ES512 => &ECDSA_P521_SHA512_FIXED,
            Algorithm::EdDSA => &ED25519,
            _ => return None,
        };
        let key = ParsedPublicKey::new(curve, point).ok()?;
        Some(Self { algorithm, key })
    }

    /// The one algorithm this key is ready for.
    pub(crate) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Verifier<Vec<u8>> for PublicKey {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), Error> {
        self.key
            .verify_sig(message, signature)
            .map_err(|_| Error::new())
    }
}

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::RS256 => Some(&RSA_PKCS1_2048_8192_SHA256),
        Algorithm::RS384 => Some(&RSA_PKCS1_2048_8192_SHA384),
        Algorithm::RS512 => Some(&RSA_PKCS1_2048_8192_SHA512),
        Algorithm::PS256 => Some(&RSA_PSS_2048_8192_SHA256),
        Algorithm::PS384 => Some(&RSA_PSS_2048_8192_SHA384),
        Algorithm::PS512 => Some(&RSA_PSS_2048_8192_SHA512),
        Algorithm::ES256 | Algorithm::ES384 | Algorithm::ES512 | Algorithm::EdDSA => None,
    }
}
