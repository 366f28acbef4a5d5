//! Before a statement runs, and before a query goes on, an identity that a refusal has made void
//! leaves the setting, and its role goes with it: parallel workers inherit the setting, but know
//! nothing of epochs. The role of an identity that has expired goes as well, and it is noted when
//! each query began. Before the first refusal, the first such role and the first identity that may
//! expire there is nothing to do, and no hook either.
//!
//! Only that part is guarded. An ERROR of the query itself, which is not our business, passes
//! over these frames as it would without us; they own nothing that needs dropping.

use std::cell::Cell;
use std::ffi::c_char;

use pgrx::PgLogLevel;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::{current, statement};

static mut PREVIOUS_START: pg_sys::ExecutorStart_hook_type = None;
static mut PREVIOUS_RUN: pg_sys::ExecutorRun_hook_type = None;
static mut PREVIOUS_UTILITY: pg_sys::ProcessUtility_hook_type = None;

thread_local! {
    static JOINED: Cell<bool> = const { Cell::new(false) };
}

/// Joins the hooks' chains, once.
pub fn join() {
    if JOINED.replace(true) {
        return;
    }
    // SAFETY: on the one thread that runs queries; a chain that is being called does not mind.
    unsafe {
        PREVIOUS_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(start);
        PREVIOUS_RUN = pg_sys::ExecutorRun_hook;
        pg_sys::ExecutorRun_hook = Some(run);
        PREVIOUS_UTILITY = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(utility);
    }
}

/// Defines a hook: what is ours, then the next in the chain or PostgreSQL's own, without the
/// guard that pgrx puts around that, then what is ours with the time that came of the first.
macro_rules! hook {
    ($name:ident, $ours:ident $(then $after:ident)?, $previous:ident, $standard:ident,
     ($first:ident: $type:ty $(, $argument:ident: $types:ty)*)) => {
        unsafe extern "C-unwind" fn $name($first: $type $(, $argument: $types)*) {
            unsafe extern "C-unwind" {
                fn $standard($first: $type $(, $argument: $types)*);
            }
            // SAFETY: a statement that PostgreSQL passes, and the chain as PostgreSQL has it.
            unsafe {
                let _began = $ours($first);
                match $previous {
                    Some(previous) => previous($first $(, $argument)*),
                    None => $standard($first $(, $argument)*),
                }
                $($after($first, _began);)?
            }
        }
    };
}

hook!(start, before_query then after_start, PREVIOUS_START, standard_ExecutorStart,
      (query: *mut pg_sys::QueryDesc, flags: i32));
#[cfg(not(feature = "pg18"))]
hook!(run, before_run, PREVIOUS_RUN, standard_ExecutorRun,
      (query: *mut pg_sys::QueryDesc, direction: pg_sys::ScanDirection::Type, count: u64, once: bool));
#[cfg(feature = "pg18")]
hook!(run, before_run, PREVIOUS_RUN, standard_ExecutorRun,
      (query: *mut pg_sys::QueryDesc, direction: pg_sys::ScanDirection::Type, count: u64));
hook!(utility, before_utility, PREVIOUS_UTILITY, standard_ProcessUtility,
      (statement: *mut pg_sys::PlannedStmt, text: *const c_char, read_only: bool,
       context: pg_sys::ProcessUtilityContext::Type, parameters: pg_sys::ParamListInfo,
       environment: *mut pg_sys::QueryEnvironment, destination: *mut pg_sys::DestReceiver,
       completion: *mut pg_sys::QueryCompletion));

/// A query on a table has been planned, with the policies of a role: too late to change it.
/// Without a table it may be the very call that signs in or out. Answers when the query began.
#[pg_guard]
unsafe extern "C-unwind" fn before_query(query: *const pg_sys::QueryDesc) -> i64 {
    // What a foreign key asks is a part of the statement that fires it. It runs as the tables' owner,
    // and no policy binds it.
    // SAFETY: reads a variable of this process.
    if !current::is_anybody() || unsafe { pg_sys::InNoForceRLSOperation() } {
        return NEVER;
    }
    // SAFETY: a query has a plan, and perhaps a snapshot.
    let (plan, snapshot) = unsafe { (&*(*query).plannedstmt, (*query).snapshot) };
    let began = if current::may_expire() {
        statement::with_snapshot(snapshot)
    } else {
        NEVER
    };
    if let Err(problem) = current::settle(|| began, Some(plan)) {
        ErrorReport::from(problem).report(PgLogLevel::ERROR);
    }
    began
}

/// The same, of a query that has been started.
#[pg_guard]
unsafe extern "C-unwind" fn before_run(query: *const pg_sys::QueryDesc) -> i64 {
    statement::run(query);
    // SAFETY: as the hook got it.
    unsafe { before_query(query) }
}

/// When a query began that nobody asks about.
const NEVER: i64 = i64::MIN;

#[pg_guard]
unsafe extern "C-unwind" fn after_start(query: *const pg_sys::QueryDesc, began: i64) {
    if began != NEVER {
        // SAFETY: the query has been started.
        unsafe { statement::begin(query, began) };
    }
}

/// Nothing has been planned yet. In a failed transaction only its end is to come.
#[pg_guard]
unsafe extern "C-unwind" fn before_utility(statement: *const pg_sys::PlannedStmt) {
    // SAFETY: reads the transaction's state.
    if !unsafe { pg_sys::IsTransactionState() } {
        return;
    }
    // RESET ALL takes the identity, and leaves the role: PostgreSQL exempts that from it.
    // SAFETY: a statement that PostgreSQL passes.
    let resets_all = current::is_anybody() && unsafe { resets_all((*statement).utilityStmt) };
    let outcome = current::settle(statement::now, None).and_then(|()| {
        if resets_all {
            current::forget()?;
        }
        Ok(())
    });
    if let Err(problem) = outcome {
        ErrorReport::from(problem).report(PgLogLevel::ERROR);
    }
}

unsafe fn resets_all(statement: *const pg_sys::Node) -> bool {
    use pg_sys::VariableSetKind::VAR_RESET_ALL;
    unsafe {
        (*statement).type_ == pg_sys::NodeTag::T_VariableSetStmt
            && (*statement.cast::<pg_sys::VariableSetStmt>()).kind == VAR_RESET_ALL
    }
}
