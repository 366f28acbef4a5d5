//! Lists of hosts in settings: `host` or `host:port`, separated by commas.

use std::ffi::{CStr, c_char, c_void};
use std::net::Ipv6Addr;

use pgrx::{pg_guard, pg_sys};

/// The entries of a list.
pub fn listed(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|host| !host.is_empty())
}

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

fn is_host(entry: &str) -> bool {
    let (host, port) = match entry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (entry, None),
    };
    let is_name = |name: &str| {
        let is_inner = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
        !name.is_empty() && name.chars().all(is_inner)
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let ip = host.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
    let is_host = ip.map_or_else(|| is_name(host), |ip| ip.parse::<Ipv6Addr>().is_ok());
    is_host && port.is_none_or(is_port)
}
