//! The Postgres role of a token, if its provider maps a claim to one.

use std::ffi::{CStr, CString};

use neon_auth_token::{ClaimPath, Map, Value};
use pgrx::pg_sys;

use super::trust::Provider;
use crate::error::{Credential, Problem, quoted};
use crate::pg::compat;

/// The role, and the reason for it.
pub struct Choice {
    /// The role to set: `None` if the current role stays, otherwise a role that the provider
    /// allows.
    pub role: Option<String>,
    why: Why,
}

enum Why {
    /// An API key whose owner no provider vouches for.
    NoProvider,
    /// The provider maps no claim.
    NoClaim,
    /// Issuers also set "authenticated" for anonymous users.
    Anonymous,
    /// The provider's claim names the role.
    Claim,
    /// The provider maps a value of its claim to the role.
    Map,
    /// No claim names an allowed role, and this is the provider's default.
    Default,
}

/// The role of anonymous users, whatever the token's claim contains.
const ANONYMOUS: &str = "anonymous";

impl Choice {
    /// Of a credential without a provider: the current role stays.
    pub const WITHOUT_PROVIDER: Self = Self {
        role: None,
        why: Why::NoProvider,
    };

    /// The role and its reason, for a sentence of `inspect_jwt`.
    pub fn describe(&self, provider: Option<&Provider>) -> String {
        let name = quoted(provider.map_or("", |provider| &provider.name));
        let role = match &self.role {
            Some(role) => format!("role {}", quoted(role)),
            None => format!("the current role, {},", quoted(&current_role())),
        };
        let why = match self.why {
            Why::NoProvider => "no provider vouches for the owner of the API key".to_owned(),
            Why::NoClaim => format!("provider {name} has neither role_claim nor default_role"),
            Why::Anonymous => "the token is of an anonymous user".to_owned(),
            Why::Claim => format!("the claim {} names it", quoted(claim_of(provider))),
            Why::Map => format!(
                "the role_map of provider {name} has it for a value of the claim {}",
                quoted(claim_of(provider))
            ),
            Why::Default => format!("it is the default of provider {name}"),
        };
        format!("{role} because {why}")
    }
}

fn claim_of(provider: Option<&Provider>) -> &str {
    let claim = provider.and_then(|provider| provider.role_claim.as_ref());
    claim.map_or("", ClaimPath::text)
}

/// The role that a provider's rules give to a session. Its claims are columns of Better Auth, whose
/// `role` is not a Postgres role, so only the provider's default applies.
pub fn of_session(provider: &Provider, claims: &Map<String, Value>) -> Result<Choice, Problem> {
    let is_anonymous = provider.policy.is_anonymous(claims);
    without_claim(provider, Credential::Session, is_anonymous)
}

/// The role that a provider's rules give to an API key of one of its users. The issuer made none of
/// its claims, so likewise.
pub fn of_api_key(provider: &Provider, is_anonymous: bool) -> Result<Choice, Problem> {
    without_claim(provider, Credential::ApiKey, is_anonymous)
}

fn without_claim(
    provider: &Provider,
    credential: Credential,
    is_anonymous: bool,
) -> Result<Choice, Problem> {
    if provider.role_claim.is_some() && provider.default_role.is_none() {
        return Err(Problem::NoRole {
            credential,
            provider: provider.name.clone(),
        });
    }
    choose(provider, credential, is_anonymous, None)
}

/// The role that a provider's rules give to the claims of a token.
pub fn of(provider: &Provider, claims: &Map<String, Value>) -> Result<Choice, Problem> {
    let is_anonymous = provider.policy.is_anonymous(claims);
    let role_claim = provider.role_claim.as_ref().map(|claim| (claim, claims));
    choose(provider, Credential::Jwt, is_anonymous, role_claim)
}

fn choose(
    provider: &Provider,
    credential: Credential,
    is_anonymous: bool,
    role_claim: Option<(&ClaimPath, &Map<String, Value>)>,
) -> Result<Choice, Problem> {
    if provider.role_claim.is_none() && provider.default_role.is_none() {
        return Ok(Choice {
            role: None,
            why: Why::NoClaim,
        });
    }
    let refused = |reason| {
        Err(Problem::RoleRefused {
            provider: provider.name.clone(),
            reason,
        })
    };
    let chosen = |role: &str, why| {
        Ok(Choice {
            role: Some(role.to_owned()),
            why,
        })
    };
    let allowed = |role: &str| provider.allowed_roles.iter().any(|allowed| allowed == role);
    if is_anonymous {
        let is_default = provider.default_role.as_deref() == Some(ANONYMOUS);
        if is_default || allowed(ANONYMOUS) {
            return chosen(ANONYMOUS, Why::Anonymous);
        }
        return Err(Problem::AnonymousRoleRefused {
            credential,
            provider: provider.name.clone(),
        });
    }
    let default = |why: String| match &provider.default_role {
        Some(role) => chosen(role, Why::Default),
        None => refused(why),
    };
    let Some((claim, claims)) = role_claim else {
        return default(String::new());
    };
    let shown = quoted(claim.text());
    let found = claim.find(claims);
    if let (Some(map), Some(found)) = (&provider.role_map, found) {
        let Some(values) = named(found) else {
            return refused(format!("The claim {shown} is not a string."));
        };
        // Issuers list a user's groups in any order, so the order of the provider's list decides.
        let is_mapped = |role: &&String| values.iter().any(|value| map.role(value) == Some(role));
        return match provider.allowed_roles.iter().find(is_mapped) {
            Some(role) => chosen(role, Why::Map),
            None => default(format!(
                "The role_map has no role for a value of the claim {shown}."
            )),
        };
    }
    match found {
        None => default(format!("The claim {shown} is missing.")),
        Some(Value::String(role)) if allowed(role) => chosen(role, Why::Claim),
        Some(Value::String(role)) => refused(format!("The requested role is {}.", quoted(role))),
        // Issuers list many roles, of which only some are meant for the database.
        Some(Value::Array(items)) => {
            let mut named = items.iter().filter_map(Value::as_str);
            match named.find(|role| allowed(role)) {
                Some(role) => chosen(role, Why::Claim),
                None => default(format!(
                    "The claim {shown} names none of the allowed roles."
                )),
            }
        }
        // Zitadel's roles are the members of an object, each with the organizations that grant it.
        // Members have no order, so the order of the provider's list decides.
        Some(Value::Object(members)) => {
            let is_granted = |role: &&String| members.get(*role).is_some_and(is_grant);
            match provider.allowed_roles.iter().find(is_granted) {
                Some(role) => chosen(role, Why::Claim),
                None => default(format!(
                    "The claim {shown} names none of the allowed roles."
                )),
            }
        }
        Some(_) => refused(format!("The claim {shown} is not a string.")),
    }
}

/// What a claim names: itself, its items, or the members that Zitadel's object grants.
fn named(claim: &Value) -> Option<Vec<&str>> {
    match claim {
        Value::String(value) => Some(vec![value]),
        Value::Array(items) => Some(items.iter().filter_map(Value::as_str).collect()),
        Value::Object(members) => {
            let granted = members.iter().filter(|(_, granted)| is_grant(granted));
            Some(granted.map(|(name, _)| name.as_str()).collect())
        }
        _ => None,
    }
}

/// Whether a member of Zitadel's object grants the role of its name.
fn is_grant(member: &Value) -> bool {
    member.as_object().is_some()
}

/// Refuses a role that the session cannot set, by PostgreSQL's rules for `SET ROLE`; and a role
/// that bypasses row-level security, even if the provider allows it: it may have become a superuser
/// since.
pub fn demand(provider: &Provider, role: &str) -> Result<(), Problem> {
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
        if pg_sys::has_bypassrls_privilege(oid) || role.starts_with("pg_") {
            return Err(Problem::RoleRefused {
                provider: provider.name.clone(),
                reason: format!("The role {} bypasses row-level security.", quoted(role)),
            });
        }
        let user = pg_sys::GetSessionUserId();
        if !compat::can_set_role(user, oid) {
            return Err(Problem::RoleNotGranted {
                role: role.to_owned(),
                user: session_user(),
                is_member: pg_sys::is_member_of_role(user, oid),
            });
        }
    }
    Ok(())
}

/// The user whose memberships are checked.
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
