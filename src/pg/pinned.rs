//! Another user's rights, and a search_path that cannot be shadowed, while SQL runs.

use std::ffi::CStr;

use pgrx::pg_sys;

use super::setting;

/// What was in force before. After an ERROR, the abort of the (sub)transaction restores all of it, so
/// there is no Drop.
pub struct Pinned {
    user: pg_sys::Oid,
    context: i32,
    level: i32,
}

impl Pinned {
    /// # Safety
    /// A transaction must be active; `leave` or an ERROR must follow. `context` is made of flags that
    /// `GetUserIdAndSecContext` returns.
    pub unsafe fn enter(as_user: pg_sys::Oid, context: u32) -> Self {
        // SAFETY: as the caller promises, a transaction is active; the out-parameters are fields of a local.
        unsafe {
            let mut before = Self {
                user: pg_sys::InvalidOid,
                context: 0,
                level: 0,
            };
            pg_sys::GetUserIdAndSecContext(&raw mut before.user, &raw mut before.context);
            pg_sys::SetUserIdAndSecContext(as_user, before.context | context as i32);
            before.level = pg_sys::NewGUCNestLevel();
            before.set(c"search_path", c"pg_catalog, pg_temp");
            before
        }
    }

    /// Gives a setting a value until this is left. It may be one that only superusers can set.
    ///
    /// # Safety
    /// Between `enter` and `leave`.
    pub unsafe fn set(&self, name: &CStr, value: &CStr) {
        // SAFETY: as the caller promises, this is entered, so the setting ends with its level; both are C
        // strings, which are copied.
        unsafe {
            let action = pg_sys::GucAction::GUC_ACTION_SAVE;
            setting::set(name, value, pg_sys::GucContext::PGC_SUSET, action);
        }
    }

    /// Keeps the settings that the SQL has made, as a definer function does.
    ///
    /// # Safety
    /// In the (sub)transaction in which it was entered, with nothing of it left open.
    pub unsafe fn leave(self) {
        // SAFETY: as the caller promises, in the (sub)transaction in which it was entered.
        unsafe { self.restore(true) }
    }

    /// Undoes every setting that the SQL has made.
    ///
    /// # Safety
    /// As for `leave`.
    pub unsafe fn leave_without_settings(self) {
        // SAFETY: as the caller promises, in the (sub)transaction in which it was entered.
        unsafe { self.restore(false) }
    }

    unsafe fn restore(self, keeps_settings: bool) {
        // SAFETY: level, user and context are those that `enter` found in this (sub)transaction.
        unsafe {
            pg_sys::AtEOXact_GUC(keeps_settings, self.level);
            pg_sys::SetUserIdAndSecContext(self.user, self.context);
        }
    }
}
