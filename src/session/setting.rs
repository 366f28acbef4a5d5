//! The setting that contains the identity: only this library can set it.
//!
//! PostgreSQL's settings already behave as an identity must: they roll back with a transaction or a
//! savepoint, a local one ends with its transaction, `DISCARD ALL` clears them, and parallel
//! workers inherit them. They lack protection, which the check hook adds: it refuses every value
//! unless `set` sets it, or PostgreSQL copies the leader's settings into a parallel worker.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_void};

use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PgSqlErrorCode};

use super::scope::Scope;
use super::wal;
use crate::pg::setting;

const NAME: &CStr = c"neon_auth.identity";

static IDENTITY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

thread_local! {
    /// True while `set` sets the setting.
    static ASSUMING: Cell<bool> = const { Cell::new(false) };
    /// How often the value has changed.
    static CHANGES: Cell<u64> = const { Cell::new(0) };
}

/// Registers the setting.
pub fn define() {
    // SAFETY: all hooks are guarded.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            NAME,
            c"The identity of the session.",
            c"Only functions such as auth.authenticate() can set it.",
            &IDENTITY,
            GucContext::Suset,
            GucFlags::NO_SHOW_ALL | GucFlags::DISALLOW_IN_FILE | GucFlags::SUPERUSER_ONLY,
            Some(check),
            Some(assign),
            Some(show),
        );
    }
}

/// How often the value has changed in this process; the number identifies a value.
pub fn changes() -> u64 {
    CHANGES.get()
}

/// The value; `None` if it is empty.
pub fn text<'a>() -> Option<&'a str> {
    // SAFETY: the setting's storage is this library's and contains NULL or a C string; the slice is
    // used before anything can change the setting.
    let text = unsafe {
        let value = *IDENTITY.as_ptr();
        if value.is_null() {
            return None;
        }
        CStr::from_ptr(value)
    };
    text.to_str().ok().filter(|text| !text.is_empty())
}

/// Sets the setting, as `SET` and `SET LOCAL` do.
pub fn set(value: &CStr, scope: Scope) {
    /// Reset when the scope ends, also after an ERROR.
    struct Assuming;
    impl Drop for Assuming {
        fn drop(&mut self) {
            ASSUMING.set(false);
        }
    }
    ASSUMING.set(true);
    let _assuming = Assuming;
    let context = pg_sys::GucContext::PGC_SUSET;
    // SAFETY: inside a transaction.
    unsafe { setting::set(NAME, value, context, scope.action()) };
}

#[pg_guard]
unsafe extern "C-unwind" fn check(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes a pointer to NULL or to a C string.
    unsafe {
        let is_empty = (*value).is_null() || **value == 0;
        if is_empty || ASSUMING.get() || pg_sys::InitializingParallelWorker {
            return true;
        }
        pg_sys::GUC_check_errcode(PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE as i32);
        pg_sys::GUC_check_errmsg_string =
            c"the session's identity cannot be set".as_ptr().cast_mut();
        pg_sys::GUC_check_errdetail_string =
            c"Only auth.authenticate() with a valid token and auth.impersonate() can set it."
                .as_ptr()
                .cast_mut();
        pg_sys::GUC_check_errhint_string = c"SELECT auth.authenticate($1);".as_ptr().cast_mut();
        false
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn assign(_value: *const c_char, _extra: *mut c_void) {
    // The setting still has its previous value.
    wal::leaves();
    CHANGES.set(CHANGES.get().wrapping_add(1));
}

/// What `SHOW` returns to roles that may read protected settings: not the claims.
#[pg_guard]
unsafe extern "C-unwind" fn show() -> *const c_char {
    if text().is_some() {
        c"(set)".as_ptr()
    } else {
        c"".as_ptr()
    }
}
