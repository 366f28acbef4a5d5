//! `neon_auth.explain_policy`: who may ask, and where the answer is from.

use std::ffi::CStr;

use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;
use pgrx::{AnyElement, IntoDatum, pg_getarg};

use super::{asked_role, functions};
use crate::pg::raised::passes_errors;
use crate::pg::set::ReturnedSet;
use crate::pg::{jsonb, spi};

passes_errors! {
    neon_auth_explain_policy, pg_finfo_neon_auth_explain_policy => explain_policy;
}

/// `neon_auth.explain_policy(table, command, row, user_id, role, claims)`. It has the caller's rights, so that it
/// knows the caller, who must be able to become the role. The rest is SQL, with the rights of the extension's owner.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn explain_policy(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration.
    unsafe {
        let set = ReturnedSet::begin(call);
        let relation = pg_getarg::<pg_sys::Oid>(call, 0).map(|oid| oid.to_u32().to_string());
        let command: Option<String> = pg_getarg(call, 1);
        let [row, claims] = [2, 5].map(|place| {
            let value = pg_getarg::<AnyElement>(call, place);
            value.map(|value| jsonb::text_of(&value))
        });
        let user_id: Option<String> = pg_getarg(call, 3);
        let role = pg_getarg::<&CStr>(call, 4).unwrap_or(c"");
        let role = asked_role::of(role)
            .map_err(ErrorReport::from)
            .unwrap_or_report();
        // Before anything is evaluated; also the claims of nobody.
        let asked = functions::identity(user_id.as_deref().unwrap_or("nobody"), claims.as_deref());
        asked.map_err(ErrorReport::from).unwrap_or_report();
        let path = asked_role::search_path();
        let rows = spi::rows(
            "SELECT * FROM neon_auth_internal.explain_policy($1::oid, $2, $3::jsonb, $4, $5::oid, $6::jsonb, $7)",
            &[
                relation.as_deref(),
                command.as_deref(),
                row.as_deref(),
                user_id.as_deref(),
                Some(&role.to_u32().to_string()),
                claims.as_deref(),
                Some(&path),
            ],
        );
        for row in rows {
            set.add(|| {
                let text = |place: usize| row[place].as_deref().into_datum();
                let result = row[4].as_deref().map(|result| result == "t");
                [
                    text(0),
                    text(1),
                    text(2),
                    text(3),
                    result.into_datum(),
                    text(5),
                ]
            });
        }
    }
    pg_sys::Datum::null()
}
