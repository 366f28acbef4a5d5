//! Whom the database trusts: providers, their keys, and the tokens that they vouch for.
//!
//! `trust` is what the tables say, read once per session and again when they change;
//! `rules` says what a provider's columns mean and `defects` what is wrong with them; `supply`
//! decides whether the keys at hand will do; `refresh` gets new ones, with one fetch for many
//! waiting sessions; `fetch` is the HTTP request; `admit` puts them together, `role` follows
//! a role claim, `claim_map` says what readers read, and `seen` spares a signature that was checked before.

mod admit;
mod claim_map;
mod defects;
mod discovery;
mod fetch;
mod functions;
mod inspect;
mod refresh;
mod role;
mod rules;
mod seen;
mod supply;
mod trust;
mod well_known;

pub use admit::{Admitted, admit};
pub use refresh::refresh_ahead;
pub use trust::{Provider, current, define};

use std::time::{SystemTime, UNIX_EPOCH};

use neon_auth_token::{Refusal, Token};

use crate::settings::MAX_TOKEN_SIZE;

/// The token, of which nothing is verified yet.
pub fn read(text: &str) -> Result<Token<'_>, Refusal> {
    Token::parse(text, longest())
}

/// Maximum size of a token in bytes.
fn longest() -> usize {
    MAX_TOKEN_SIZE.get().try_into().unwrap_or_default()
}

/// Seconds since 1970, by the machine's clock. Before 1970 it makes no sense, and zero refuses
/// every token.
fn now() -> i64 {
    now_in_microseconds() / 1_000_000
}

/// The same in microseconds.
pub fn now_in_microseconds() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros().try_into().unwrap_or(i64::MAX))
}
