//! Strict base64url (RFC 7515 section 2): no padding, no whitespace, no stray bits.

use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::{DecodeError, Engine};

/// Decodes `text`, or says what is wrong with it without repeating any of it.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(text).map_err(|error| match error {
        DecodeError::InvalidByte(offset, b'=') => format!("padding at offset {offset}"),
        DecodeError::InvalidByte(offset, _) => {
            format!("a character outside the alphabet at offset {offset}")
        }
        DecodeError::InvalidLength(length) => format!("an impossible length of {length}"),
        DecodeError::InvalidLastSymbol { offset, .. } => {
            format!("unused bits that are not zero at offset {offset}")
        }
        DecodeError::InvalidPadding => "padding".to_owned(),
    })
}

/// Encodes `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
