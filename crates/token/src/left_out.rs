//! Why one key of a set is not used.

use std::fmt;

/// A key of a set that cannot be used, and why; nothing in it is secret.
///
/// The [`Display`](fmt::Display) form says which key it is and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    place: usize,
    key_id: Option<String>,
    reason: Reason,
}

impl LeftOut {
    pub(crate) fn new(index: usize, key_id: Option<String>, reason: Reason) -> Self {
        Self {
            place: index + 1,
            key_id,
            reason,
        }
    }

    /// Its number in the set, counted from 1.
    pub fn place(&self) -> usize {
        self.place
    }

    /// Its `kid`, where that can name a key.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// A stable, machine-readable name such as `private_key`.
    pub fn code(&self) -> &'static str {
        self.reason.kind.code()
    }

    /// Why it is not used, as a sentence fragment.
    pub fn reason(&self) -> &str {
        &self.reason.text
    }

    /// Whether the set publishes a secret with it, by which anybody can sign tokens.
    pub fn exposes_secret(&self) -> bool {
        self.reason.kind.exposes_secret()
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "key {}", self.place)?;
        if let Some(key_id) = &self.key_id {
            write!(f, ", kid {}", crate::shown::text(key_id))?;
        }
        write!(f, ": {}", self.reason.text)
    }
}

/// What is wrong with a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reason {
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

impl Reason {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self {
            kind,
            text: text.into(),
        }
    }
}

/// The reasons, one for each case that a caller may need to distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    PrivateKey,
    SymmetricKey,
    OtherPurpose,
    Unsupported,
    AlgorithmMismatch,
    BadRsaKey,
    BadEcKey,
    BadEdKey,
    BadAkpKey,
    Expired,
}

impl Kind {
    pub(crate) const ALL: [Self; 11] = [
        Self::Malformed,
        Self::PrivateKey,
        Self::SymmetricKey,
        Self::OtherPurpose,
        Self::Unsupported,
        Self::AlgorithmMismatch,
        Self::BadRsaKey,
        Self::BadEcKey,
        Self::BadEdKey,
        Self::BadAkpKey,
        Self::Expired,
    ];

    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::PrivateKey => "private_key",
            Self::SymmetricKey => "symmetric_key",
            Self::OtherPurpose => "other_purpose",
            Self::Unsupported => "unsupported",
            Self::AlgorithmMismatch => "algorithm_mismatch",
            Self::BadRsaKey => "bad_rsa_key",
            Self::BadEcKey => "bad_ec_key",
            Self::BadEdKey => "bad_ed_key",
            Self::BadAkpKey => "bad_akp_key",
            Self::Expired => "expired",
        }
    }

    const fn exposes_secret(self) -> bool {
        matches!(self, Self::PrivateKey | Self::SymmetricKey)
    }
}
