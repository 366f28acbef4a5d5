//! Keys of type AKP (RFC 9964): one member of bytes, whose meaning `alg` defines.
//!
//! `jsonwebtoken` has no type for them. Only ML-DSA is supported.

use aws_lc_rs::digest::{SHA256, digest};

use crate::left_out::{Kind, Reason};
use crate::member::{bytes, malformed, string};
use crate::public_key::PublicKey;
use crate::value::{Map, Value};
use crate::{Algorithm, base64url};

/// The value of `kty`.
pub(crate) const KTY: &str = "AKP";
/// The bytes of an ML-DSA key before its vector t1 (FIPS 204 section 7.2, "pkEncode").
const SEED: usize = 32;

/// Reads `pub` as a key for the algorithm that `alg` names, and returns it with its thumbprint.
pub(crate) fn read(
    members: &Map<String, Value>,
    named: Option<Algorithm>,
) -> Result<(PublicKey, String), Reason> {
    // The same bytes may be a key for several algorithms, so `alg` is required.
    let named = named.ok_or_else(|| malformed("alg is absent, which an AKP key requires"))?;
    let Some(length) = length(named) else {
        return Err(Reason::new(
            Kind::AlgorithmMismatch,
            format!("its alg is {named} on an AKP key"),
        ));
    };
    let text = string(members, "pub")?.ok_or_else(|| malformed("pub is absent"))?;
    let key = bytes("pub", text)?;
    let bad = |text: String| Reason::new(Kind::BadAkpKey, text);
    if key.len() != length {
        let found = key.len();
        return Err(bad(format!(
            "its pub has {found} bytes; a key for {named} has {length}"
        )));
    }
    // With t1 = 0 the key cancels out of the verification, so anybody can sign.
    if key[SEED..].iter().all(|byte| *byte == 0) {
        return Err(bad(format!(
            "its pub is zero after {SEED} bytes, so anybody can sign"
        )));
    }
    let prepared = PublicKey::of_bytes(named, &key)
        .ok_or_else(|| bad(format!("its pub is not a valid key for {named}")))?;
    Ok((prepared, thumbprint(named, &key)))
}

/// The bytes of a public key (FIPS 204 section 4, table 2).
fn length(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::MlDsa44 => Some(1312),
        Algorithm::MlDsa65 => Some(1952),
        Algorithm::MlDsa87 => Some(2592),
        _ => None,
    }
}

/// RFC 7638, with the members that RFC 9964 requires of a key.
fn thumbprint(algorithm: Algorithm, key: &[u8]) -> String {
    let required = format!(
        r#"{{"alg":"{algorithm}","kty":"{KTY}","pub":"{}"}}"#,
        base64url::encode(key)
    );
    base64url::encode(digest(&SHA256, required.as_bytes()).as_ref())
}
