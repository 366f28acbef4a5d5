//! The provider functions of schema `neon_auth` that are not SQL: `verify_jwt`, `refresh_jwks`,
//! the check of a pinned JWKS, and the trigger that invalidates what sessions have read.

use neon_auth_token::KeySet;
use pgrx::AnyElement;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::trigger_support::PgTriggerError;

use super::trust;
use super::{admit, refresh};
use crate::raised::passes_errors;
use crate::session::Value;
use crate::{jsonb, spi, worker};

/// `neon_auth.verify_jwt(token)`: the claims, or the error that `auth.authenticate` would raise.
#[pg_extern(sql = false)]
fn verify_jwt(token: &str) -> Result<Value, ErrorReport> {
    let admitted = admit(token)?;
    Ok(Value::jsonb(admitted.identity.jsonb()))
}

passes_errors! {
    neon_auth_verify_jwt, pg_finfo_neon_auth_verify_jwt => verify_jwt_wrapper;
}

/// `neon_auth.refresh_jwks(provider)`: fetches now, whatever the cooldown says; with NULL, the
/// keys of every provider that has a `jwks_url`. Raises 58000 for the first that failed, 55000 where
/// there is no provider.
#[pg_extern(sql = false)]
fn refresh_jwks(provider: Option<&str>) -> Result<(), ErrorReport> {
    let trust = trust::current()?;
    let names = match provider {
        Some(name) => vec![name.to_owned()],
        None => {
            trust.demand_any()?;
            trust.remote()
        }
    };
    for name in &names {
        refresh::fetch_once(&*trust.named(name)?);
    }
    let trust = trust::current()?;
    for name in &names {
        trust.named(name)?.supply(super::now()).last_attempt(name)?;
    }
    Ok(())
}

/// `neon_auth.jwks_defect(jwks)`: why a JWKS cannot be used to verify tokens; NULL when it can.
#[pg_extern(sql = false)]
fn jwks_defect(jwks: AnyElement) -> Option<String> {
    let bad = KeySet::parse(jsonb::text_of(&jwks).as_bytes()).err()?;
    Some(format!("{bad}: {}", bad.detail()))
}

/// `neon_auth.trust_changed()`: trigger on the tables that `trust` reads.
#[pg_trigger(sql = false)]
fn trust_changed<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, PgTriggerError> {
    let table = trigger.relation()?;
    // SAFETY: the table that the trigger is on exists.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(table.oid()) };
    // New keys are no reason: workers know when to look after those. By name, because an update of
    // the extension may write providers too, and looks nothing up.
    if table.name().as_bytes() == spi::PROVIDERS.to_bytes() {
        worker::wake_anew_at_commit();
    }
    Ok(None)
}
