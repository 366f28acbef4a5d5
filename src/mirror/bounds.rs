//! The bounds of API keys: what a key grants of what its owner has.
//!
//! A cached answer is about what the owner has, or about definitions, never about a key. So
//! identities of different keys do not share what their bounds decide.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::held;
use crate::error::Problem;
use crate::identity::Identity;
use crate::session;

/// Whether the credential is for a team; `None`: for the whole project.
pub fn reach(identity: &Identity, team: Option<&str>) -> bool {
    match identity
        .api_key
        .as_ref()
        .and_then(|key| key.team.as_deref())
    {
        None => true,
        only => only == team,
    }
}

/// Whether the credential grants a permission that the user has in a scope.
pub fn grant(identity: &Identity, scope: &str, permission: &str) -> bool {
    let key = identity.api_key.as_ref();
    match key.and_then(|key| key.permissions.as_ref()) {
        None => true,
        Some(granted) => granted
            .iter()
            .any(|granted| held::grants(scope, granted, permission)),
    }
}

/// `neon_auth_internal.api_key_team()`: the only team that the credential is for; NULL for all.
#[pg_extern(sql = false)]
fn api_key_team() -> Result<Option<String>, ErrorReport> {
    let identity = session::current()?;
    Ok(identity.and_then(|identity| identity.api_key.as_ref()?.team.clone()))
}

/// `neon_auth_internal.check_api_key_bounds(user_id, permissions, team_id)`. A key without a team may
/// have a permission that its owner has somewhere: it grants the permission only there.
#[pg_extern(sql = false)]
fn check_api_key_bounds(
    user: &str,
    permissions: Option<Vec<Option<String>>>,
    team: Option<&str>,
) -> Result<(), ErrorReport> {
    if let Some(team) = team.filter(|team| !held::is_member(team, user)) {
        return Err(Problem::NotInTeam {
            team: team.to_owned(),
        }
        .into());
    }
    let scopes = match team {
        Some(team) => vec![Some(team.to_owned())],
        None => std::iter::once(None)
            .chain(held::teams(user).into_iter().map(Some))
            .collect(),
    };
    for permission in permissions.into_iter().flatten().flatten() {
        let mut scopes = scopes.iter();
        if !scopes.any(|scope| held::has_permission(user, &permission, scope.as_deref())) {
            let team = team.map(str::to_owned);
            return Err(Problem::PermissionNotHeld { permission, team }.into());
        }
    }
    Ok(())
}
