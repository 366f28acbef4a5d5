//! The Postgres role that a token's claim names, where its provider maps one.

use std::ffi::CString;

use pgrx::{PgLogLevel, pg_sys};
use serde_json::Value;

use super::store::Scope;
use crate::error::{Problem, quoted};
use crate::provider::Admitted;

/// The role to switch to: none where the provider maps no claim, else one of its list.
pub fn of(
    Admitted {
        provider, verified, ..
    }: &Admitted,
) -> Result<Option<String>, Problem> {
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
            .and_then(Value::as_bool)
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

/// As `SET [LOCAL] ROLE`, by PostgreSQL's own rules of membership. Raises 42501 where the
/// session's user is no member and 22023 where there is no such role.
pub fn switch_to(role: &str, scope: Scope) {
    let value = CString::new(role).expect("an allowed role's name holds no NUL");
    // SAFETY: C strings that live through the call.
    unsafe {
        pg_sys::set_config_option(
            c"role".as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            scope.action(),
            true,
            PgLogLevel::ERROR as i32,
            false,
        );
    }
}
