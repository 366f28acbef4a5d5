//! Before a query is planned, and after its policies have been added, it is written as it can be planned
//! best: sub-selects that are only an expression become the expression (`unwrap`), and what is the same
//! for all rows gets a sub-select of its own (`wrap`), in the query that contains it, be it of a view, a
//! policy, a WITH or an EXISTS.
//!
//! Every query is searched for readers, and only a query with readers is changed.

use std::ffi::{c_char, c_int};

use pgrx::prelude::*;

use super::reader_call::{begin_query, finds_reader};
use super::unwrap::unwrap_sub_selects;
use super::wrap::wrap_readers;

static mut PREVIOUS: pg_sys::planner_hook_type = None;

unsafe extern "C-unwind" {
    // Without pgrx's guard: an ERROR of the planner skips our frame as it would without us.
    fn standard_planner(
        query: *mut pg_sys::Query,
        text: *const c_char,
        options: c_int,
        parameters: pg_sys::ParamListInfo,
    ) -> *mut pg_sys::PlannedStmt;
}

/// Joins the hook's chain.
pub fn define() {
    // SAFETY: on the one thread that plans queries.
    unsafe {
        PREVIOUS = pg_sys::planner_hook;
        pg_sys::planner_hook = Some(plan);
        // In a session, statements may have been planned without the hook.
        if !pg_sys::process_shared_preload_libraries_in_progress {
            pg_sys::ResetPlanCache();
        }
    }
}

unsafe extern "C-unwind" fn plan(
    query: *mut pg_sys::Query,
    text: *const c_char,
    options: c_int,
    parameters: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: a query of PostgreSQL's, which the planner may change; the next hook is called as
    // PostgreSQL calls it.
    unsafe {
        begin_query();
        if finds_reader(query.cast(), std::ptr::null_mut()) {
            unwrap_sub_selects(query);
            wrap_readers(query);
        }
        match PREVIOUS {
            Some(previous) => previous(query, text, options, parameters),
            None => standard_planner(query, text, options, parameters),
        }
    }
}
