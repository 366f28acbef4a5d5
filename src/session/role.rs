//! The Postgres role that comes and goes with an identity.

use std::cell::Cell;
use std::ffi::{CStr, CString};

use pgrx::{PgLogLevel, pg_sys};

use super::scope::{Scope, in_block};
use crate::error::Problem;

thread_local! {
    /// Whether an identity of the session's scope has brought a role so far.
    static BROUGHT: Cell<bool> = const { Cell::new(false) };
}

/// The role of one identity gives way to that of the next, at the scope of the next: the two are
/// set together, so that whatever brings an identity back brings its role back too. As
/// `SET [LOCAL] ROLE`, by PostgreSQL's own rules of membership: raises 42501 where the session's
/// user is no member and 22023 where there is no such role; an error too where no role can be set.
pub fn replace(old: Option<&str>, new: Option<&str>, scope: Scope) -> Result<(), Problem> {
    let held = |role: &str| CString::new(role).expect("a role's name holds no NUL");
    match (new, scope) {
        (Some(new), _) => {
            if scope == Scope::Session {
                BROUGHT.set(true);
            }
            set(&held(new), scope)
        }
        (None, _) if old.is_some_and(is_current) => set(c"none", scope),
        // A role that the transaction has set for itself may hide one that an identity brought.
        (None, Scope::Session) if BROUGHT.get() && in_block() => {
            let own = current().filter(|role| role != "none");
            set(c"none", Scope::Session)?;
            own.map_or(Ok(()), |own| set(&held(&own), Scope::Transaction))
        }
        // A role that was chosen since is the session's own business.
        (None, _) => Ok(()),
    }
}

/// Whether `SET ROLE` stands at this role.
pub fn is_current(role: &str) -> bool {
    current().is_some_and(|current| current == role)
}

fn current() -> Option<String> {
    // SAFETY: PostgreSQL has this setting; it answers a C string or NULL, which is copied.
    unsafe {
        let current = pg_sys::GetConfigOption(c"role".as_ptr(), true, false);
        (!current.is_null()).then(|| CStr::from_ptr(current).to_string_lossy().into_owned())
    }
}

/// Whether a role can be set: not within a function that runs with its owner's rights, nor while
/// parallel workers run.
pub fn can_change() -> bool {
    // SAFETY: reads the process's state.
    unsafe { !is_held() && !pg_sys::IsInParallelMode() }
}

unsafe fn is_held() -> bool {
    unsafe { pg_sys::InLocalUserIdChange() || pg_sys::InSecurityRestrictedOperation() }
}

fn set(role: &CStr, scope: Scope) -> Result<(), Problem> {
    // SAFETY: reads the process's state; C strings that live through the call.
    unsafe {
        if is_held() {
            return Err(Problem::RoleHeld);
        }
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
    Ok(())
}
