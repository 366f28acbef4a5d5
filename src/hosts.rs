//! The check of settings that are lists of hosts.

use std::ffi::{CStr, c_char, c_void};

use neon_auth_wire::hosts::{is_host, listed};
use pgrx::{pg_guard, pg_sys};

/// Check hook: refuses a value with an entry that cannot be the host of a URL.
#[pg_guard]
pub unsafe extern "C-unwind" fn check(
    value: *mut *mut c_char,
    _extra: *mut *mut c_void,
    _source: pg_sys::GucSource::Type,
) -> bool {
    // SAFETY: PostgreSQL passes a pointer to NULL or to a C string.
    unsafe {
        let are_hosts = (*value).is_null()
            || CStr::from_ptr(*value)
                .to_str()
                .is_ok_and(|list| listed(list).all(is_host));
        if !are_hosts {
            pg_sys::GUC_check_errdetail_string =
                c"Each entry is host or host:port, without http:// and without a path."
                    .as_ptr()
                    .cast_mut();
            pg_sys::GUC_check_errhint_string =
                c"For example: ALTER SYSTEM SET neon_auth.insecure_hosts = 'keycloak:8080';"
                    .as_ptr()
                    .cast_mut();
        }
        are_hosts
    }
}
