//! `neon_auth_internal.better_auth_changed()`: the trigger on Better Auth's tables.

use pgrx::prelude::*;

use crate::pg::raised::passes_errors;

passes_errors! {
    neon_auth_better_auth_changed, pg_finfo_neon_auth_better_auth_changed => changed;
}

/// # Safety
/// PostgreSQL calls it, as a trigger.
#[pg_guard]
unsafe extern "C-unwind" fn changed(_call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    pg_sys::Datum::null()
}
