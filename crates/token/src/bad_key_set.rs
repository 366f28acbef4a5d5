//! Why a key set is refused.

use std::fmt;

/// Why a document is not an acceptable key set. It must not replace a good one.
///
/// The [`Display`](fmt::Display) form is one stable sentence fragment without values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadKeySet {
    kind: Kind,
    detail: String,
}

impl BadKeySet {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    /// A stable, machine-readable name such as `private_key`.
    pub fn code(&self) -> &'static str {
        self.kind.words().0
    }

    /// What was found and expected; never key material.
    pub fn detail(&self) -> String {
        self.detail.clone()
    }

    /// What to do about it, where there is something general to say.
    pub fn hint(&self) -> Option<&'static str> {
        match self.kind {
            Kind::DiscoveryDocument => Some(
                "Give its jwks_uri as jwks_url, or leave jwks_url out, and it is read from there.",
            ),
            Kind::Certificates => Some(
                "Give the URL of the JWKS; Firebase's is https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com.",
            ),
            Kind::NoUsableKey | Kind::Malformed => {
                Some("A JWKS is {\"keys\": [...]} with public keys (RFC 7517).")
            }
            _ => None,
        }
    }
}

impl fmt::Display for BadKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.words().1)
    }
}

impl std::error::Error for BadKeySet {}

/// The reasons, one for each case that a caller may need to distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    TooLarge,
    BadJson,
    DuplicateMember,
    Malformed,
    DiscoveryDocument,
    Certificates,
    TooManyKeys,
    NoUsableKey,
}

impl Kind {
    /// The code and the sentence.
    const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::TooLarge => ("too_large", "the key set is too large"),
            Self::BadJson => ("bad_json", "the key set is not JSON"),
            Self::DuplicateMember => (
                "duplicate_member",
                "the document has more than one list of keys",
            ),
            Self::Malformed => ("malformed", "the document is not a JWK Set"),
            Self::TooManyKeys => ("too_many_keys", "the key set has too many keys"),
            Self::DiscoveryDocument => (
                "discovery_document",
                "the document is an OpenID Connect discovery document, not a JWK Set",
            ),
            Self::Certificates => (
                "certificates",
                "the document is a map of certificates, not a JWK Set",
            ),
            Self::NoUsableKey => ("no_usable_key", "the key set has no usable key"),
        }
    }
}
