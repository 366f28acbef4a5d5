//! How a session comes by an identity, and how it loses it.

use std::rc::Rc;

use pgrx::JsonB;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde_json::Value;

use super::identity::Identity;
use super::store::{self, Admission, Scope};
use super::{log, role};
use crate::error::Problem;
use crate::provider;

/// `auth.authenticate(token, is_local)`.
#[pg_extern(sql = false)]
fn authenticate(token: Option<&str>, is_local: bool) -> Result<Option<String>, ErrorReport> {
    Ok(enter(token, Scope::from(is_local))?)
}

/// `auth.jwt_session_init(jwt)`: pg_session_jwt's name for the session scope.
#[pg_extern(sql = false)]
fn jwt_session_init(jwt: Option<&str>) -> Result<(), ErrorReport> {
    enter(jwt, Scope::Session)?;
    Ok(())
}

/// `auth.init()`: pg_session_jwt's name for getting ready. Reads providers and keys, so that the
/// first `authenticate` need not.
#[pg_extern(sql = false)]
fn init() -> Result<(), ErrorReport> {
    provider::current()?;
    Ok(())
}

/// `auth.logout()`.
#[pg_extern(sql = false)]
fn logout() {
    store::forget();
}

/// `auth.impersonate(user_id, claims, is_local)`.
#[pg_extern(sql = false)]
fn impersonate(user_id: &str, claims: JsonB, is_local: bool) -> Result<(), ErrorReport> {
    let admission = Admission::begin();
    let Value::Object(mut claims) = claims.0 else {
        return Err(bad_impersonation("The claims are no JSON object.").into());
    };
    claims.insert("sub".to_owned(), Value::String(user_id.to_owned()));
    let identity = Identity::impersonated(&claims).map_err(bad_impersonation)?;
    assume(Rc::new(identity), Scope::from(is_local));
    admission.succeed();
    Ok(())
}

fn bad_impersonation(reason: &str) -> Problem {
    Problem::BadImpersonation {
        reason: reason.to_owned(),
    }
}

fn enter(token: Option<&str>, scope: Scope) -> Result<Option<String>, Problem> {
    let Some(token) = token else {
        store::forget();
        return Ok(None);
    };
    let admission = Admission::begin();
    let outcome = provider::admit(token).and_then(|admitted| {
        let role = role::of(&admitted)?;
        Ok((admitted, role))
    });
    log::outcome(token, outcome.as_ref().map(|(admitted, _)| &**admitted));
    let (admitted, role) = outcome?;
    assume(Rc::clone(&admitted.identity), scope);
    if let Some(role) = role {
        role::switch_to(&role, scope);
    }
    admission.succeed();
    Ok(Some(admitted.identity.subject.clone()))
}

fn assume(identity: Rc<Identity>, scope: Scope) {
    if scope == Scope::Transaction && !in_block() {
        ereport!(
            WARNING,
            PgSqlErrorCode::ERRCODE_NO_ACTIVE_SQL_TRANSACTION,
            "the identity ends with this statement",
            "A local identity lasts until the transaction ends, and there is no transaction block. Use BEGIN, or pass is_local => false."
        );
    }
    store::assume(identity, scope);
}

/// Whether statements that follow can be part of the same transaction: in a transaction block,
/// or in a DO block or a procedure that runs outside one.
fn in_block() -> bool {
    // SAFETY: both read the transaction's state.
    unsafe { pg_sys::IsTransactionBlock() || pg_sys::SPI_inside_nonatomic_context() }
}
