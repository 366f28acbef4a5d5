//! RSA without a padding scheme, or with an odd one, to sign what no library would.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::RsaEncoding;
use num_bigint::BigUint;

use super::signer::{Pair, Signer, element, rsa_private_key};

/// The numbers of an RSA key.
pub struct RawRsa {
    pub n: BigUint,
    d: BigUint,
}

impl RawRsa {
    pub fn of(signer: &Signer) -> Self {
        let Pair::Rsa(pair) = &signer.pair else {
            panic!("{} is not an RSA key", signer.kid);
        };
        let key = rsa_private_key(pair);
        // RSAPrivateKey { version, n, e, d, … } (RFC 8017 appendix A.1.2)
        let (_version, rest) = element(element(&key).0);
        let (n, rest) = element(rest);
        let (_e, rest) = element(rest);
        let (d, _) = element(rest);
        Self {
            n: BigUint::from_bytes_be(n),
            d: BigUint::from_bytes_be(d),
        }
    }

    /// "Signs" an encoded message as it is.
    pub fn sign(&self, encoded: &[u8]) -> Vec<u8> {
        let signature = BigUint::from_bytes_be(encoded).modpow(&self.d, &self.n);
        self.to_bytes(&signature)
    }

    /// A number in as many bytes as the modulus has.
    pub fn to_bytes(&self, number: &BigUint) -> Vec<u8> {
        let bytes = number.to_bytes_be();
        let size = self.n.to_bytes_be().len();
        let mut padded = vec![0; size.saturating_sub(bytes.len())];
        padded.extend(bytes);
        padded
    }
}

/// Signs with RSA in any encoding.
pub fn sign_encoded(
    signer: &Signer,
    encoding: &'static dyn RsaEncoding,
    message: &[u8],
) -> Vec<u8> {
    let Pair::Rsa(pair) = &signer.pair else {
        panic!("{} is not an RSA key", signer.kid);
    };
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(encoding, &SystemRandom::new(), message, &mut signature)
        .expect("a signature");
    signature
}
