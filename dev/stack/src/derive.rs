//! Values derived from the seed, so that separate processes agree on them.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// Hashes `parts` unambiguously: no two different lists give the same input.
pub fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// `length` base64url characters (at most 43) derived from `parts`.
pub fn text(parts: &[&str], length: usize) -> String {
    let mut text = base64url(&digest(parts));
    text.truncate(length);
    text
}

/// A version 4 UUID derived from `parts`.
pub fn uuid(parts: &[&str]) -> Uuid {
    let digest = digest(parts);
    let bytes = std::array::from_fn(|at| digest[at]);
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}

/// Base64url without padding, as JOSE writes it.
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
