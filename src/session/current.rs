//! Where the identity lives: a setting that only this file can give a value.
//!
//! PostgreSQL's settings already are what an identity needs: they roll back with a transaction or
//! a savepoint, a local one ends with its transaction, `DISCARD ALL` clears them, and parallel
//! workers inherit them. What they lack is protection, and the check hook adds it: every value is
//! refused unless this file is setting it, or PostgreSQL is copying the leader's settings into a
//! parallel worker.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, CString, c_char, c_void};
use std::rc::Rc;

use pgrx::prelude::*;
use pgrx::{GucContext, GucFlags, GucRegistry, GucSetting, PgSqlErrorCode};

use super::{hooks, role, statement};
use crate::error::Problem;
use crate::identity::Identity;
use crate::pg::nodes::reads_a_table;

const NAME: &CStr = c"neon_auth.identity";

/// What stands before an identity in the setting that had expired.
const HAD_EXPIRED: &str = "expired ";

static IDENTITY: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(None);

thread_local! {
    /// True while this file gives the setting a value.
    static ASSUMING: Cell<bool> = const { Cell::new(false) };
    /// The setting's value as Rust sees it.
    static CURRENT: RefCell<Current> = const { RefCell::new(Current::Nobody) };
    /// The epoch that the next identity gets.
    static NEXT_EPOCH: Cell<u64> = const { Cell::new(1) };
    /// Identities of an earlier epoch are void, see `Admission`.
    static FIRST_VALID_EPOCH: Cell<u64> = const { Cell::new(0) };
}

/// The setting's value: not there, there but not parsed since it changed, or parsed.
enum Current {
    Nobody,
    Unread,
    Known(Kept),
}

/// An identity and how it was assumed.
#[derive(Clone)]
struct Kept {
    epoch: u64,
    /// Whether it had expired when the query began whose parallel workers inherit it: they cannot
    /// tell when that was.
    had_expired: bool,
    identity: Rc<Identity>,
}

/// How long an identity lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Until the transaction ends, as `SET LOCAL`.
    Transaction,
    /// Until the session ends or another statement changes it, as `SET`.
    Session,
}

impl From<bool> for Scope {
    /// As `set_config` has it: true for a local setting.
    fn from(is_local: bool) -> Self {
        if is_local {
            Scope::Transaction
        } else {
            Scope::Session
        }
    }
}

impl Scope {
    /// The same, as settings know it.
    pub fn action(self) -> pg_sys::GucAction::Type {
        match self {
            Scope::Transaction => pg_sys::GucAction::GUC_ACTION_LOCAL,
            Scope::Session => pg_sys::GucAction::GUC_ACTION_SET,
        }
    }
}

/// Whether statements that follow can be part of the same transaction: in a transaction block,
/// or in a DO block or a procedure that runs outside one.
pub fn in_block() -> bool {
    // SAFETY: both read the transaction's state.
    unsafe { pg_sys::IsTransactionBlock() || pg_sys::SPI_inside_nonatomic_context() }
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

/// The identity in force for this statement: `None` with nobody signed in, an error once it has
/// expired.
pub fn current() -> Result<Option<Rc<Identity>>, Problem> {
    let Some(kept) = kept().filter(Kept::is_valid) else {
        return Ok(None);
    };
    kept.in_force(statement::began)?;
    Ok(Some(kept.identity))
}

/// Whether somebody is signed in, with an identity in force or not.
pub fn is_anybody() -> bool {
    kept().is_some()
}

/// Makes `identity` the session's, and the role that it brings.
pub fn assume(identity: Rc<Identity>, scope: Scope) -> Result<(), Problem> {
    role::replace(brought().as_deref(), identity.role.as_deref(), scope)?;
    let epoch = NEXT_EPOCH.replace(NEXT_EPOCH.get() + 1);
    if identity.valid_until.is_some() {
        hooks::join();
    }
    let kept = Kept {
        epoch,
        had_expired: false,
        identity,
    };
    set(&kept.to_setting(), scope);
    CURRENT.set(Current::Known(kept));
    Ok(())
}

/// Forgets the identity at every scope, and the role where one came with it, as a SET does: an
/// abort of the transaction takes it back.
pub fn forget() -> Result<(), Problem> {
    let role = brought();
    set(c"", Scope::Session);
    role::replace(role.as_deref(), None, Scope::Session)
}

/// The role that came with the identity.
fn brought() -> Option<String> {
    kept().and_then(|kept| kept.identity.role.clone())
}

/// Before a statement that begins at some time, and runs a plan unless it is no query: takes an
/// identity that a refusal has made void out of the setting too, where other processes inherit it,
/// and the role away from one that has expired. Answers an error where the plan was made for the
/// role that came with it, and where the role cannot be taken away.
pub fn settle(
    began: impl FnOnce() -> i64,
    plan: Option<&pg_sys::PlannedStmt>,
) -> Result<(), Problem> {
    let Some(kept) = kept() else {
        return Ok(());
    };
    let is_void = !kept.is_valid();
    let ended = match kept.in_force(began) {
        _ if is_void => Problem::Ended,
        Err(expired) => expired,
        Ok(()) => return Ok(()),
    };
    let role = kept.identity.role.as_deref();
    let is_current = role.is_some_and(role::is_current);
    // SAFETY: a plan's own list.
    let reads_a_table = || plan.is_some_and(|plan| unsafe { reads_a_table(plan.rtable) });
    if is_current && (!role::can_change() || reads_a_table()) {
        return Err(ended);
    }
    if is_void {
        return forget();
    }
    if is_current {
        role::replace(role, None, Scope::Session)?;
    }
    if plan.is_some_and(|plan| plan.parallelModeNeeded) {
        kept.tell_workers();
    }
    Ok(())
}

/// Whether somebody is signed in until some time.
pub fn may_expire() -> bool {
    kept().is_some_and(|kept| kept.identity.valid_until.is_some())
}

/// An attempt to come by an identity: unless it ends in `succeed`, nobody is signed in after it.
///
/// Settings alone cannot promise that: the error of a refused token aborts the (sub)transaction,
/// and the abort would bring back the identity that was there before. So every identity carries
/// an epoch, and a refusal voids all earlier epochs. It is a fact of this process that no abort
/// undoes.
#[must_use]
pub struct Admission(());

impl Admission {
    pub fn begin() -> Self {
        Self(())
    }

    pub fn succeed(self) {
        std::mem::forget(self);
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        FIRST_VALID_EPOCH.set(NEXT_EPOCH.get());
        hooks::join();
    }
}

/// The identity in the setting, valid or void.
fn kept() -> Option<Kept> {
    CURRENT.with_borrow_mut(|current| {
        if let Current::Unread = current {
            *current = raw()
                .and_then(Kept::from_setting)
                .map_or(Current::Nobody, Current::Known);
        }
        match current {
            Current::Known(kept) => Some(kept.clone()),
            _ => None,
        }
    })
}

impl Kept {
    fn is_valid(&self) -> bool {
        self.epoch >= FIRST_VALID_EPOCH.get()
    }

    /// An error once it has expired, for a statement that began at some time, which is asked for
    /// only where it matters.
    fn in_force(&self, began: impl FnOnce() -> i64) -> Result<(), Problem> {
        let Some(until) = self.identity.valid_until else {
            return Ok(());
        };
        // Times that impersonate() was given may be as far away as an integer goes.
        match began().saturating_sub(until) {
            ago if ago >= 0 || self.had_expired => Err(Problem::Expired { ago: ago.max(0) }),
            _ => Ok(()),
        }
    }

    /// Tells the workers that inherit the setting that the identity has expired. The transaction's
    /// end takes it back.
    fn tell_workers(&self) {
        // SAFETY: reads the transaction's state.
        if self.had_expired || unsafe { pg_sys::IsInParallelMode() } {
            return;
        }
        let told = Self {
            had_expired: true,
            ..self.clone()
        };
        set(&told.to_setting(), Scope::Transaction);
        CURRENT.set(Current::Known(told));
    }

    fn to_setting(&self) -> CString {
        let mut text = format!("{} ", self.epoch);
        if self.had_expired {
            text.push_str(HAD_EXPIRED);
        }
        self.identity.write_to(&mut text);
        CString::new(text).expect("JSON text holds no NUL")
    }

    fn from_setting(text: &str) -> Option<Self> {
        let (epoch, rest) = text.split_once(' ')?;
        let expired = rest.strip_prefix(HAD_EXPIRED);
        let identity = expired.unwrap_or(rest);
        Some(Self {
            epoch: epoch.parse().ok()?,
            had_expired: expired.is_some(),
            identity: Rc::new(Identity::from_text(identity)?),
        })
    }
}

/// The setting's text; `None` when it is empty.
fn raw<'a>() -> Option<&'a str> {
    // SAFETY: the setting's storage is this library's and holds NULL or a C string; the slice is
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

fn set(value: &CStr, scope: Scope) {
    /// Ends with the scope, also when an ERROR passes by.
    struct Assuming;
    impl Drop for Assuming {
        fn drop(&mut self) {
            ASSUMING.set(false);
        }
    }
    ASSUMING.set(true);
    let _assuming = Assuming;
    // SAFETY: both are C strings that live through the call.
    unsafe {
        pg_sys::set_config_option(
            NAME.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            scope.action(),
            true,
            PgLogLevel::ERROR as i32,
            false,
        );
    }
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
unsafe extern "C-unwind" fn assign(value: *const c_char, _extra: *mut c_void) {
    // SAFETY: PostgreSQL passes NULL or a C string.
    let is_empty = unsafe { value.is_null() || *value == 0 };
    CURRENT.set(if is_empty {
        Current::Nobody
    } else {
        Current::Unread
    });
}

/// What `SHOW` answers to those who may read protected settings: not the claims.
#[pg_guard]
unsafe extern "C-unwind" fn show() -> *const c_char {
    if raw().is_some() {
        c"(set)".as_ptr()
    } else {
        c"".as_ptr()
    }
}
