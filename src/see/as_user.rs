//! Runs something as a role with an identity, in a subtransaction that is always rolled back.
//!
//! What runs is code of other roles, such as functions in policies, and the caller is an administrator. So it runs
//! in a security-restricted operation: RESET ROLE, which would return to the rights of the session's user, is
//! refused, and so are temporary tables. `current_user` is the role. The setting `role` is the role too if the
//! session's user could set it, as in real use.

use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;

use pgrx::{PgLogLevel, PgTryBuilder, pg_sys};

use crate::identity::Identity;
use crate::pg::compat;
use crate::pg::raised::{self, Raised};
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
        unsafe {
            let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
            let (mut user, mut restrictions) = (pg_sys::InvalidOid, 0);
            pg_sys::GetUserIdAndSecContext(&raw mut user, &raw mut restrictions);
            // The setting `role` cannot change while another role's rights are borrowed.
            pg_sys::SetUserIdAndSecContext(pg_sys::GetOuterUserId(), 0);
            pg_sys::BeginInternalSubTransaction(std::ptr::null());
            pg_sys::MemoryContextSwitchTo(context);
            let outcome = PgTryBuilder::new(AssertUnwindSafe(|| {
                self.enter();
                Ok(raised::attempt(work))
            }))
            .catch_others(Err)
            .catch_rust_panic(Err)
            .execute();
            pg_sys::RollbackAndReleaseCurrentSubTransaction();
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
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
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_USERSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_LOCAL,
            true,
            PgLogLevel::ERROR as i32,
            false,
        );
    }
}
