//! `neon_auth_internal.evaluate_as`: an expression of the catalog, evaluated as a role with an identity.

use std::ffi::CString;
use std::rc::Rc;

use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;
use pgrx::{AnyElement, IntoDatum, pg_getarg};

use super::as_user::AsUser;
use super::expression::Expression;
use super::outcome::{Evaluation, Outcome};
use crate::error::Problem;
use crate::pg::jsonb;
use crate::pg::raised::passes_errors;
use crate::pg::set::ReturnedSet;
use crate::session;

passes_errors! {
    neon_auth_evaluate_as, pg_finfo_neon_auth_evaluate_as => evaluate_as;
}

/// `neon_auth_internal.evaluate_as(expression, relation, row, role, user_id, claims, path)`: first the expression,
/// then the parts that decide.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn evaluate_as(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration.
    unsafe {
        let set = ReturnedSet::begin(call);
        let (Some(text), Some(relation), Some(role)) = (
            pg_getarg::<&str>(call, 0),
            pg_getarg::<pg_sys::Oid>(call, 1),
            pg_getarg::<pg_sys::Oid>(call, 3),
        ) else {
            return pg_sys::Datum::null();
        };
        let row: Option<CString> = pg_getarg::<&str>(call, 2).map(held);
        let claims = pg_getarg::<AnyElement>(call, 5).map(|claims| jsonb::text_of(&claims));
        let identity = identity(pg_getarg(call, 4), claims.as_deref());
        let user = AsUser {
            role,
            identity: identity.map_err(ErrorReport::from).unwrap_or_report(),
            search_path: pg_getarg::<&str>(call, 6).map(held),
        };
        pg_sys::LockRelationOid(relation, pg_sys::AccessShareLock as i32);
        let evaluation = Evaluation {
            user: &user,
            row_type: pg_sys::get_rel_type_id(relation),
            row: row.as_deref(),
        };
        let found = evaluation.find(Expression::read(text, relation));
        for (part, found) in (0i32..).zip(found) {
            let (reason, state, value) = match found.outcome {
                Outcome::Value(value) => (None, None, value),
                Outcome::Raised(raised) => (Some("raised"), Some(raised), None),
                Outcome::NeedsRow => (Some("needs row"), None, None),
                Outcome::NeedsStoredRow => (Some("needs stored row"), None, None),
            };
            let message = state.as_ref().map(|raised| raised.message.as_str());
            let state = state.as_ref().map(|raised| raised.sqlstate());
            set.add(|| {
                [
                    part.into_datum(),
                    found.sql.into_datum(),
                    value.into_datum(),
                    reason.into_datum(),
                    state.into_datum(),
                    message.into_datum(),
                ]
            });
        }
    }
    pg_sys::Datum::null()
}

fn identity(
    user_id: Option<&str>,
    claims: Option<&str>,
) -> Result<Option<Rc<crate::identity::Identity>>, Problem> {
    let Some(user_id) = user_id else {
        return Ok(None);
    };
    Ok(Some(Rc::new(session::impersonated(
        user_id,
        Some(claims.unwrap_or("{}")),
    )?)))
}

fn held(text: &str) -> CString {
    CString::new(text).expect("text contains no NUL")
}
