//! Work that may raise an error, which then is its result: a sub-transaction is rolled back in each case.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;

use super::pinned::Pinned;
use super::raised;
use crate::error;

/// Runs work with the rights of a role, in a restricted operation. What the work allocates in the current memory
/// context stays; nothing else does. `None` after an ERROR, unless it ends the caller's statement.
///
/// # Safety
/// In a transaction. Between functions of PostgreSQL that are called without pgrx's guard, such as walkers of trees,
/// the work must own nothing that needs dropping; what it owns may leak after their ERRORs.
pub unsafe fn attempt<R>(role: pg_sys::Oid, work: impl FnOnce() -> R) -> Option<R> {
    // SAFETY: as the caller promises, a transaction is active, and the work owns nothing where an ERROR can skip its
    // frames; panics are caught inside the call. The subtransaction, which is rolled back, restores the user.
    unsafe {
        let outcome = rolled_back(|| {
            let pinned = Pinned::enter(role, pg_sys::SECURITY_RESTRICTED_OPERATION);
            // A panic must not unwind the C function that catches ERRORs.
            match raised::attempt(|| catch_unwind(AssertUnwindSafe(work))) {
                Ok(Ok(result)) => {
                    pinned.leave_without_settings();
                    Some(result)
                }
                Ok(Err(panic)) => resume_unwind(panic),
                // Of a walker, which runs nobody's code and cannot be cancelled.
                Err(_) => None,
            }
        });
        match outcome {
            Ok(result) => result,
            Err(error) if ends_the_statement(&error) => error.rethrow(),
            Err(_) => None,
        }
    }
}

/// Runs work in a subtransaction that is rolled back in each case, after which the memory context and the resource
/// owner are those of before; the user is that of the beginning of the subtransaction.
///
/// # Safety
/// In a transaction.
pub unsafe fn rolled_back<R>(work: impl FnOnce() -> R) -> Result<R, CaughtError> {
    // SAFETY: as the caller promises, a transaction is active; after an ERROR the subtransaction is rolled
    // back, and context and owner are set back to those from before it.
    unsafe {
        let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        let outcome = PgTryBuilder::new(AssertUnwindSafe(|| Ok(work())))
            .catch_others(Err)
            .catch_rust_panic(Err)
            .execute();
        pg_sys::RollbackAndReleaseCurrentSubTransaction();
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
        outcome
    }
}

/// Whether an ERROR is an interrupt of PostgreSQL, and not one of those codes that other people's code raised.
fn ends_the_statement(error: &CaughtError) -> bool {
    let report = error::report_of(error);
    matches!(
        report.sql_error_code(),
        PgSqlErrorCode::ERRCODE_QUERY_CANCELED
            | PgSqlErrorCode::ERRCODE_ADMIN_SHUTDOWN
            | PgSqlErrorCode::ERRCODE_CRASH_SHUTDOWN
    ) && report.file().ends_with("postgres.c")
}
