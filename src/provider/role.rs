//! The Postgres role that goes with a token, where its provider maps a claim to one.

use std::ffi::{CStr, CString};

use neon_auth_token::{Value, Verified};
use pgrx::pg_sys;

use super::Provider;
use crate::error::{Problem, quoted};

/// What becomes of the role, and why.
pub struct Choice {
    /// The role to switch to: none where the current one stays, else one of the provider's list.
    pub role: Option<String>,
    why: Why,
}

enum Why {
    /// The provider maps no claim.
    NoClaim,
    /// Stack's tokens say "authenticated" for anonymous users too.
    Anonymous,
    /// The provider's claim names the role.
    Claim,
}

impl Choice {
    /// The choice as a clause: as which role, because of what.
    pub fn describe(&self, provider: &Provider) -> String {
        let role = match &self.role {
            Some(role) => format!("role {}", quoted(role)),
            None => format!("the current role, {},", quoted(&current_role())),
        };
        let why = match self.why {
            Why::NoClaim => format!("provider {} has no role_claim", quoted(&provider.name)),
            Why::Anonymous => "the token is of an anonymous user".to_owned(),
            Why::Claim => {
                let claim = provider.role_claim.as_deref().unwrap_or_default();
                format!("the claim {} names it", quoted(claim))
            }
        };
        format!("{role} because {why}")
    }
}

/// The choice that a provider's rules make for a token.
pub fn of(provider: &Provider, verified: &Verified) -> Result<Choice, Problem> {
    let Some(claim) = &provider.role_claim else {
        return Ok(Choice {
            role: None,
            why: Why::NoClaim,
        });
    };
    let refused = |reason| {
        Err(Problem::RoleRefused {
            provider: provider.name.clone(),
            reason,
        })
    };
    let anonymous = provider.is_stack
        && verified
            .claims()
            .get("is_anonymous")
            .and_then(Value::restricts)
            == Some(true);
    let (role, why) = match verified.claims().get(claim) {
        _ if anonymous => ("anonymous", Why::Anonymous),
        Some(Value::String(role)) => (role.as_str(), Why::Claim),
        Some(_) => return refused(format!("The claim {} is no string.", quoted(claim))),
        None => return refused(format!("The claim {} is missing.", quoted(claim))),
    };
    if !provider.roles.iter().any(|allowed| allowed == role) {
        return refused(format!("The role asked for is {}.", quoted(role)));
    }
    Ok(Choice {
        role: Some(role.to_owned()),
        why,
    })
}

/// Refuses a role that the session cannot switch to, by PostgreSQL's rules for `SET ROLE`.
pub fn demand(role: &str) -> Result<(), Problem> {
    let missing = || Problem::RoleMissing {
        role: role.to_owned(),
        user: session_user(),
    };
    let name = CString::new(role).map_err(|_| missing())?;
    // SAFETY: catalog look-ups inside a transaction.
    unsafe {
        let oid = pg_sys::get_role_oid(name.as_ptr(), true);
        if oid == pg_sys::InvalidOid {
            return Err(missing());
        }
        let user = pg_sys::GetSessionUserId();
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let may_set = pg_sys::is_member_of_role(user, oid);
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let may_set = pg_sys::member_can_set_role(user, oid);
        if !may_set {
            return Err(Problem::RoleNotGranted {
                role: role.to_owned(),
                user: session_user(),
                is_member: pg_sys::is_member_of_role(user, oid),
            });
        }
    }
    Ok(())
}

/// The user whose memberships decide.
pub fn session_user() -> String {
    // SAFETY: reads a variable of this process.
    name_of(unsafe { pg_sys::GetSessionUserId() })
}

fn current_role() -> String {
    // SAFETY: reads a variable of this process.
    name_of(unsafe { pg_sys::GetUserId() })
}

fn name_of(role: pg_sys::Oid) -> String {
    // SAFETY: a catalog look-up inside a transaction; a name that is found is copied.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() {
            return String::new();
        }
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}
