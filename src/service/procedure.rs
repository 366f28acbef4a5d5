//! `CALL neon_auth.sync()`.

use pgrx::pg_sys::panic::ErrorReportable;
use pgrx::prelude::*;

use super::source;
use crate::background::steps::{Steps, Stop};
use crate::error::Problem;
use crate::pg::raised::passes_errors;

passes_errors! {
    neon_auth_sync, pg_finfo_neon_auth_sync => sync;
}

/// # Safety
/// PostgreSQL calls it, for CALL.
#[pg_guard]
unsafe extern "C-unwind" fn sync(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: PostgreSQL passes what CALL builds; the connection is finished, or dropped with the
    // transaction after an ERROR.
    unsafe {
        let context = (*call).context.cast::<pg_sys::CallContext>();
        let may_commit = !context.is_null()
            && (*context).type_ == pg_sys::NodeTag::T_CallContext
            && !(*context).atomic
            // A block with an EXCEPTION clause is a subtransaction.
            && !pg_sys::IsSubTransaction();
        let outcome = if !may_commit {
            Err(Problem::SyncInTransaction)
        } else if pg_sys::RecoveryInProgress() {
            Err(Problem::SyncOnStandby)
        } else {
            pg_sys::SPI_connect_ext(pg_sys::SPI_OPT_NONATOMIC as i32);
            let outcome = source::sync(Steps::Procedure);
            pg_sys::SPI_finish();
            match outcome {
                Ok(()) => Ok(()),
                Err(Stop::Problem(problem)) => Err(problem),
                Err(Stop::GiveWay) => unreachable!("a session leaves its database to nobody"),
            }
        };
        outcome
            .map_err(pgrx::pg_sys::panic::ErrorReport::from)
            .unwrap_or_report();
        (*call).isnull = true;
    }
    pg_sys::Datum::null()
}
