//! Revocations: which users' and sessions' credentials end before they expire.
//!
//! While nothing is revoked, nothing is looked up, and what was looked up for an identity is not
//! looked up again, until a trigger on the table reports a change. The report arrives as those of
//! `trust` do: a transaction that becomes visible after the reading is reported after it.

use std::cell::Cell;

use pgrx::prelude::*;

use crate::clock::SECOND;
use crate::error::{Credential, Problem};
use crate::identity::Identity;
use crate::pg::heap;
use crate::pg::index::Table;
use crate::pg::tables::REVOCATIONS;
use crate::relcache;
use crate::version;

thread_local! {
    /// How often a change of the table was reported, from 1.
    static CHANGES: Cell<u64> = const { Cell::new(1) };
    /// Whether the table was empty, at the last reading, and after how many changes that was.
    static EMPTY: Cell<(u64, bool)> = const { Cell::new((0, false)) };
    /// The OID of the table at the last reading.
    static WATCHED: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
}

/// Registers for changes of tables.
pub fn define() {
    relcache::on_change(invalidated);
}

fn invalidated(relation: pg_sys::Oid) {
    if relation == pg_sys::InvalidOid || WATCHED.get() == relation {
        CHANGES.set(CHANGES.get() + 1);
    }
}

/// Refuses a credential of a user whose credentials of that age were revoked, and one of a session
/// that was revoked. API keys have their own end, and nobody issued the identity of `impersonate`.
pub fn demand(identity: &Identity) -> Result<(), Problem> {
    if identity.api_key.is_some() || identity.provider.is_none() || is_empty()? {
        return Ok(());
    }
    // Counted before the reading, so that a change during the reading is not missed.
    let changes = CHANGES.get();
    if identity.unrevoked_after.get() == changes {
        return Ok(());
    }
    let credential = match identity.session {
        Some(_) => Credential::Session,
        None => Credential::Jwt,
    };
    // `claim_map` may give a session another name than that of its row.
    let named = identity.session_id();
    let own = identity
        .session
        .as_deref()
        .filter(|own| named != Some(*own));
    let issued_at = identity.issued_at();
    let mut lookups = Table::Revocations.latest_lookups(2);
    let before = lookups.find(&["user", &identity.subject], |row| {
        Some(row.microseconds(c"before").unwrap_or(i64::MAX))
    });
    let session = named.into_iter().chain(own).find(|session| {
        let found = lookups.find(&["session", session], |_| Some(()));
        found.is_some()
    });
    lookups.close();
    if let Some(before) = before
        && !issued_at.is_some_and(|at| at.saturating_mul(SECOND) >= before && before < i64::MAX)
    {
        return Err(Problem::TokensRevoked {
            credential,
            user: identity.subject.clone(),
            issued_at,
            before: (before < i64::MAX).then_some(before),
        });
    }
    match session {
        Some(session) => Err(Problem::SessionRevoked {
            credential,
            session: session.to_owned(),
        }),
        None => {
            identity.unrevoked_after.set(changes);
            Ok(())
        }
    }
}

/// Whether nothing is revoked, with everything that other sessions have committed.
pub fn is_empty() -> Result<bool, Problem> {
    // SAFETY: inside a transaction.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    version::agree()?;
    if let (changes, is_empty) = EMPTY.get()
        && changes == CHANGES.get()
    {
        return Ok(is_empty);
    }
    WATCHED.set(REVOCATIONS.oid());
    // As above.
    let changes = CHANGES.get();
    let is_empty = !heap::has_rows(&REVOCATIONS);
    EMPTY.set((changes, is_empty));
    Ok(is_empty)
}
