//! `neon_auth.access_report` and `neon_auth.access_map`: who may ask, and where the answer is from.

use std::ffi::CStr;

use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;
use pgrx::{IntoDatum, pg_getarg, pg_getarg_datum};

use super::access::Access;
use super::{asked_role, map};
use crate::pg::raised::passes_errors;
use crate::pg::set::ReturnedSet;
use crate::pg::spi;

passes_errors! {
    neon_auth_access_report, pg_finfo_neon_auth_access_report => access_report;
    neon_auth_access_map, pg_finfo_neon_auth_access_map => access_map;
}

/// `neon_auth.access_report(user_ids, role, schemas)`. As `explain_policy`, it has the caller's rights, and the rest is
/// SQL.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn access_report(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration.
    unsafe {
        let set = ReturnedSet::begin(call);
        for access in report(call) {
            set.add(|| {
                [
                    access.table.into_datum(),
                    access.user_id.into_datum(),
                    access.selects.into_datum(),
                    access.inserts.into_datum(),
                    access.updates.into_datum(),
                    access.deletes.into_datum(),
                    access.policies.into_datum(),
                    access.note.into_datum(),
                ]
            });
        }
    }
    pg_sys::Datum::null()
}

/// `neon_auth.access_map(user_ids, role, schemas)`: the same as an HTML page.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn access_map(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration.
    unsafe {
        let role = pg_getarg::<&CStr>(call, 1).unwrap_or(c"").to_string_lossy();
        let page = map::page(&role, &report(call));
        page.into_datum().expect("text is never NULL")
    }
}

/// # Safety
/// The arguments must be those of both functions.
unsafe fn report(call: pg_sys::FunctionCallInfo) -> Vec<Access> {
    // SAFETY: as the caller promises, the arguments have the types that the SQL declarations of both functions
    // give them.
    unsafe {
        let role = asked_role::of(pg_getarg::<&CStr>(call, 1).unwrap_or(c""));
        let role = role.map_err(ErrorReport::from).unwrap_or_report();
        let [user_ids, schemas] = [0, 2].map(|place| array_as_text(call, place));
        let rows = spi::rows(
            "SELECT * FROM neon_auth_internal.access_report($1::text[], $2::oid, $3::name[], $4)",
            &[
                user_ids.as_deref(),
                Some(&role.to_u32().to_string()),
                schemas.as_deref(),
                Some(&asked_role::search_path()),
            ],
        );
        rows.into_iter().map(Access::of).collect()
    }
}

/// As `array_out` writes it.
///
/// # Safety
/// The argument at the place must be an array.
unsafe fn array_as_text(call: pg_sys::FunctionCallInfo, place: usize) -> Option<String> {
    // SAFETY: as the caller promises, the argument is an array; its text is in this memory context, and is
    // copied.
    unsafe {
        let array = pg_getarg_datum(call, place)?;
        let text = pg_sys::OidOutputFunctionCall(pg_sys::F_ARRAY_OUT.into(), array);
        Some(CStr::from_ptr(text).to_string_lossy().into_owned())
    }
}
