//! The Postgres role that a token's claim names, where its provider maps one.

use neon_auth_token::{Value, Verified};

use super::Provider;
use crate::error::{Problem, quoted};

/// The role to switch to: none where the provider maps no claim, else one of its list.
pub fn of(provider: &Provider, verified: &Verified) -> Result<Option<String>, Problem> {
    let Some(claim) = &provider.role_claim else {
        return Ok(None);
    };
    let refused = |reason| {
        Err(Problem::RoleRefused {
            provider: provider.name.clone(),
            reason,
        })
    };
    // Stack's tokens say "authenticated" for anonymous users too.
    let anonymous = provider.is_stack
        && verified
            .claims()
            .get("is_anonymous")
            .and_then(Value::restricts)
            == Some(true);
    let role = match verified.claims().get(claim) {
        _ if anonymous => "anonymous",
        Some(Value::String(role)) => role,
        Some(_) => return refused(format!("The claim {} is no string.", quoted(claim))),
        None => return refused(format!("The claim {} is missing.", quoted(claim))),
    };
    if !provider.roles.iter().any(|allowed| allowed == role) {
        return refused(format!("The role asked for is {}.", quoted(role)));
    }
    Ok(Some(role.to_owned()))
}
