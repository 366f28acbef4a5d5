//! Gives a setting of the session a value, as SET does.

use std::ffi::CStr;

use pgrx::{PgLogLevel, pg_sys};

/// With the rights of `context`. The action says when the value ends.
///
/// # Safety
/// In a transaction.
pub unsafe fn set(
    name: &CStr,
    value: &CStr,
    context: pg_sys::GucContext::Type,
    action: pg_sys::GucAction::Type,
) {
    // SAFETY: as the caller promises for the time until which it holds; both are C strings, which are copied.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            context,
            pg_sys::GucSource::PGC_S_SESSION,
            action,
            true,
            PgLogLevel::ERROR as i32,
            false,
        );
    }
}
