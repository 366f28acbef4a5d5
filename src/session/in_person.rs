//! Whether the signed-in user acts in person. What outlives a session, such as an API key, only the
//! user may create.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::current;
use crate::error::Problem;
use crate::identity::Identity;
use crate::provider;

/// `neon_auth_internal.user_in_person(creates)`: the id of the signed-in user, who creates a key or
/// manages those that exist.
#[pg_extern(sql = false)]
fn user_in_person(creates: bool) -> Result<String, ErrorReport> {
    let identity = current::current()?.ok_or(Problem::NobodySignedIn)?;
    if let Some(why) = stand_in(&identity) {
        return Err(Problem::NotInPerson { why }.into());
    }
    // A key outlives the transaction, so what ended since it began counts.
    provider::still_stands(&identity)?;
    provider::demand_own_keys(&identity, creates)?;
    Ok(identity.subject.clone())
}

/// Who acts instead of the user, as a sentence.
fn stand_in(identity: &Identity) -> Option<&'static str> {
    if identity.api_key.is_some() {
        return Some("The session is signed in with an API key.");
    }
    if identity.provider.is_none() {
        return Some("The session is signed in by auth.impersonate().");
    }
    if identity.impersonator().is_some() {
        return Some("The session is one in which somebody else impersonates the user.");
    }
    identity
        .agent()
        .map(|_| "The token is for an agent that acts for the user.")
}
