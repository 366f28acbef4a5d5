//! `neon_auth_internal.sign_in_refusals`: which providers refuse a user, who is deleted or banned.

use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;
use pgrx::{IntoDatum, pg_getarg};

use crate::pg::raised::passes_errors;
use crate::pg::set::ReturnedSet;
use crate::provider;

passes_errors! {
    neon_auth_sign_in_refusals, pg_finfo_neon_auth_sign_in_refusals => sign_in_refusals;
}

/// `neon_auth_internal.sign_in_refusals(user_id)`: each provider, and why it refuses tokens of the user; NULL if it
/// does not.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn sign_in_refusals(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the argument is that of the SQL declaration.
    unsafe {
        let set = ReturnedSet::begin(call);
        if let Some(user_id) = pg_getarg::<&str>(call, 0) {
            let outcomes = provider::demand_of_each(user_id)
                .map_err(ErrorReport::from)
                .unwrap_or_report();
            for (provider, outcome) in outcomes {
                let refusal = outcome.err().map(|problem| problem.sentence());
                set.add(|| [provider.as_str().into_datum(), refusal.into_datum()]);
            }
        }
    }
    pg_sys::Datum::null()
}
