//! The one way to a verified identity.

use std::fmt;
use std::sync::Arc;

use crate::checks;
use crate::token::Content;
use crate::value::{Map, Value};
use crate::{Algorithm, KeySet, Policy, Refusal, SignatureCache, Token};

/// Judges a token by a provider's keys and policy at the time `now`, in seconds since 1970.
///
/// The issuer is checked against `policy` whatever led the caller to this provider. With a `cache`, a
/// signature that it contains is not checked again; no other rule depends on it.
///
/// # Errors
/// The first rule that the token breaks.
pub fn verify(
    token: &Token<'_>,
    keys: &KeySet,
    policy: &Policy,
    now: i64,
    cache: Option<&SignatureCache<'_>>,
) -> Result<Verified, Refusal> {
    checks::all(token, Some(keys), policy, now, cache, checks::demand)?;
    if let Some(cache) = cache {
        cache.remember(now);
    }
    Ok(Verified {
        content: Arc::clone(&token.content),
    })
}

/// Judges the claims of a credential that is not a token, such as a session: required claims, and
/// whether anonymous and restricted users may sign in.
///
/// # Errors
/// The first rule that the claims break.
pub fn judge_claims(claims: &Map<String, Value>, policy: &Policy) -> Result<(), Refusal> {
    checks::claims(claims, policy)
}

/// The content of a token that [`verify`] accepted. Nothing else makes one.
///
/// It stays true that the token was signed; whether it is still valid, ask
/// [`judge_time`](Self::judge_time).
#[derive(Clone)]
pub struct Verified {
    content: Arc<Content>,
}

impl Verified {
    /// `sub`, the user: 1 to 255 bytes without control characters (RFC 7519 section 4.1.2).
    pub fn subject(&self) -> &str {
        &self.content.claims.subject
    }

    /// `iss`, the issuer (RFC 7519 section 4.1.1).
    pub fn issuer(&self) -> &str {
        &self.content.claims.issuer
    }

    /// `aud`: the audiences that the token names (RFC 7519 section 4.1.3).
    pub fn audiences(&self) -> impl Iterator<Item = &str> {
        self.content.claims.audiences()
    }

    /// `kid`, the name of the key that signed, if the token has one (RFC 7515 section 4.1.4).
    pub fn key_id(&self) -> Option<&str> {
        self.content.header.key_id.as_deref()
    }

    /// `alg`, by which it signed (RFC 7515 section 4.1.1).
    pub fn algorithm(&self) -> Algorithm {
        self.content.header.algorithm
    }

    /// `iat`, in seconds since 1970 (RFC 7519 section 4.1.6).
    pub fn issued_at(&self) -> Option<i64> {
        self.content.claims.issued_at
    }

    /// `exp`, in seconds since 1970: 0 to 253402300799 (RFC 7519 section 4.1.4).
    pub fn expires_at(&self) -> i64 {
        self.content.claims.expires_at
    }

    /// `nbf`, in seconds since 1970 (RFC 7519 section 4.1.5).
    pub fn not_before(&self) -> Option<i64> {
        self.content.claims.not_before
    }

    /// All claims.
    pub fn claims(&self) -> &Map<String, Value> {
        &self.content.claims.members
    }

    /// All claims as the JSON text that was signed: one object, without repeated members,
    /// without U+0000, at most 32 levels deep.
    pub fn claims_json(&self) -> &str {
        &self.content.claims.json
    }

    /// Judges `exp`, `nbf` and `iat` again at the time `now`, in seconds since 1970, by the
    /// rules that [`verify`] uses: for a verdict that was kept.
    ///
    /// # Errors
    /// The first rule about time that the token now breaks.
    pub fn judge_time(&self, policy: &Policy, now: i64) -> Result<(), Refusal> {
        checks::time(&self.content, policy, now)
    }
}

/// Does not show the claims, which are personal data.
impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("algorithm", &self.algorithm())
            .field("expires_at", &self.expires_at())
            .finish_non_exhaustive()
    }
}
