//! Sets and resets the Postgres role of an identity.

use std::cell::Cell;
use std::ffi::{CStr, CString};

use pgrx::pg_sys;

use super::scope::{Scope, in_block};
use crate::error::Problem;
use crate::pg::setting;

thread_local! {
    /// Whether an identity of session scope has set a role so far.
    static BROUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Replaces the role of one identity by that of the next, at the scope of the next. Both are set
/// together, so whatever restores an identity also restores its role. Sets the role as
/// `SET [LOCAL] ROLE` does, by PostgreSQL's own rules of membership: raises 42501 if the session's
/// user is not a member and 22023 if the role does not exist; also an error where no role can be
/// set.
pub fn replace(old: Option<&str>, new: Option<&str>, scope: Scope) -> Result<(), Problem> {
    let held = |role: &str| CString::new(role).expect("a role's name contains no NUL");
    match (new, scope) {
        (Some(new), _) => {
            if scope == Scope::Session {
                BROUGHT.set(true);
            }
            set(&held(new), scope)
        }
        (None, _) if old.is_some_and(is_current) => set(c"none", scope),
        // A role that the transaction has set itself may hide one that an identity has set.
        (None, Scope::Session) if BROUGHT.get() && in_block() => {
            let own = current().filter(|role| role != "none");
            set(c"none", Scope::Session)?;
            own.map_or(Ok(()), |own| set(&held(&own), Scope::Transaction))
        }
        // A role that was set since then is not ours to reset.
        (None, _) => Ok(()),
    }
}

/// Whether the current `SET ROLE` is this role.
pub fn is_current(role: &str) -> bool {
    current().is_some_and(|current| current == role)
}

fn current() -> Option<String> {
    // SAFETY: PostgreSQL has this setting; it returns a C string or NULL, which is copied.
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
    // SAFETY: reads the process's state.
    unsafe { pg_sys::InLocalUserIdChange() || pg_sys::InSecurityRestrictedOperation() }
}

fn set(role: &CStr, scope: Scope) -> Result<(), Problem> {
    // SAFETY: reads the process's state; C strings that live through the call.
    unsafe {
        if is_held() {
            return Err(Problem::RoleHeld);
        }
        let context = pg_sys::GucContext::PGC_USERSET;
        setting::set(c"role", role, context, scope.action());
    }
    Ok(())
}
