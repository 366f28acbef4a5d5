//! `neon_auth_internal.evaluate_as` and `prepare_as`: an expression of the catalog is evaluated, and a statement is
//! prepared, as a role with an identity.

use std::ffi::CString;
use std::rc::Rc;

use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;
use pgrx::{AnyElement, IntoDatum, pg_getarg};

use super::as_user::AsUser;
use super::execute;
use super::expression::Expression;
use super::outcome::{Evaluation, Outcome};
use crate::error::Problem;
use crate::identity::Identity;
use crate::pg::jsonb;
use crate::pg::raised::passes_errors;
use crate::pg::set::ReturnedSet;
use crate::session;

passes_errors! {
    neon_auth_evaluate_as, pg_finfo_neon_auth_evaluate_as => evaluate_as;
    neon_auth_passes_as, pg_finfo_neon_auth_passes_as => passes_as;
    neon_auth_prepare_as, pg_finfo_neon_auth_prepare_as => prepare_as;
}

/// `neon_auth_internal.evaluate_as(expression, relation, row, role, user_id, claims, path, unknown)`: first the
/// expression, then the parts that decide.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn evaluate_as(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration.
    unsafe {
        let set = ReturnedSet::begin(call);
        let Some(text) = pg_getarg::<&str>(call, 0) else {
            return pg_sys::Datum::null();
        };
        with_evaluation(call, 7, |evaluation, relation| {
            let found = evaluation.find(Expression::read(text, relation));
            for (part, found) in (0i32..).zip(found) {
                let told = Told::of(found.outcome);
                set.add(|| {
                    let [value, failure, state, message] = told.columns();
                    let sql = found.sql.into_datum();
                    [part.into_datum(), sql, value, failure, state, message]
                });
            }
        });
    }
    pg_sys::Datum::null()
}

/// `neon_auth_internal.passes_as(conditions, relation, row, role, user_id, claims, path, are_filters, unknown)`:
/// whether all conditions are fulfilled.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn passes_as(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration.
    unsafe {
        let set = ReturnedSet::begin(call);
        let conditions: Vec<String> = pg_getarg(call, 0).unwrap_or_default();
        let are_filters = pg_getarg(call, 7).unwrap_or(false);
        with_evaluation(call, 8, |evaluation, relation| {
            let read = |text: &String| Expression::read(text, relation);
            let conditions: Vec<Expression> = conditions.iter().map(read).collect();
            let told = Told::of(evaluation.pass(&conditions, are_filters));
            set.add(|| told.columns());
        });
    }
    pg_sys::Datum::null()
}

/// Hands over the evaluation that the arguments from the second on describe, and the table. The numbers of columns
/// without known values are at the place.
unsafe fn with_evaluation(
    call: pg_sys::FunctionCallInfo,
    place_of_unknown: usize,
    work: impl FnOnce(&Evaluation<'_>, pg_sys::Oid),
) {
    // SAFETY: the SQL declarations give the arguments these places and types, and they last through the call.
    unsafe {
        let (Some(relation), Some(role)) = (
            pg_getarg::<pg_sys::Oid>(call, 1),
            pg_getarg::<pg_sys::Oid>(call, 3),
        ) else {
            return;
        };
        let row: Option<CString> = pg_getarg::<&str>(call, 2).map(held);
        let unknown: Vec<i16> = pg_getarg(call, place_of_unknown).unwrap_or_default();
        pg_sys::LockRelationOid(relation, pg_sys::AccessShareLock as i32);
        let evaluation = Evaluation {
            user: &user(call, role, 4),
            row_type: pg_sys::get_rel_type_id(relation),
            row: row.as_deref(),
            unknown: &unknown,
        };
        work(&evaluation, relation);
    }
}

/// An outcome as columns.
struct Told {
    value: Option<String>,
    failure: Option<&'static str>,
    raised: Option<(String, String)>,
}

impl Told {
    fn of(outcome: Outcome) -> Self {
        let (value, failure, raised) = match outcome {
            Outcome::Value(value) => (value, None, None),
            Outcome::Raised(raised) => {
                let raised = (raised.sqlstate(), raised.message);
                (None, Some("raised"), Some(raised))
            }
            Outcome::NeedsRow => (None, Some("needs row"), None),
            Outcome::NeedsStoredRow => (None, Some("needs stored row"), None),
            Outcome::NeedsNumber => (None, Some("needs number"), None),
        };
        Self {
            value,
            failure,
            raised,
        }
    }

    /// value, failure, sqlstate, message
    fn columns(&self) -> [Option<pg_sys::Datum>; 4] {
        let raised = self.raised.as_ref();
        [
            self.value.as_deref().into_datum(),
            self.failure.into_datum(),
            raised.map(|(state, _)| state.as_str()).into_datum(),
            raised.map(|(_, message)| message.as_str()).into_datum(),
        ]
    }
}

/// `neon_auth_internal.prepare_as(statement, role, user_id, claims, path)`: the error that is raised before anything
/// is executed, such as a recursion between policies.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn prepare_as(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration.
    unsafe {
        let set = ReturnedSet::begin(call);
        let (Some(statement), Some(role)) = (
            pg_getarg::<&str>(call, 0),
            pg_getarg::<pg_sys::Oid>(call, 1),
        ) else {
            return pg_sys::Datum::null();
        };
        let (user, statement) = (user(call, role, 2), held(statement));
        if let Err(raised) = user.attempt(|| execute::prepare(statement.as_ptr())) {
            set.add(|| [raised.sqlstate().into_datum(), raised.message.into_datum()]);
        }
    }
    pg_sys::Datum::null()
}

/// A role with the user, claims and search_path of the arguments from this place on.
///
/// # Safety
/// The arguments must have the types text, jsonb and text.
pub unsafe fn user(call: pg_sys::FunctionCallInfo, role: pg_sys::Oid, place: usize) -> AsUser {
    // SAFETY: as the caller promises, the arguments have these types; what outlives the call is copied.
    let (user_id, claims, path) = unsafe {
        let claims = pg_getarg::<AnyElement>(call, place + 1);
        (
            pg_getarg::<&str>(call, place),
            claims.map(|claims| jsonb::text_of(&claims)),
            pg_getarg::<&str>(call, place + 2),
        )
    };
    let identity = user_id.map(|user_id| {
        let identity = identity(user_id, claims.as_deref());
        Rc::new(identity.map_err(ErrorReport::from).unwrap_or_report())
    });
    AsUser {
        role,
        identity,
        search_path: path.map(held),
    }
}

/// The identity of a user whom an administrator asks about.
pub(super) fn identity(user_id: &str, claims: Option<&str>) -> Result<Identity, Problem> {
    session::impersonated(user_id, Some(claims.unwrap_or("{}"))).map_err(|problem| match problem {
        Problem::BadImpersonation { reason } => Problem::BadAskedUser { reason },
        problem => problem,
    })
}

pub(super) fn held(text: &str) -> CString {
    CString::new(text).expect("text contains no NUL")
}
