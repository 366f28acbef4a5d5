//! What is called before each statement runs, and before each query goes on.
//!
//! Parallel workers inherit the setting that holds the identity, but know nothing of epochs, and an
//! identity may expire or be made void between two statements: `settle` sees to both. It is noted as
//! well when each query began. Before the first refusal, the first role that comes with an identity
//! and the first identity that may expire there is nothing to do, and no hook either.
//!
//! Only that part is guarded. An ERROR of the query itself, which is not our business, passes
//! over these frames as it would without us; they own nothing that needs dropping.

use std::cell::Cell;
use std::ffi::c_char;

use pgrx::prelude::*;

use super::statement;
use crate::pg::compat::with_arguments_of_executor_run;

/// What is called before a query; returns when it began, or `NEVER`.
type BeforeQuery = unsafe extern "C-unwind" fn(*const pg_sys::QueryDesc) -> i64;
/// What is called before a statement that is no query.
type BeforeUtility = unsafe extern "C-unwind" fn(*const pg_sys::PlannedStmt);

/// When a query began that nobody asks about.
pub const NEVER: i64 = i64::MIN;

static mut PREVIOUS_START: pg_sys::ExecutorStart_hook_type = None;
static mut PREVIOUS_RUN: pg_sys::ExecutorRun_hook_type = None;
static mut PREVIOUS_UTILITY: pg_sys::ProcessUtility_hook_type = None;

thread_local! {
    static JOINED: Cell<bool> = const { Cell::new(false) };
    static BEFORE: Cell<Option<(BeforeQuery, BeforeUtility)>> = const { Cell::new(None) };
}

/// Registers what the hooks call. Both have pgrx's guard.
pub fn define(before_query: BeforeQuery, before_utility: BeforeUtility) {
    BEFORE.set(Some((before_query, before_utility)));
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
with_arguments_of_executor_run!(hook!(run, before_run, PREVIOUS_RUN, standard_ExecutorRun));
hook!(utility, before_utility, PREVIOUS_UTILITY, standard_ProcessUtility,
      (statement: *mut pg_sys::PlannedStmt, text: *const c_char, read_only: bool,
       context: pg_sys::ProcessUtilityContext::Type, parameters: pg_sys::ParamListInfo,
       environment: *mut pg_sys::QueryEnvironment, destination: *mut pg_sys::DestReceiver,
       completion: *mut pg_sys::QueryCompletion));

/// Calls what was handed over; returns when the query began.
unsafe fn before_query(query: *const pg_sys::QueryDesc) -> i64 {
    // SAFETY: a query that PostgreSQL passes.
    BEFORE
        .get()
        .map_or(NEVER, |(before, _)| unsafe { before(query) })
}

unsafe fn before_utility(statement: *const pg_sys::PlannedStmt) {
    if let Some((_, before)) = BEFORE.get() {
        // SAFETY: a statement that PostgreSQL passes.
        unsafe { before(statement) };
    }
}

/// A query that has been started goes on: `before_query` is called again.
#[pg_guard]
unsafe extern "C-unwind" fn before_run(query: *const pg_sys::QueryDesc) -> i64 {
    statement::run(query);
    // SAFETY: as the hook got it.
    unsafe { before_query(query) }
}

#[pg_guard]
unsafe extern "C-unwind" fn after_start(query: *const pg_sys::QueryDesc, began: i64) {
    if began != NEVER {
        // SAFETY: the query has been started.
        unsafe { statement::begin(query, began) };
    }
}
