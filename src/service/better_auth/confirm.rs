//! `neon_auth_internal.confirm_refresh(part, ids, users)`: reads again what was written, where PostgreSQL
//! may have left something out without an error.

use pgrx::fcinfo::{pg_getarg, pg_getarg_datum};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;

use crate::error::Problem;
use crate::pg::functions;
use crate::pg::raised::passes_errors;
use crate::pg::tables::{MIRROR_OF_MEMBERS, MIRROR_OF_TEAMS, MIRROR_OF_USERS, Relation};

passes_errors! {
    neon_auth_confirm_refresh, pg_finfo_neon_auth_confirm_refresh => confirm_refresh;
}

/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn confirm_refresh(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration, and not NULL; the snapshot is popped in the same
    // nesting, or by the abort.
    unsafe {
        let part: Option<String> = pg_getarg(call, 0);
        let tables: &[Relation] = match part.as_deref() {
            Some("users") => &MIRROR_OF_USERS,
            Some("teams") => &MIRROR_OF_TEAMS,
            _ => &MIRROR_OF_MEMBERS,
        };
        let has_old_snapshot = pg_sys::XactIsoLevel >= pg_sys::XACT_REPEATABLE_READ as i32;
        if !has_old_snapshot && !tables.iter().any(may_keep_out) {
            return pg_sys::Datum::null();
        }
        let arguments = [0, 1, 2].map(|place| pg_getarg_datum(call, place));
        let types = [pg_sys::TEXTOID, pg_sys::TEXTARRAYOID, pg_sys::TEXTARRAYOID];
        pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        let is_refreshed = functions::call(c"is_refreshed", &types, &arguments);
        pg_sys::PopActiveSnapshot();
        let outcome = match (is_refreshed.value() != 0, has_old_snapshot) {
            (true, _) => Ok(()),
            (false, true) => Err(Problem::MirrorChanged),
            (false, false) => Err(Problem::KeptOut),
        };
        outcome.map_err(ErrorReport::from).unwrap_or_report();
    }
    pg_sys::Datum::null()
}

/// Whether a table has a trigger or a rule, which can only be an administrator's. Triggers of foreign keys
/// change nothing here.
fn may_keep_out(table: &Relation) -> bool {
    // SAFETY: the description of an open relation; the lock is held until the transaction ends.
    unsafe {
        let open = pg_sys::table_open(table.oid(), pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let triggers = (*open).trigdesc;
        let has_trigger = !triggers.is_null()
            && std::slice::from_raw_parts((*triggers).triggers, (*triggers).numtriggers as usize)
                .iter()
                .any(|trigger| !trigger.tgisinternal);
        let has_rule = !(*open).rd_rules.is_null();
        pg_sys::table_close(open, pg_sys::NoLock as pg_sys::LOCKMODE);
        has_trigger || has_rule
    }
}
