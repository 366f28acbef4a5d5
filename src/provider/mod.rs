//! Whom the database trusts: providers, their keys, and the tokens that they vouch for.
//!
//! `trust` is what the tables say, read once per session and again when they change; `supply`
//! decides whether the keys at hand will do; `refresh` gets new ones, with one fetch for many
//! waiting sessions; `fetch` is the HTTP request.

mod fetch;
mod functions;
mod refresh;
mod supply;
mod trust;

use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use neon_auth_token::{Token, Verified, verify};

use crate::error::Problem;
use crate::spi;

pub use trust::{Provider, current, define};

/// A token that a provider vouches for.
pub struct Admitted {
    pub provider: Rc<Provider>,
    pub verified: Verified,
}

/// Verifies a token against the provider that its issuer names, fetching keys where they are
/// missing, outdated or lack the token's.
pub fn admit(text: &str) -> Result<Admitted, Problem> {
    let token = Token::parse(text)?;
    let mut refreshed = false;
    loop {
        let provider = trust::current()?.provider_for(token.issuer())?;
        let now = now();
        let supply = provider.supply(now)?;
        let may_refresh = !refreshed && supply.may_attempt(now);
        if may_refresh && supply.is_due(now) {
            refresh::fetch_once(&provider);
            refreshed = true;
            continue;
        }
        if supply.is_due_soon(now) {
            refresh::fetch_behind(&provider);
        }
        let keys = supply.keys(&provider.name, now)?;
        match verify(&token, &keys, &provider.policy, now) {
            Err(refusal) if refusal.is_unknown_key() && may_refresh && provider.is_remote() => {
                refresh::fetch_once(&provider);
                refreshed = true;
            }
            Err(refusal) => return Err(refusal.into()),
            Ok(verified) => {
                reject_deleted(&provider, verified.subject())?;
                return Ok(Admitted { provider, verified });
            }
        }
    }
}

fn reject_deleted(provider: &Provider, subject: &str) -> Result<(), Problem> {
    if !provider.reject_deleted_users {
        return Ok(());
    }
    let deleted = spi::read(
        "SELECT 'deleted' FROM neon_auth.users_sync WHERE id = $1 AND deleted_at IS NOT NULL",
        &[subject],
    );
    match deleted {
        Some(_) => Err(Problem::UserDeleted { provider: provider.name.clone() }),
        None => Ok(()),
    }
}

/// Seconds since 1970, by the machine's clock. Before 1970 it makes no sense, and zero refuses
/// every token.
fn now() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs().try_into().unwrap_or(i64::MAX))
}
