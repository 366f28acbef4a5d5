//! The role that a caller asks about, and what else of the caller's session counts.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::error::Problem;
use crate::pg::compat;
use crate::version;

/// The role with this name, which the caller must be able to become.
pub fn of(name: &CStr) -> Result<pg_sys::Oid, Problem> {
    version::agree()?;
    // SAFETY: look-ups in the catalog, inside a transaction.
    unsafe {
        let role = pg_sys::get_role_oid(name.as_ptr(), true);
        let text = |name: &CStr| name.to_string_lossy().into_owned();
        if role == pg_sys::InvalidOid {
            return Err(Problem::UnknownRole { role: text(name) });
        }
        let caller = pg_sys::GetUserId();
        if compat::can_set_role(caller, role) {
            return Ok(role);
        }
        Err(Problem::RoleOfOthers {
            role: text(name),
            caller: text(CStr::from_ptr(pg_sys::GetUserNameFromId(caller, false))),
        })
    }
}

/// The caller's, which functions of policies have that do not set one.
pub fn search_path() -> String {
    // SAFETY: the setting exists.
    unsafe {
        let path = pg_sys::GetConfigOption(c"search_path".as_ptr(), true, false);
        CStr::from_ptr(path).to_string_lossy().into_owned()
    }
}
