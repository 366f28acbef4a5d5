//! Session tokens of Better Auth, as they are presented: bare, or as in the cookie, with a dot and their
//! signature, an HMAC-SHA256 under the application's secret in base64, URL-encoded or not.

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Better Auth's tokens have 32 characters.
const LONGEST: usize = 255;
/// The length of a signature.
const SIGNATURE_BYTES: usize = 32;
/// The end of the cookie's name, with the character after it, which is not in any token.
const COOKIE: &str = "session_token=";

/// Why a text is not a session token.
#[derive(Debug, PartialEq, Eq)]
pub enum BadToken {
    /// It contains the name of the cookie.
    NamedCookie,
    /// Another defect, as a sentence.
    Malformed(String),
}

/// Whether a text contains the name of the cookie.
pub fn is_named(text: &str) -> bool {
    text.contains('=') && text.contains(COOKIE)
}

/// A token as it was presented.
pub struct Presented {
    pub token: String,
    signature: Option<Vec<u8>>,
}

impl Presented {
    /// # Errors
    /// Why the text is not a session token, whoever signed it.
    pub fn parse(text: &str) -> Result<Self, BadToken> {
        let malformed = |defect: &str| BadToken::Malformed(defect.to_owned());
        if is_named(text) {
            return Err(BadToken::NamedCookie);
        }
        let decoded = match text.contains('%') {
            true => percent_decoded(text)
                .ok_or_else(|| malformed("It contains an invalid percent-encoding."))?,
            false => text.to_owned(),
        };
        let (token, signature) = match decoded.rsplit_once('.') {
            None => (decoded, None),
            Some((token, signature)) => {
                let bytes = BASE64_STANDARD.decode(signature).ok();
                let bytes = bytes.filter(|bytes| bytes.len() == SIGNATURE_BYTES);
                let bytes = bytes.ok_or_else(|| {
                    malformed("The part after the last dot is not a signature: 32 bytes in base64.")
                })?;
                (token.to_owned(), Some(bytes))
            }
        };
        if !(1..=LONGEST).contains(&token.len()) {
            return Err(malformed(&format!(
                "The token has {} bytes; 1 to {LONGEST} are accepted.",
                token.len()
            )));
        }
        if token.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(malformed("It contains a blank or a control character."));
        }
        Ok(Self { token, signature })
    }

    /// Whether it comes with a signature, whose ever.
    pub fn is_signed(&self) -> bool {
        self.signature.is_some()
    }

    /// Whether it has no signature that none of the secrets made. Compares in constant time. Without a
    /// secret nothing can be compared.
    pub fn may_be_ours<'s>(&self, secrets: impl IntoIterator<Item = &'s str>) -> bool {
        let Some(signature) = &self.signature else {
            return true;
        };
        let mut secrets = secrets.into_iter().peekable();
        let is_ours = |secret: &str| {
            let key = Key::new(HMAC_SHA256, secret.as_bytes());
            hmac::verify(&key, self.token.as_bytes(), signature).is_ok()
        };
        secrets.peek().is_none() || secrets.any(is_ours)
    }
}

/// `None` for what is not percent-encoding of UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return None;
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}
