//! Brings the mirror up to date in the transaction of a writer, which it never fails.
//!
//! Whatever goes wrong in here, except a cancel, undoes only what was done in here. It is then recorded
//! in `mirror_gaps`, and a worker or `neon_auth.sync()` repairs it. If not even that can be written, a
//! sequence remembers that something is missing.

use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportable};
use pgrx::prelude::*;
use pgrx::{IntoDatum, PgXactCallbackEvent, direct_function_call_as_datum, register_xact_callback};

use crate::background::wake;
use crate::error::{self, Problem};
use crate::pg::pinned::Pinned;
use crate::pg::tables::MIRROR_GAPS_UNRECORDED;
use crate::pg::{functions, raised, spi};
use crate::provider::What;

/// How many ids one call writes.
const CHUNK: usize = 5000;
/// How many parts of a change may fail before the rest is left to a repair as well.
const FAILURES: u32 = 20;
/// The longest wait for a lock of the mirror, in milliseconds.
const LONGEST_WAIT: i32 = 2000;
/// The same, in a transaction that has already waited in vain.
const SHORT_WAIT: i32 = 10;

thread_local! {
    /// Whether this transaction has waited in vain.
    static HAS_WAITED: Cell<bool> = const { Cell::new(false) };
}

/// What a change is written by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Concern {
    Users,
    Teams,
    Members,
    /// The permissions of all members of some teams.
    Roles,
}

impl Concern {
    pub fn of(what: What) -> Self {
        match what {
            What::Member | What::TeamMember => Self::Members,
            What::OrganizationRole => Self::Roles,
            What::Organization | What::Team => Self::Teams,
            What::User | What::Session | What::Jwks | What::ApiKey => Self::Users,
        }
    }

    /// The argument of `refresh_all`.
    fn name(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::Teams => "teams",
            Self::Members | Self::Roles => "members",
        }
    }
}

/// A row that the mirror cannot have: its id is NULL, empty or too long.
pub struct Unusable;

/// What has to be read again.
pub struct Change {
    concern: Concern,
    /// A user or a team, or a team and a user; `None` for everything.
    ids: Option<Vec<(String, String)>>,
    /// Whether this transaction has just made the rows.
    are_new: bool,
    unusable: Option<Unusable>,
}

impl Change {
    pub fn new(
        concern: Concern,
        mut ids: Vec<(String, String)>,
        are_new: bool,
        unusable: Option<Unusable>,
    ) -> Self {
        // In one order, so that two transactions do not wait for each other.
        ids.sort_unstable();
        ids.dedup();
        Self {
            concern,
            ids: Some(ids),
            are_new,
            unusable,
        }
    }

    pub fn everything(concern: Concern) -> Self {
        Self {
            concern,
            ids: None,
            are_new: false,
            unusable: None,
        }
    }
}

/// Writes what a statement has changed into the mirror.
pub fn follow(what: What, read: impl Fn() -> Result<Option<Change>, Problem>) {
    // SAFETY: in a trigger after a statement, whose effects become visible.
    unsafe { pg_sys::CommandCounterIncrement() };
    let change = match protected(|| read().map_err(ErrorReport::from).unwrap_or_report()) {
        Ok(Some(change)) => change,
        Ok(None) => return,
        Err(failure) => return note(what, &[], &failure.reason),
    };
    match &change.ids {
        None => {
            if let Err(failure) = patient(|| refresh_all(change.concern)) {
                revoke(&change, &[]);
                note(what, &[], &failure.reason);
            }
        }
        Some(ids) => settle(what, &change, ids, &mut 0),
    }
    if change.unusable.is_some() {
        note(what, &[], "A row has no id, or one of more than 255 bytes.");
    }
}

/// Writes some of the ids. If one cannot be written, all others still are.
fn settle(what: What, change: &Change, ids: &[(String, String)], failures: &mut u32) {
    if ids.is_empty() {
        return;
    }
    let Err(failure) = patient(|| refresh(change, ids)) else {
        return;
    };
    *failures += 1;
    if ids.len() == 1 || failure.is_general || *failures > FAILURES {
        revoke(change, ids);
        return note(what, ids, &failure.reason);
    }
    let (first, second) = ids.split_at(ids.len() / 2);
    settle(what, change, first, failures);
    settle(what, change, second, failures);
}

/// Tries again once if another transaction was in the way.
fn patient(work: impl Fn()) -> Result<(), Failure> {
    match protected(&work) {
        Err(failure) if failure.may_pass => protected(&work),
        outcome => outcome,
    }
}

fn refresh(change: &Change, ids: &[(String, String)]) {
    for ids in ids.chunks(CHUNK) {
        let firsts = firsts(ids);
        match change.concern {
            Concern::Users => call(c"refresh_users", &[firsts, change.are_new.into_datum()]),
            Concern::Teams => call(c"refresh_teams", &[firsts, change.are_new.into_datum()]),
            Concern::Members => call(
                c"refresh_members",
                &[firsts, seconds(ids), false.into_datum()],
            ),
            Concern::Roles => call(c"refresh_roles", &[firsts]),
        }
    }
}

fn firsts(ids: &[(String, String)]) -> Option<pg_sys::Datum> {
    let ids: Vec<&str> = ids.iter().map(|id| id.0.as_str()).collect();
    ids.into_datum()
}

fn seconds(ids: &[(String, String)]) -> Option<pg_sys::Datum> {
    let ids: Vec<&str> = ids.iter().map(|id| id.1.as_str()).collect();
    ids.into_datum()
}

/// At least takes away the permissions that are gone, when nothing else can be written. The gap that
/// follows says so in any case.
fn revoke(change: &Change, ids: &[(String, String)]) {
    if change.are_new || change.concern == Concern::Teams {
        return;
    }
    let part = match change.concern {
        Concern::Roles => "roles",
        concern => concern.name(),
    };
    let _ = protected(|| {
        let arguments = [part.into_datum(), firsts(ids), seconds(ids)];
        call(c"revoke_permissions", &arguments);
    });
}

fn refresh_all(concern: Concern) {
    call(c"refresh_all", &[concern.name().into_datum()]);
}

/// Calls one of the functions of sql/better_auth/mirror.sql.
fn call(name: &CStr, arguments: &[Option<pg_sys::Datum>]) {
    use pg_sys::{BOOLOID, TEXTARRAYOID, TEXTOID};
    let types: &[pg_sys::Oid] = match name.to_bytes() {
        b"refresh_users" | b"refresh_teams" => &[TEXTARRAYOID, BOOLOID],
        b"refresh_members" => &[TEXTARRAYOID, TEXTARRAYOID, BOOLOID],
        b"refresh_roles" => &[TEXTARRAYOID],
        b"refresh_all" => &[TEXTOID],
        b"revoke_permissions" => &[TEXTOID, TEXTARRAYOID, TEXTARRAYOID],
        _ => &[TEXTOID, TEXTARRAYOID, TEXTOID],
    };
    functions::call(name, types, arguments);
}

/// Why work was undone.
struct Failure {
    reason: String,
    /// Another transaction was in the way, which ends some day.
    may_pass: bool,
    /// It does not depend on which rows are written.
    is_general: bool,
}

impl Failure {
    /// An ERROR that is not to end the writer's statement; otherwise the error.
    fn of(error: CaughtError) -> Result<Self, CaughtError> {
        use PgSqlErrorCode as Code;
        let report = error::report_of(&error);
        let code = report.sql_error_code();
        // Other people's code can raise these codes too.
        let may_be_interrupt = matches!(
            code,
            Code::ERRCODE_QUERY_CANCELED
                | Code::ERRCODE_ADMIN_SHUTDOWN
                | Code::ERRCODE_CRASH_SHUTDOWN
        );
        if may_be_interrupt && raised::file_of(report).ends_with("postgres.c") {
            return Err(error);
        }
        if code == Code::ERRCODE_LOCK_NOT_AVAILABLE {
            wait_no_more();
        }
        let may_pass = matches!(
            code,
            Code::ERRCODE_T_R_DEADLOCK_DETECTED
                | Code::ERRCODE_LOCK_NOT_AVAILABLE
                | Code::ERRCODE_T_R_SERIALIZATION_FAILURE
        );
        let is_general = may_pass
            || matches!(
                code,
                Code::ERRCODE_INSUFFICIENT_RESOURCES
                    | Code::ERRCODE_DISK_FULL
                    | Code::ERRCODE_OUT_OF_MEMORY
                    | Code::ERRCODE_TOO_MANY_CONNECTIONS
                    | Code::ERRCODE_CONFIGURATION_LIMIT_EXCEEDED
                    | Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE
                    | Code::ERRCODE_UNDEFINED_FUNCTION
                    | Code::ERRCODE_UNDEFINED_TABLE
                    | Code::ERRCODE_READ_ONLY_SQL_TRANSACTION
            );
        let reason = match report.detail() {
            // Only of an error of ours: PostgreSQL's may contain values of rows.
            Some(detail) if code == Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE => {
                format!("{}: {detail}", report.message())
            }
            _ => report.message().to_owned(),
        };
        Ok(Self {
            reason,
            may_pass,
            is_general,
        })
    }
}

/// Records what the mirror lacks: the ids, or, without ids, something.
fn note(what: What, ids: &[(String, String)], reason: &str) {
    let recorded = protected(|| {
        let arguments = [what.name().into_datum(), firsts(ids), reason.into_datum()];
        call(c"note_gaps", &arguments);
    });
    if let Err(failure) = recorded {
        let counted = protected(|| {
            let sequence = Some(pg_sys::Datum::from(gaps()));
            // SAFETY: nextval takes the OID of a sequence.
            unsafe { direct_function_call_as_datum(pg_sys::nextval_oid, &[sequence]) };
        });
        pgrx::log!(
            "neon_auth: the mirror lacks a change, which CALL neon_auth.sync() repairs: {reason} It could not be \
             recorded{}: {}",
            if counted.is_ok() { "" } else { " at all" },
            failure.reason
        );
    }
    wake::at_commit();
}

/// The sequence that counts gaps. Its owner is that of all objects of the extension. Changes are
/// recorded also while the library has another version than the objects.
fn gaps() -> pg_sys::Oid {
    MIRROR_GAPS_UNRECORDED
        .oid_in_any_version()
        .unwrap_or_else(|| pgrx::error!("the sequence mirror_gaps_unrecorded is missing"))
}

/// How long this transaction may wait for a lock, in milliseconds. Its statement must not fail by its own
/// timeouts, and it may have many triggers.
fn longest_wait() -> i32 {
    if HAS_WAITED.get() {
        return SHORT_WAIT;
    }
    // SAFETY: settings of this process.
    let (deadlock, lock, statement) = unsafe {
        (
            pg_sys::DeadlockTimeout,
            pg_sys::LockTimeout,
            pg_sys::StatementTimeout,
        )
    };
    let mut wait = LONGEST_WAIT.min(deadlock / 10 * 9);
    if lock > 0 {
        wait = wait.min(lock);
    }
    if statement > 0 {
        wait = wait.min(statement / 4);
    }
    wait.max(1)
}

/// From here on this transaction waits only shortly.
fn wait_no_more() {
    if HAS_WAITED.replace(true) {
        return;
    }
    for end in [
        PgXactCallbackEvent::Abort,
        PgXactCallbackEvent::Prepare,
        PgXactCallbackEvent::Commit,
    ] {
        register_xact_callback(end, || HAS_WAITED.set(false));
    }
}

/// Runs work in a subtransaction, with the rights of the tables' owner. An ERROR undoes it and is
/// returned, unless it ends the writer's statement.
fn protected<R>(work: impl FnOnce() -> R) -> Result<R, Failure> {
    // SAFETY: in a transaction; the subtransaction ends in each case, and with it what was pinned.
    unsafe {
        let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        let restore = move || {
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
        };
        let wait = CString::new(longest_wait().to_string()).expect("a number contains no NUL");
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let outcome = PgTryBuilder::new(AssertUnwindSafe(|| {
            let pinned = Pinned::enter(spi::owner_of(gaps()), pg_sys::SECURITY_LOCAL_USERID_CHANGE);
            // A deadlock is noticed by the process that waits for this long. That has to be this one,
            // because the other could be waiting for a row of its own application, and would fail.
            pinned.set(c"deadlock_timeout", c"10ms");
            pinned.set(c"lock_timeout", &wait);
            let has_own_snapshot = !pg_sys::ActiveSnapshotSet();
            if has_own_snapshot {
                pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            }
            let result = work();
            if has_own_snapshot {
                pg_sys::PopActiveSnapshot();
            }
            pinned.leave_without_settings();
            Ok(result)
        }))
        .catch_others(|error| Err(error))
        .catch_rust_panic(|error| Err(error))
        .execute();
        match outcome {
            Ok(result) => {
                pg_sys::ReleaseCurrentSubTransaction();
                restore();
                Ok(result)
            }
            Err(error) => {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
                restore();
                Err(Failure::of(error).unwrap_or_else(|fatal| fatal.rethrow()))
            }
        }
    }
}
