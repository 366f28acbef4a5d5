//! From the text of a credential to the identity that its provider accepts.

use std::cell::Cell;
use std::rc::Rc;

use neon_auth_token::{KeySet, Refusal, Token, verify};
use neon_auth_wire::api_key::KeyText;

use super::admitted::{Admitted, Proof};
use super::credential::{longest, read};
use super::freshness::KeyFreshness;
use super::refresh::{self, Cause};
use super::trust::{self, KeySource, Provider};
use super::{
    api_key, opaque, revocations, role, seen, signatures, table_api_keys, table_keys, user_standing,
};
use crate::clock;
use crate::error::Problem;
use crate::identity::{Identity, Vouched};
use crate::shared::{self, Counter};

/// Verifies a credential: a JWT, an API key, or a session token of Better Auth.
pub fn admit(text: &str) -> Result<Rc<Admitted>, Problem> {
    let (admitted, cache) = if KeyText::is_meant(text) {
        (api_key::admit(text)?, None)
    } else if let Some(provider) = opaque::provider_for(text)? {
        (opaque::admit(text, &provider)?, None)
    } else {
        admit_jwt(text)?
    };
    revocations::demand(&admitted.identity)?;
    demand_role(&admitted)?;
    if let Some(cache) = cache {
        shared::count(cache);
    }
    Ok(admitted)
}

/// Whether a text that was presented as an API key can be one of this database: of its own, or of
/// Better Auth, whose keys have no form.
pub fn is_api_key(text: &str) -> Result<bool, Problem> {
    if KeyText::is_meant(text) {
        return Ok(true);
    }
    let has_better_auth = trust::current()?.better_auth()?.is_some();
    Ok(has_better_auth && table_api_keys::are_taken()?)
}

/// Verifies a text that was presented as an API key: no other credential is accepted.
pub fn admit_api_key(text: &str) -> Result<Rc<Admitted>, Problem> {
    if KeyText::is_meant(text) {
        return admit(text);
    }
    let admitted = match trust::current()?.better_auth()? {
        Some(provider) => table_api_keys::admit_if_any(text, &provider)?,
        None => None,
    };
    let admitted = admitted.ok_or(Problem::NoKeyOfBetterAuth)?;
    demand_role(&admitted)?;
    Ok(admitted)
}

/// Roles may be created, dropped and granted at any time, so this is not part of a cached result.
fn demand_role(admitted: &Admitted) -> Result<(), Problem> {
    match (&admitted.provider, &admitted.role.role) {
        (Some(provider), Some(role)) => role::demand(provider, role),
        _ => Ok(()),
    }
}

/// Verifies a token with the provider that its issuer names; fetches keys if they are missing,
/// stale, or do not include the token's key. Also returns the counter of how its signature is known.
fn admit_jwt(text: &str) -> Result<(Rc<Admitted>, Option<Counter>), Problem> {
    let digest = (text.len() <= longest()).then(|| seen::digest_of(text));
    let seen = match &digest {
        Some(digest) => seen::before(digest)?,
        None => None,
    };
    let (admitted, cache) = match seen {
        Some(admitted) => (admitted, Some(Counter::TokensRemembered)),
        None => {
            let judged = examine(text)?;
            if let Some(digest) = digest {
                seen::remember(digest, text.len(), &judged.admitted, judged.keys);
            }
            let counter = match judged.is_shared {
                true => Counter::TokensShared,
                false => Counter::SignaturesChecked,
            };
            (judged.admitted, Some(counter))
        }
    };
    if let Some(provider) = &admitted.provider {
        let has_row = user_standing::demand(provider, &admitted.identity.subject)?;
        admitted.has_row.set(has_row);
    }
    Ok((admitted, cache))
}

/// A token that was accepted.
struct Judged {
    admitted: Rc<Admitted>,
    keys: Rc<KeySet>,
    /// Its signature was in the server's cache.
    is_shared: bool,
}

fn examine(text: &str) -> Result<Judged, Problem> {
    let token = read(text).map_err(unreadable)?;
    let mut asked = false;
    loop {
        let provider = trust::current()?.provider_for(token.issuer(), token.audiences())?;
        let now = clock::seconds();
        if let KeySource::Table = provider.source {
            return judge_by_table(&token, &provider, now);
        }
        let freshness = provider.key_freshness(now);
        let is_due = freshness.is_due(now) && freshness.may_attempt(now);
        let cause = if !asked && is_due {
            Cause::Age
        } else {
            let outcome = freshness
                .keys(&provider.name, now)
                .and_then(|keys| judge(&token, &provider, keys, now));
            match outcome {
                Err(Problem::NoKeys { .. }) if !asked => Cause::Age,
                Err(Problem::Token(refusal)) if refusal.is_unknown_key() => {
                    if asked {
                        return Err(unknown_key(refusal, &provider, &freshness, now));
                    }
                    Cause::UnknownKey
                }
                outcome => {
                    if freshness.is_due_soon(now) {
                        refresh::fetch_behind(&provider);
                    }
                    return outcome;
                }
            }
        };
        let may_ask = match cause {
            Cause::Age | Cause::Request => freshness.may_attempt(now),
            Cause::UnknownKey => freshness.may_look_for_key(now),
        };
        // Only once, and never within the cooldown; but an attempt that is already running may
        // succeed.
        if may_ask {
            refresh::fetch_once(&provider, cause);
        } else {
            refresh::wait_for_worker(&provider);
        }
        asked = true;
    }
}

/// The refusal of a text that is not a JWT: it may be a session token, of a Better Auth that nobody
/// has added.
fn unreadable(refusal: Refusal) -> Problem {
    let has_better_auth = trust::current().and_then(|trust| {
        trust.demand_any()?;
        trust.better_auth()
    });
    match has_better_auth {
        Err(problem) => problem,
        Ok(None) if refusal.is_malformed() => Problem::NotAJwt(refusal),
        Ok(_) => Problem::Token(refusal),
    }
}

/// Verifies a token of Better Auth by the row of its key.
fn judge_by_table(token: &Token<'_>, provider: &Rc<Provider>, now: i64) -> Result<Judged, Problem> {
    let keys = table_keys::keys_for(token.key_id(), now)?;
    judge(token, provider, keys, now).map_err(|problem| match problem {
        Problem::Token(refusal) if refusal.is_unknown_key() => table_keys::unknown_key(refusal),
        problem => problem,
    })
}

/// Adds when the keys may be fetched again for an unknown key.
fn unknown_key(
    refusal: Refusal,
    provider: &Provider,
    freshness: &KeyFreshness,
    now: i64,
) -> Problem {
    Problem::UnknownKey {
        refusal,
        provider: provider.name.clone(),
        about: freshness.about_unknown_key(now),
    }
}

fn judge(
    token: &Token<'_>,
    provider: &Rc<Provider>,
    keys: Rc<KeySet>,
    now: i64,
) -> Result<Judged, Problem> {
    let cache = signatures::cache();
    let verified = verify(token, &keys, &provider.policy, now, cache.as_ref())?;
    let role = role::of(provider, verified.claims())?;
    let vouched = Vouched {
        provider: Some(&provider.name),
        kind: provider.kind,
        leeway: provider.policy.leeway,
        mapped: provider.claim_map.resolve(verified.claims()),
        role: role.role.as_deref(),
    };
    let admitted = Admitted {
        provider: Some(Rc::clone(provider)),
        identity: Rc::new(Identity::verified(vouched, &verified)),
        proof: Proof::Jwt(verified),
        role,
        has_row: Cell::new(false),
    };
    Ok(Judged {
        admitted: Rc::new(admitted),
        keys,
        is_shared: cache.is_some_and(|cache| cache.was_hit()),
    })
}
