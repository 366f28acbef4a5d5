//! Runs something as a role with an identity, in a subtransaction that is always rolled back.
//!
//! What runs is code of other roles, such as functions in policies, and the caller is an administrator. So it runs
//! in a security-restricted operation: RESET ROLE, which would return to the rights of the session's user, is
//! refused, and so are temporary tables. `current_user` is the role. The setting `role` is the role too if the
//! session's user could set it, as in real use.

use std::ffi::{CStr, CString};
use std::rc::Rc;

use pgrx::pg_sys;

use crate::identity::Identity;
use crate::pg::attempt::rolled_back;
use crate::pg::raised::{self, Raised};
use crate::pg::{compat, setting};
use crate::session;

/// A role, and who is signed in.
pub struct AsUser {
    pub role: pg_sys::Oid,
    pub identity: Option<Rc<Identity>>,
    /// The `search_path` of functions that do not set one.
    pub search_path: Option<CString>,
}

impl AsUser {
    /// Runs `work`, and undoes all that it did in the database. An ERROR is returned, but a cancel is raised.
    ///
    /// # Safety
    /// In a transaction. `work` must own nothing that needs dropping, and call no function with pgrx's guard.
    pub unsafe fn attempt<T>(&self, work: impl FnOnce() -> T) -> Result<T, Raised> {
        // SAFETY: as the caller promises, a transaction is active, and `work` owns nothing; the subtransaction
        // is rolled back in any case, and the user is set back.
        unsafe {
            let (mut user, mut restrictions) = (pg_sys::InvalidOid, 0);
            pg_sys::GetUserIdAndSecContext(&raw mut user, &raw mut restrictions);
            // The setting `role` cannot change while another role's rights are borrowed.
            pg_sys::SetUserIdAndSecContext(pg_sys::GetOuterUserId(), 0);
            let outcome = rolled_back(|| {
                self.enter();
                raised::attempt(work)
            });
            // The setting's return has changed the user.
            pg_sys::SetUserIdAndSecContext(user, restrictions);
            session::taken_back();
            match outcome {
                Err(error) => error.rethrow(),
                Ok(Err(raised)) if raised.is_cancel() => raised.raise_again(),
                Ok(outcome) => outcome,
            }
        }
    }

    unsafe fn enter(&self) {
        // SAFETY: `attempt` has opened a subtransaction, with which settings, user and identity end.
        unsafe {
            session::lend(self.identity.clone());
            set(c"row_security", c"on");
            if let Some(path) = &self.search_path {
                set(c"search_path", path);
            }
            if compat::can_set_role(pg_sys::GetSessionUserId(), self.role) {
                let name = pg_sys::GetUserNameFromId(self.role, false);
                set(c"role", CStr::from_ptr(name));
            }
            let restrictions =
                pg_sys::SECURITY_RESTRICTED_OPERATION | pg_sys::SECURITY_LOCAL_USERID_CHANGE;
            pg_sys::SetUserIdAndSecContext(self.role, restrictions as i32);
        }
    }
}

/// Gives a setting a value until the subtransaction ends.
unsafe fn set(name: &CStr, value: &CStr) {
    let action = pg_sys::GucAction::GUC_ACTION_LOCAL;
    // SAFETY: both are C strings, which are copied; the setting ends with the subtransaction of `attempt`.
    unsafe { setting::set(name, value, pg_sys::GucContext::PGC_USERSET, action) };
}
