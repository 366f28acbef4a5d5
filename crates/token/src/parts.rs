//! The outer form of a token: three parts of strict base64url (RFC 7515 section 7.1).

use crate::base64url;
use crate::refusal::{Kind, Refusal};

/// A token taken apart; header and payload still encoded.
pub(crate) struct Parts<'a> {
    /// The whole token.
    pub(crate) text: &'a str,
    pub(crate) header: &'a str,
    pub(crate) payload: &'a str,
    pub(crate) signature: Vec<u8>,
    /// What the signature covers: header, dot, payload (RFC 7515 section 5.2).
    pub(crate) signed: &'a str,
}

impl<'a> Parts<'a> {
    /// Takes `text` of at most `longest` bytes apart and decodes the signature.
    pub(crate) fn split(text: &'a str, longest: usize) -> Result<Self, Refusal> {
        if text.is_empty() {
            return Err(Refusal::new(Kind::Empty, "it has 0 bytes"));
        }
        if text.len() > longest {
            let detail = format!("{} bytes; at most {longest} are accepted", text.len());
            return Err(Refusal::new(Kind::TooLarge, detail));
        }
        if has_bearer_prefix(text) {
            return Err(Refusal::new(
                Kind::BearerPrefix,
                "it begins with \"Bearer\"",
            ));
        }
        let Some((signed, signature)) = text.rsplit_once('.') else {
            return Err(wrong_number_of_parts(text));
        };
        let Some((header, payload)) = signed.split_once('.') else {
            return Err(wrong_number_of_parts(text));
        };
        if payload.contains('.') {
            return Err(wrong_number_of_parts(text));
        }
        Ok(Self {
            text,
            header,
            payload,
            signature: decode("signature", signature)?,
            signed,
        })
    }
}

/// Decodes the part called `name`.
pub(crate) fn decode(name: &str, part: &str) -> Result<Vec<u8>, Refusal> {
    base64url::decode(part).map_err(|fault| {
        let refusal = Refusal::new(Kind::BadBase64, format!("{name}: {fault}"));
        if part.contains('=') {
            return refusal.with_hint(
                "A token has no padding (RFC 7515 section 2); have whoever encodes it leave out the \"=\".",
            );
        }
        refusal
    })
}

fn has_bearer_prefix(text: &str) -> bool {
    text.split_once(' ')
        .is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
}

fn wrong_number_of_parts(text: &str) -> Refusal {
    match text.split('.').count() {
        // RFC 7516 section 3.1: a compact JWE has five parts.
        5 => Refusal::new(Kind::Encrypted, "five parts instead of three"),
        found => Refusal::new(
            Kind::Malformed,
            format!("parts found: {found}; expected: 3"),
        ),
    }
}
