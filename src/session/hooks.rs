//! Hooks before each statement runs, and before each query continues.
//!
//! Parallel workers inherit the setting that contains the identity, but not the epochs, and an
//! identity may expire or be made void between two statements: `settle` handles both. The start of
//! each query is recorded too. Before the first refusal, the first role of an identity and the
//! first identity that can expire, there is nothing to do, and no hook is installed.
//!
//! Only our own code is guarded. An ERROR of the query itself skips these frames as it would
//! without us; they own nothing that needs dropping.

use std::cell::Cell;
use std::ffi::c_char;

use pgrx::prelude::*;

use super::statement;
use crate::pg::compat::with_arguments_of_executor_run;

/// Called before a query; returns when it began, or `NEVER`.
type BeforeQuery = unsafe extern "C-unwind" fn(*const pg_sys::QueryDesc) -> i64;
/// Called before a statement that is not a query.
type BeforeUtility = unsafe extern "C-unwind" fn(*const pg_sys::PlannedStmt);

/// When a query began, if somebody is signed in.
pub const NEVER: i64 = i64::MIN;

static mut PREVIOUS_START: pg_sys::ExecutorStart_hook_type = None;
static mut PREVIOUS_RUN: pg_sys::ExecutorRun_hook_type = None;
static mut PREVIOUS_UTILITY: pg_sys::ProcessUtility_hook_type = None;

thread_local! {
    static JOINED: Cell<bool> = const { Cell::new(false) };
    static BEFORE: Cell<Option<(BeforeQuery, BeforeUtility)>> = const { Cell::new(None) };
}

/// Registers the functions that the hooks call. Both have pgrx's guard.
pub fn define(before_query: BeforeQuery, before_utility: BeforeUtility) {
    BEFORE.set(Some((before_query, before_utility)));
}

/// Joins the hooks' chains, once.
pub fn join() {
    if JOINED.replace(true) {
        return;
    }
    // SAFETY: on the one thread that runs queries; installing a hook while the chain is being
    // called is safe.
    unsafe {
        PREVIOUS_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(start);
        PREVIOUS_RUN = pg_sys::ExecutorRun_hook;
        pg_sys::ExecutorRun_hook = Some(run);
        PREVIOUS_UTILITY = pg_sys::ProcessUtility_hook;
        pg_sys::ProcessUtility_hook = Some(utility);
    }
}

/// Defines a hook: our code, then the next hook or PostgreSQL's own function without pgrx's guard,
/// then our code with the result of the first part.
macro_rules! hook {
    ($name:ident, $ours:ident $(then $after:ident)?, $previous:ident, $standard:ident,
     ($first:ident: $type:ty $(, $argument:ident: $types:ty)*)) => {
        unsafe extern "C-unwind" fn $name($first: $type $(, $argument: $types)*) {
            unsafe extern "C-unwind" {
                fn $standard($first: $type $(, $argument: $types)*);
            }
            // SAFETY: a statement that PostgreSQL passes; the next hook is called as PostgreSQL
            // calls it.
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

/// Calls the registered function; returns when the query began.
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

/// A started query continues: `before_query` is called again.
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
