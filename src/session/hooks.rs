//! Before a query starts, and before it goes on, an identity that a refusal has made void leaves
//! the setting: parallel workers inherit the setting, but know nothing of epochs.
//!
//! Only that part is guarded. An ERROR of the query itself, which is not our business, passes
//! over these frames as it would without us; they own nothing that needs dropping.

use pgrx::PgLogLevel;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::store;

static mut PREVIOUS_START: pg_sys::ExecutorStart_hook_type = None;
static mut PREVIOUS_RUN: pg_sys::ExecutorRun_hook_type = None;

/// Joins the hooks' chains.
pub fn define() {
    // SAFETY: in _PG_init, before any query.
    unsafe {
        PREVIOUS_START = pg_sys::ExecutorStart_hook;
        pg_sys::ExecutorStart_hook = Some(start);
        PREVIOUS_RUN = pg_sys::ExecutorRun_hook;
        pg_sys::ExecutorRun_hook = Some(run);
    }
}

/// Defines a hook: what is ours, then the next in the chain or PostgreSQL's own, without the
/// guard that pgrx puts around that.
macro_rules! hook {
    ($name:ident, $previous:ident, $standard:ident, ($($argument:ident: $type:ty),*)) => {
        unsafe extern "C-unwind" fn $name(query: *mut pg_sys::QueryDesc, $($argument: $type),*) {
            unsafe extern "C-unwind" {
                fn $standard(query: *mut pg_sys::QueryDesc, $($argument: $type),*);
            }
            // SAFETY: a query that PostgreSQL passes, and the chain as PostgreSQL has it.
            unsafe {
                drop_void_identity(query);
                match $previous {
                    Some(previous) => previous(query, $($argument),*),
                    None => $standard(query, $($argument),*),
                }
            }
        }
    };
}

hook!(start, PREVIOUS_START, standard_ExecutorStart, (flags: i32));
#[cfg(not(feature = "pg18"))]
hook!(run, PREVIOUS_RUN, standard_ExecutorRun,
      (direction: pg_sys::ScanDirection::Type, count: u64, once: bool));
#[cfg(feature = "pg18")]
hook!(run, PREVIOUS_RUN, standard_ExecutorRun,
      (direction: pg_sys::ScanDirection::Type, count: u64));

#[pg_guard]
unsafe extern "C-unwind" fn drop_void_identity(query: *const pg_sys::QueryDesc) {
    // SAFETY: a query has a plan.
    let depends_on_role = unsafe { (*(*query).plannedstmt).dependsOnRole };
    if let Err(problem) = store::drop_void(depends_on_role) {
        ErrorReport::from(problem).report(PgLogLevel::ERROR);
    }
}
