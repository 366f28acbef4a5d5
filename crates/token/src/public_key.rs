//! Public keys made ready for one algorithm each.

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ECDSA_P521_SHA512_FIXED, ED25519, ML_DSA_44,
    ML_DSA_65, ML_DSA_87, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384,
    RSA_PKCS1_2048_8192_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
    RSA_PSS_2048_8192_SHA512, RsaParameters, RsaPublicKeyComponents, VerificationAlgorithm,
};
use jsonwebtoken::signature::{Error, Verifier};
use jsonwebtoken::{AlgorithmFamily, DecodingKey, DecodingKeyKind};

use crate::Algorithm;

/// A parsed public key that verifies signatures of one algorithm.
///
/// It implements [`Verifier`], the interface of `jsonwebtoken`'s own verifiers, and is only used
/// through it. Those verifiers parse the key at every use and lack ES512 and ML-DSA: see the crate's page.
pub(crate) struct PublicKey {
    algorithm: Algorithm,
    key: ParsedPublicKey,
}

impl PublicKey {
    /// `key` parsed for `algorithm`; `None` if the algorithm does not fit the key, or if the key is
    /// invalid.
    ///
    /// aws-lc does not check here whether 32 bytes are a point of Ed25519; if they are not, every
    /// verification fails.
    pub(crate) fn new(algorithm: Algorithm, key: &DecodingKey) -> Option<Self> {
        let parsed = match (key.family(), key.kind()) {
            (AlgorithmFamily::Rsa, DecodingKeyKind::RsaModulusExponent { n, e }) => {
                RsaPublicKeyComponents { n, e }.to_parsed_public_key(rsa_parameters(algorithm)?)
            }
            (AlgorithmFamily::Ec | AlgorithmFamily::Ed, DecodingKeyKind::SecretOrDer(point)) => {
                ParsedPublicKey::new(curve(algorithm)?, point)
            }
            _ => return None,
        };
        Some(Self {
            algorithm,
            key: parsed.ok()?,
        })
    }

    /// The bytes of an ML-DSA key parsed for `algorithm`; `None` if that is another algorithm.
    ///
    /// aws-lc also accepts a `SubjectPublicKeyInfo` here, so the caller checks the length first.
    pub(crate) fn of_bytes(algorithm: Algorithm, bytes: &[u8]) -> Option<Self> {
        let key = ParsedPublicKey::new(lattice(algorithm)?, bytes).ok()?;
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

/// How a point verifies; a point of another curve is refused when it is parsed.
fn curve(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::ES256 => Some(&ECDSA_P256_SHA256_FIXED),
        Algorithm::ES384 => Some(&ECDSA_P384_SHA384_FIXED),
        Algorithm::ES512 => Some(&ECDSA_P521_SHA512_FIXED),
        Algorithm::EdDSA => Some(&ED25519),
        _ => None,
    }
}

fn lattice(algorithm: Algorithm) -> Option<&'static dyn VerificationAlgorithm> {
    match algorithm {
        Algorithm::MlDsa44 => Some(&ML_DSA_44),
        Algorithm::MlDsa65 => Some(&ML_DSA_65),
        Algorithm::MlDsa87 => Some(&ML_DSA_87),
        _ => None,
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
        _ => None,
    }
}
