//! The functions that set and clear the session's identity.

use std::rc::Rc;

use neon_auth_token::{Value, claims_object};
use neon_auth_wire::api_key::KeyText;
use pgrx::AnyElement;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::current::{self, Admission};
use super::log;
use super::scope::{Scope, in_block};
use crate::error::Problem;
use crate::identity::Identity;
use crate::pg::jsonb;
use crate::pg::raised::passes_errors;
use crate::provider::Admitted;
use crate::refused_for;
use crate::shared::{self, Counter};
use crate::{provider, version};

/// `auth.authenticate(token, is_local)`.
#[pg_extern(sql = false)]
fn authenticate(
    token: Option<&str>,
    is_local: Option<bool>,
) -> Result<Option<String>, ErrorReport> {
    // NULL means the narrower scope.
    Ok(enter(token, Scope::from(is_local.unwrap_or(true)))?)
}

/// `auth.jwt_session_init(jwt)`: pg_session_jwt's name for the session scope.
#[pg_extern(sql = false)]
fn jwt_session_init(jwt: Option<&str>) -> Result<(), ErrorReport> {
    enter(jwt, Scope::Session)?;
    Ok(())
}

/// `auth.init()`: pg_session_jwt's name. Reads providers and keys, so that the first `authenticate`
/// is faster.
#[pg_extern(sql = false)]
fn init() -> Result<(), ErrorReport> {
    provider::current()?;
    Ok(())
}

/// `auth.logout()`.
#[pg_extern(sql = false)]
fn logout() -> Result<(), ErrorReport> {
    Ok(current::forget()?)
}

/// `auth.impersonate(user_id, claims, is_local)`.
#[pg_extern(sql = false)]
fn impersonate(
    user_id: Option<&str>,
    claims: Option<AnyElement>,
    is_local: Option<bool>,
) -> Result<(), ErrorReport> {
    let admission = Admission::begin();
    version::agree()?;
    // A test without a user must not continue as the previous one.
    let user_id = user_id.ok_or_else(|| bad_impersonation("The user_id is NULL."))?;
    let claims = claims.map(|claims| jsonb::text_of(&claims));
    let identity = impersonated(user_id, claims.as_deref())?;
    assume(Rc::new(identity), Scope::from(is_local.unwrap_or(true)))?;
    admission.succeed();
    Ok(())
}

/// The identity of a user who has no token, with these claims as JSON.
pub fn impersonated(user_id: &str, claims: Option<&str>) -> Result<Identity, Problem> {
    if user_id.is_empty() {
        return Err(bad_impersonation("The user_id is empty."));
    }
    // pgrx takes text for UTF-8 unchecked. PostgreSQL checks what arrives, but not what each function makes.
    if std::str::from_utf8(user_id.as_bytes()).is_err() {
        return Err(bad_impersonation("The user_id is not valid UTF-8."));
    }
    let mut claims = claims.and_then(claims_object).ok_or_else(|| {
        bad_impersonation("The claims are not a JSON object that a token can contain.")
    })?;
    claims.insert("sub".to_owned(), Value::String(user_id.to_owned()));
    Identity::impersonated(claims, &provider::session_user()).map_err(bad_impersonation)
}

passes_errors! {
    neon_auth_authenticate, pg_finfo_neon_auth_authenticate => authenticate_wrapper;
    neon_auth_jwt_session_init, pg_finfo_neon_auth_jwt_session_init => jwt_session_init_wrapper;
}

fn bad_impersonation(reason: &str) -> Problem {
    Problem::BadImpersonation {
        reason: reason.to_owned(),
    }
}

/// Where a credential is from.
#[derive(Clone, Copy)]
pub enum Source {
    Argument,
    /// The request's header x-api-key, which contains only API keys.
    ApiKeyHeader,
    /// A cookie of the request, which must be signed if the secret is stored.
    Cookie,
}

fn enter(token: Option<&str>, scope: Scope) -> Result<Option<String>, Problem> {
    let Some(token) = token else {
        current::forget()?;
        return Ok(None);
    };
    enter_by(|| Ok(Some((token.to_owned(), Source::Argument))), scope)
}

/// Signs in by the credential that `find` returns. If it returns none, or if it or the verification
/// fails, nobody is signed in, whatever happens to the transaction.
pub fn enter_by(
    find: impl FnOnce() -> Result<Option<(String, Source)>, Problem>,
    scope: Scope,
) -> Result<Option<String>, Problem> {
    let admission = Admission::begin();
    let Some((token, source)) = find()? else {
        // Like a refusal: an abort must not bring back the user of an earlier request.
        current::forget()?;
        return Ok(None);
    };
    let outcome = admit(&token, source);
    log::outcome(&token, outcome.as_deref());
    shared::count(match (KeyText::is_meant(&token), &outcome) {
        (true, Ok(_)) => Counter::ApiKeysAccepted,
        (true, Err(_)) => Counter::ApiKeysRefused,
        (false, Ok(_)) => Counter::TokensAccepted,
        (false, Err(_)) => Counter::TokensRefused,
    });
    if let Err(problem) = &outcome {
        shared::count(refused_for::counter(problem));
    }
    let admitted = outcome?;
    let identity = &admitted.identity;
    if let Some(key) = &identity.api_key {
        provider::note_use(key);
    }
    let epoch = assume(Rc::clone(identity), scope)?;
    provider::create_if_new(&admitted);
    if !current::is_set(epoch) {
        return Err(Problem::IdentityReplaced);
    }
    admission.succeed();
    Ok(Some(identity.subject.clone()))
}

fn admit(token: &str, source: Source) -> Result<Rc<Admitted>, Problem> {
    match source {
        Source::Argument => provider::admit(token),
        Source::ApiKeyHeader => provider::admit_api_key(token),
        Source::Cookie => {
            provider::demand_signed(token)?;
            provider::admit(token)
        }
    }
}

fn assume(identity: Rc<Identity>, scope: Scope) -> Result<u64, Problem> {
    if scope == Scope::Transaction && !in_block() {
        ereport!(
            WARNING,
            PgSqlErrorCode::ERRCODE_NO_ACTIVE_SQL_TRANSACTION,
            "the identity ends with this statement",
            "A local identity lasts until the transaction ends, and there is no transaction block. Use BEGIN, or pass is_local => false."
        );
    }
    current::assume(identity, scope)
}
