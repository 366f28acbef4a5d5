//! From a token's text to an identity that a provider vouches for.

use std::rc::Rc;

use neon_auth_token::{KeySet, Token, Verified, verify};

use super::{Provider, now, refresh, seen, trust};
use crate::error::Problem;
use crate::session::Identity;
use crate::spi;

/// A token that a provider vouches for.
pub struct Admitted {
    pub provider: Rc<Provider>,
    pub verified: Verified,
    pub identity: Rc<Identity>,
}

/// Verifies a token against the provider that its issuer names, fetching keys where they are
/// missing, outdated or lack the token's.
pub fn admit(text: &str) -> Result<Rc<Admitted>, Problem> {
    let admitted = match seen::before(text)? {
        Some(admitted) => admitted,
        None => {
            let (admitted, keys) = examine(text)?;
            seen::remember(text, &admitted, keys);
            admitted
        }
    };
    reject_deleted(&admitted.provider, admitted.verified.subject())?;
    Ok(admitted)
}

fn examine(text: &str) -> Result<(Rc<Admitted>, Rc<KeySet>), Problem> {
    let token = Token::parse(text)?;
    let mut refreshed = false;
    loop {
        let provider = trust::current()?.provider_for(token.issuer())?;
        let now = now();
        let supply = provider.supply(now);
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
            Err(refusal) if refusal.is_unknown_key() && may_refresh => {
                refresh::fetch_once(&provider);
                refreshed = true;
            }
            Err(refusal) => return Err(refusal.into()),
            Ok(verified) => {
                let identity = Rc::new(Identity::verified(&provider, &verified));
                return Ok((
                    Rc::new(Admitted {
                        provider,
                        verified,
                        identity,
                    }),
                    keys,
                ));
            }
        }
    }
}

/// Refuses a deleted user, where the provider asks for that.
pub fn reject_deleted(provider: &Provider, subject: &str) -> Result<(), Problem> {
    if !provider.reject_deleted_users {
        return Ok(());
    }
    let deleted = spi::read(
        "SELECT 'deleted' FROM neon_auth.users_sync WHERE id = $1 AND deleted_at IS NOT NULL",
        &[subject],
    );
    match deleted {
        Some(_) => Err(Problem::UserDeleted {
            provider: provider.name.clone(),
        }),
        None => Ok(()),
    }
}
