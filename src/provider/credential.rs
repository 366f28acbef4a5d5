//! A token in its form, not verified yet.

use neon_auth_token::{Refusal, Token};

use crate::settings::MAX_TOKEN_SIZE;

/// The token, not verified yet.
pub fn read(text: &str) -> Result<Token<'_>, Refusal> {
    Token::parse(text, longest())
}

/// Maximum size of a token in bytes.
pub fn longest() -> usize {
    MAX_TOKEN_SIZE.get().try_into().unwrap_or_default()
}
