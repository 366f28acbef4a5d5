//! Whether an identity is still valid, after the transaction that it began in.

use super::{api_key, opaque, revocations, table_api_keys, trust, user_standing};
use crate::error::Problem;
use crate::identity::{Identity, KeyTable};

/// Whether the identity can end before it expires.
pub fn can_end(identity: &Identity) -> bool {
    identity.api_key.is_some() || identity.provider.is_some()
}

/// An error if the session or the API key has ended, its user is deleted or banned, or it was revoked.
pub fn still_stands(identity: &Identity) -> Result<(), Problem> {
    if let Some(key) = &identity.api_key {
        return match key.table {
            KeyTable::Own => api_key::demand_valid(identity, key),
            KeyTable::BetterAuth => table_api_keys::demand_valid(identity, key),
        };
    }
    revocations::demand(identity)?;
    if let Some(session) = &identity.session {
        return opaque::demand_open(session, &identity.subject);
    }
    let trust = trust::current()?;
    let provider = identity.provider.as_deref().map(|name| trust.named(name));
    match provider {
        Some(Ok(provider)) => user_standing::demand(&provider, &identity.subject).map(|_| ()),
        // A dropped provider does not end the identities of its tokens.
        _ => Ok(()),
    }
}
