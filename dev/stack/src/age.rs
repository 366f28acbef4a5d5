//! How old the server is, and what servers of that age do not understand or send yet.

use crate::error::KnownError;

/// The age of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Age {
    /// Before 2025-08: it knows neither `include_anonymous` nor `include_restricted`, and its lists
    /// of users leave nobody out. The key set's route ignores its query.
    BeforeAnonymous,
    /// Before 2026-01: it does not know `include_restricted`, and nobody is restricted.
    BeforeRestricted,
    /// As of 2026-04.
    Current,
    /// From 2026-05 on: it lists teams in pages if it is asked to, and header names begin with
    /// `x-hexclave-` as well as with `x-stack-`.
    Newer,
}

impl Age {
    /// Refuses a parameter that servers know since a later age.
    pub fn accept(self, name: &str, value: &Option<String>, since: Self) -> Result<(), KnownError> {
        match value {
            Some(_) if self < since => Err(KnownError::unknown_parameter(name)),
            _ => Ok(()),
        }
    }

    /// How the names of its headers may begin; the first is preferred.
    pub fn header_prefixes(self) -> &'static [&'static str] {
        match self {
            Self::Newer => &["x-hexclave-", "x-stack-"],
            _ => &["x-stack-"],
        }
    }
}

/// What the service does not have any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gone {
    Project,
    Branch,
}
