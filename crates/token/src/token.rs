//! A token whose form is sound and of which nothing is verified.

use std::fmt;
use std::sync::Arc;

use crate::claims::Claims;
use crate::header::Header;
use crate::parts::Parts;
use crate::{Algorithm, Refusal};

/// Most bytes in a token, unless the caller says otherwise: 16 KiB.
pub const LONGEST: usize = 16 * 1024;

/// A token of sound form, read once; **nothing about it is verified**.
///
/// What the accessors return is what the sender wrote. It may choose a provider and
/// appear in a log; only [`Verified`](crate::Verified) may grant anything.
pub struct Token<'a> {
    pub(crate) text: &'a str,
    /// What the signature covers.
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
    pub(crate) content: Arc<Content>,
}

/// The parsed header and claims, shared between a token and its verdict.
pub(crate) struct Content {
    pub(crate) header: Header,
    pub(crate) claims: Claims,
}

impl<'a> Token<'a> {
    /// Reads a compact JWS (RFC 7515 section 7.1) of at most `longest` bytes that contains claims.
    ///
    /// # Errors
    /// Refuses a text that is not three parts of strict base64url, is not strict JSON, lacks a
    /// registered member or has one of the wrong type, or requires an unsupported feature.
    pub fn parse(text: &'a str, longest: usize) -> Result<Self, Refusal> {
        let parts = Parts::split(text, longest)?;
        let header = Header::parse(parts.header)?;
        let claims = Claims::parse(parts.payload)?;
        Ok(Self::new(parts, header, claims))
    }

    pub(crate) fn new(parts: Parts<'a>, header: Header, claims: Claims) -> Self {
        Self {
            text: parts.text,
            signed: parts.signed,
            signature: parts.signature,
            content: Arc::new(Content { header, claims }),
        }
    }

    /// The unverified `iss`, to choose a provider by (RFC 7519 section 4.1.1).
    pub fn issuer(&self) -> &str {
        &self.content.claims.issuer
    }

    /// The unverified `aud`: the audiences that the token names (RFC 7519 section 4.1.3).
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        self.content.claims.audiences()
    }

    /// The unverified `kid` (RFC 7515 section 4.1.4).
    pub fn key_id(&self) -> Option<&str> {
        self.content.header.key_id.as_deref()
    }

    /// The unverified `alg` (RFC 7515 section 4.1.1).
    pub fn algorithm(&self) -> Algorithm {
        self.content.header.algorithm
    }

    /// The unverified `sub`, only for logs (RFC 7519 section 4.1.2).
    pub fn subject(&self) -> &str {
        &self.content.claims.subject
    }
}

/// Shows neither the token nor its claims.
impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}
