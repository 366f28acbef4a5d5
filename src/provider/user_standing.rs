//! Whether the user of a JWT is deleted or banned, as far as the provider rejects such users.

use super::mirrored_user::{UserRow, look_up};
use super::table_users::{self, Demand};
use super::trust::{self, Provider};
use crate::error::{Credential, Problem};
use crate::kind::Kind;

/// Whether the provider rejects any user.
pub fn is_demanded(provider: &Provider) -> bool {
    provider.reject_deleted_users || provider.reject_banned_users
}

/// Refuses a deleted user if the provider has `reject_deleted_users`, and a banned one if it has
/// `reject_banned_users`. A user of the mirror without a row is neither: it may still arrive.
/// Returns whether it has found a row in the mirror.
pub fn demand(provider: &Provider, subject: &str) -> Result<bool, Problem> {
    if !is_demanded(provider) {
        return Ok(false);
    }
    if provider.kind == Kind::BetterAuth {
        let demand = Demand {
            exists: provider.reject_deleted_users,
            is_not_banned: provider.reject_banned_users,
        };
        return table_users::demand(Credential::Jwt, subject, demand).map(|()| false);
    }
    match look_up(subject) {
        Some(UserRow { deleted: true, .. }) if provider.reject_deleted_users => {
            Err(Problem::UserDeleted {
                credential: Credential::Jwt,
                provider: Some(provider.name.clone()),
            })
        }
        Some(UserRow { ban: Some(ban), .. }) if provider.reject_banned_users => {
            Err(Problem::UserBanned {
                credential: Credential::Jwt,
                until: ban.until,
                in_mirror: true,
            })
        }
        found => Ok(found.is_some()),
    }
}

/// A provider's name, and what it refuses about a user.
pub type Demanded = (String, Result<(), Problem>);

/// What each provider demands of a user.
pub fn demand_of_each(subject: &str) -> Result<Vec<Demanded>, Problem> {
    let trust = trust::current()?;
    let outcome = |name: String| {
        let provider = trust.named(&name)?;
        Ok((name, demand(&provider, subject).map(|_| ())))
    };
    trust.names().into_iter().map(outcome).collect()
}

/// What a user meets whom `demand` does not refuse, as a sentence.
pub fn met(provider: &Provider) -> String {
    let lives = match provider.kind {
        Kind::BetterAuth => "exists",
        Kind::Oidc | Kind::Stack => "is not deleted",
    };
    match (provider.reject_deleted_users, provider.reject_banned_users) {
        (true, true) => format!("The user {lives} and is not banned."),
        (true, false) => format!("The user {lives}."),
        (false, _) => "The user is not banned.".to_owned(),
    }
}
