//! Why a key set is refused.

use std::fmt;

use crate::json;

/// Why a document is no acceptable key set; it must not replace a good one.
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

    /// The same reason, with the place in the set at which it was found.
    pub(crate) fn at(mut self, index: usize) -> Self {
        self.detail = format!("key {}: {}", index + 1, self.detail);
        self
    }

    /// A stable, machine-readable name such as `private_key`.
    pub fn code(&self) -> &'static str {
        self.kind.words().0
    }

    /// Which key, and what was found and expected; never key material.
    pub fn detail(&self) -> String {
        self.detail.clone()
    }

    /// What to do about it, where there is something general to say.
    pub fn hint(&self) -> Option<&'static str> {
        match self.kind {
            Kind::PrivateKey | Kind::SymmetricKey => {
                Some("Whoever can read this document can sign tokens: replace the key at once.")
            }
            _ => None,
        }
    }
}

impl From<json::Fault> for BadKeySet {
    fn from(fault: json::Fault) -> Self {
        let kind = match fault {
            json::Fault::Syntax(_) | json::Fault::LongNumber => Kind::BadJson,
            json::Fault::NotAnObject(_) => Kind::Malformed,
            json::Fault::Duplicate(_) => Kind::DuplicateMember,
            json::Fault::TooDeep => Kind::TooDeep,
            json::Fault::Nul => Kind::NulCharacter,
        };
        Self::new(kind, fault.detail())
    }
}

impl fmt::Display for BadKeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.words().1)
    }
}

impl std::error::Error for BadKeySet {}

/// The reasons, one per thing that a caller might want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    TooLarge,
    BadJson,
    DuplicateMember,
    TooDeep,
    NulCharacter,
    Malformed,
    TooManyKeys,
    PrivateKey,
    SymmetricKey,
    AlgorithmMismatch,
    BadRsaKey,
    BadEcKey,
    BadEdKey,
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
                "the key set has a JSON object with a repeated member",
            ),
            Self::TooDeep => ("too_deep", "the key set's JSON is nested too deeply"),
            Self::NulCharacter => (
                "nul_character",
                "the key set has a null character in its JSON",
            ),
            Self::Malformed => ("malformed", "the document is not a JWK Set"),
            Self::TooManyKeys => ("too_many_keys", "the key set has too many keys"),
            Self::PrivateKey => ("private_key", "the key set contains a private key"),
            Self::SymmetricKey => ("symmetric_key", "the key set contains a symmetric key"),
            Self::AlgorithmMismatch => (
                "algorithm_mismatch",
                "a key in the set names an algorithm that it cannot serve",
            ),
            Self::BadRsaKey => ("bad_rsa_key", "an RSA key in the set is not acceptable"),
            Self::BadEcKey => (
                "bad_ec_key",
                "an elliptic curve key in the set is not acceptable",
            ),
            Self::BadEdKey => ("bad_ed_key", "an Ed25519 key in the set is not acceptable"),
            Self::NoUsableKey => ("no_usable_key", "the key set has no usable key"),
        }
    }
}
