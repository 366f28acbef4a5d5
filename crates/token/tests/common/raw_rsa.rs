//! RSA without a padding scheme, to sign what no library would.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use num_bigint::BigUint;

use super::Signer;
use super::signer::Pair;

/// The numbers of an RSA key.
pub struct RawRsa {
    pub n: BigUint,
    d: BigUint,
}

impl RawRsa {
    pub fn of(signer: &Signer) -> Self {
        let Pair::Rsa(pair) = &signer.pair else {
            panic!("{} is no RSA key", signer.kid);
        };
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("a private key");
        // PrivateKeyInfo { version, algorithm, OCTET STRING { RSAPrivateKey } } (RFC 5208)
        let info = element(der.as_ref()).0;
        let (_version, rest) = element(info);
        let (_algorithm, rest) = element(rest);
        let key = element(element(rest).0).0;
        // RSAPrivateKey { version, n, e, d, … } (RFC 8017 appendix A.1.2)
        let (_version, rest) = element(key);
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

/// The content of the first DER element, and what follows it.
fn element(der: &[u8]) -> (&[u8], &[u8]) {
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
