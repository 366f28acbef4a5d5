//! The Postgres role that comes and goes with an identity.

use std::ffi::{CStr, CString};

use pgrx::{PgLogLevel, pg_sys};

use super::store::Scope;

/// As `SET [LOCAL] ROLE`, by PostgreSQL's own rules of membership. Raises 42501 where the
/// session's user is no member and 22023 where there is no such role.
pub fn switch_to(role: &str, scope: Scope) {
    set(
        &CString::new(role).expect("an allowed role's name holds no NUL"),
        scope,
    );
}

/// Back to the session's user, if the role is still the one that was switched to.
pub fn leave(role: &str) {
    if is_current(role) {
        set(c"none", Scope::Session);
    }
}

/// Whether `SET ROLE` stands at this role.
pub fn is_current(role: &str) -> bool {
    // SAFETY: PostgreSQL has this setting; it answers a C string or NULL.
    unsafe {
        let current = pg_sys::GetConfigOption(c"role".as_ptr(), true, false);
        !current.is_null() && CStr::from_ptr(current).to_bytes() == role.as_bytes()
    }
}

fn set(role: &CStr, scope: Scope) {
    // SAFETY: C strings that live through the call.
    unsafe {
        pg_sys::set_config_option(
            c"role".as_ptr(),
            role.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            scope.action(),
            true,
            PgLogLevel::ERROR as i32,
            false,
        );
    }
}
