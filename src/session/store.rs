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

use super::identity::Identity;
use crate::error::Problem;

const NAME: &CStr = c"neon_auth.identity";

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
    Known { epoch: u64, identity: Rc<Identity> },
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

/// Registers the setting and the hook that keeps refusals.
pub fn define() {
    // SAFETY: all hooks are guarded.
    unsafe {
        GucRegistry::define_string_guc_with_hooks(
            NAME,
            c"The identity that the session acts under.",
            c"Set by auth.authenticate() and its kin alone.",
            &IDENTITY,
            GucContext::Suset,
            GucFlags::NO_SHOW_ALL | GucFlags::DISALLOW_IN_FILE | GucFlags::SUPERUSER_ONLY,
            Some(check),
            Some(assign),
            Some(show),
        );
        PREVIOUS_EXECUTOR_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(executor_start);
    }
    crate::settings::reserve_prefix();
}

/// The identity in force for this statement: `None` with nobody signed in, an error once it has
/// expired.
pub fn current() -> Result<Option<Rc<Identity>>, Problem> {
    let Some(identity) = stored() else {
        return Ok(None);
    };
    if let Some(valid_until) = identity.valid_until {
        let now = statement_start();
        if now >= valid_until {
            return Err(Problem::Expired {
                ago: now - valid_until,
            });
        }
    }
    Ok(Some(identity))
}

/// Makes `identity` the session's.
pub fn assume(identity: Rc<Identity>, scope: Scope) {
    let epoch = NEXT_EPOCH.replace(NEXT_EPOCH.get() + 1);
    let value = format!("{epoch} {}", identity.to_text());
    set(&CString::new(value).expect("JSON text holds no NUL"), scope);
    CURRENT.set(Current::Known { epoch, identity });
}

/// Forgets the identity, as a SET does: an abort of the transaction takes it back.
pub fn forget() {
    set(c"", Scope::Session);
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
    }
}

fn stored() -> Option<Rc<Identity>> {
    CURRENT.with_borrow_mut(|current| {
        if let Current::Unread = current {
            *current = raw().and_then(read).unwrap_or(Current::Nobody);
        }
        match current {
            Current::Known { epoch, identity } if *epoch >= FIRST_VALID_EPOCH.get() => {
                Some(Rc::clone(identity))
            }
            _ => None,
        }
    })
}

/// Reads back what `assume` wrote.
fn read(value: &str) -> Option<Current> {
    let (epoch, text) = value.split_once(' ')?;
    let identity = Rc::new(Identity::from_text(text)?);
    Some(Current::Known {
        epoch: epoch.parse().ok()?,
        identity,
    })
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

/// Start of the current statement, in seconds since 1970. Workers share their leader's.
fn statement_start() -> i64 {
    const POSTGRES_EPOCH: i64 = 946_684_800;
    // SAFETY: reads a variable.
    let microseconds = unsafe { pg_sys::GetCurrentStatementStartTimestamp() };
    microseconds.div_euclid(1_000_000) + POSTGRES_EPOCH
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
            c"It comes from a verified token, or from auth.impersonate()."
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

static mut PREVIOUS_EXECUTOR_START: pg_sys::ExecutorStart_hook_type = None;

/// Before any query runs, an identity that a refusal has made void leaves the setting too:
/// parallel workers inherit the setting, but know nothing of epochs.
///
/// Only that part is guarded. An ERROR of the query itself, which is not our business, passes
/// over this frame as it would without us; the frame owns nothing that needs dropping.
unsafe extern "C-unwind" fn executor_start(query: *mut pg_sys::QueryDesc, flags: i32) {
    unsafe extern "C-unwind" {
        // PostgreSQL's own, without the guard that pgrx puts around it.
        fn standard_ExecutorStart(query: *mut pg_sys::QueryDesc, flags: i32);
    }
    if FIRST_VALID_EPOCH.get() > 0 {
        // SAFETY: guarded, and inside a transaction.
        unsafe { drop_void_identity() };
    }
    // SAFETY: the hook chain as PostgreSQL has it.
    unsafe {
        match PREVIOUS_EXECUTOR_START {
            Some(previous) => previous(query, flags),
            None => standard_ExecutorStart(query, flags),
        }
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn drop_void_identity() {
    if raw().is_some() && stored().is_none() {
        forget();
    }
}
