//! The provider functions of schema `neon_auth` that are not SQL: `verify_jwt`, `refresh_jwks`, the
//! check of a JWKS, and the trigger that invalidates what sessions have cached.

use neon_auth_token::KeySet;
use neon_auth_wire::discovery;
use pgrx::AnyElement;
use pgrx::heap_tuple::PgHeapTuple;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::trigger_support::PgTriggerError;

use super::defects::Defects;
use super::refresh::{self, Cause};
use super::rules::{Rules, issuers_of};
use super::{admit, trust};
use crate::background::wake;
use crate::clock;
use crate::error::quoted;
use crate::http::{self, PlainHttp};
use crate::pg::jsonb;
use crate::pg::lock::{Lock, Space};
use crate::pg::raised::passes_errors;
use crate::pg::row::Row;
use crate::pg::tables::PROVIDERS;
use crate::pg::value::Value;

/// `neon_auth.verify_jwt(token)`: the claims, or the error that `auth.authenticate` would raise.
#[pg_extern(sql = false)]
fn verify_jwt(token: &str) -> Result<Value, ErrorReport> {
    let admitted = admit(token)?;
    Ok(Value::jsonb(admitted.identity.jsonb()))
}

passes_errors! {
    neon_auth_verify_jwt, pg_finfo_neon_auth_verify_jwt => verify_jwt_wrapper;
}

/// `neon_auth.refresh_jwks(provider)`: fetches at once, without regard to the cooldown; with NULL,
/// the keys of every provider that has a `jwks_url`. Raises 58000 for the first that failed, 55000
/// if there is no provider.
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
        let provider = trust.named(name)?;
        // `remote` lists no such provider, so this one was named.
        if let Some(why) = provider.why_not_fetched() {
            ErrorReport::new(
                PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
                format!("{why}; nothing was fetched"),
                "neon_auth",
            )
            .set_detail(format!("The provider is {}.", quoted(name)))
            .report(PgLogLevel::NOTICE);
        }
        refresh::fetch_once(&provider, Cause::Request);
    }
    let trust = trust::current()?;
    for name in &names {
        trust
            .named(name)?
            .key_freshness(clock::seconds())
            .last_attempt(name)?;
    }
    Ok(())
}

/// `neon_auth_internal.judge_jwks(jwks)`: why a JWKS cannot verify tokens, if it cannot; which of
/// its keys are left out; whether one of these is secret; the part of it that may be stored; and the
/// algorithms that the other keys serve.
// pgrx reads the columns from the signature, so they must be named here.
#[allow(clippy::type_complexity)]
#[pg_extern(sql = false)]
fn judge_jwks(
    jwks: AnyElement,
) -> TableIterator<
    'static,
    (
        name!(defect, Option<String>),
        name!(hint, Option<String>),
        name!(left_out, Vec<String>),
        name!(exposes_secret, bool),
        name!(storable, Option<String>),
        name!(algorithms, Vec<String>),
    ),
> {
    let text = jsonb::text_of(&jwks);
    let (bad, left_out, algorithms) = match KeySet::parse(text.as_bytes()) {
        Ok(keys) => {
            let algorithms = keys.algorithms().map(|one| one.name().to_owned());
            (None, keys.left_out().to_vec(), algorithms.collect())
        }
        Err(bad) => (Some(bad), Vec::new(), Vec::new()),
    };
    let defect = bad.as_ref().map(|bad| format!("{bad}: {}", bad.detail()));
    let hint = bad.as_ref().and_then(|bad| bad.hint()).map(str::to_owned);
    let reasons = left_out.iter().map(|key| key.to_string()).collect();
    let exposes_secret = left_out.iter().any(|key| key.exposes_secret());
    let storable = KeySet::storable(text.as_bytes()).ok();
    TableIterator::once((defect, hint, reasons, exposes_secret, storable, algorithms))
}

/// `neon_auth_internal.is_key_url(url)`: whether keys may be fetched from there.
#[pg_extern(sql = false)]
fn is_key_url(url: &str) -> bool {
    http::may_fetch_keys(url, &PlainHttp::for_keys())
}

/// `neon_auth_internal.discovery_url(issuer)`: the URL of an issuer's discovery document; NULL if
/// it has none.
#[pg_extern(sql = false)]
fn discovery_url(issuer: &str) -> Option<String> {
    discovery::url(issuer)
}

/// `neon_auth_internal.provider_defect(provider)`: the invalid column of a provider, why, and what
/// to do; NULL if the provider is valid.
#[pg_extern(sql = false)]
fn provider_defect(provider: AnyElement) -> Option<Vec<String>> {
    let mut defects = Defects::default();
    // SAFETY: the SQL declaration says that the argument is a row of the table.
    Rules::read(
        &unsafe { Row::of_composite(provider.datum()) },
        &mut defects,
    );
    let defect = defects.first()?;
    Some(vec![defect.column.to_owned(), defect.detail, defect.hint])
}

/// `neon_auth_internal.provider_issuers(provider)`: the issuers of a provider, with its templates
/// expanded for each tenant.
#[pg_extern(sql = false)]
fn provider_issuers(provider: AnyElement) -> Vec<String> {
    // SAFETY: the SQL declaration says that the argument is a row of the table.
    issuers_of(&unsafe { Row::of_composite(provider.datum()) })
}

/// `neon_auth_internal.one_writer()`: trigger before a statement that writes a table whose rows are
/// checked against each other. It waits until no other transaction has uncommitted changes of the
/// table. This happens before rows are locked, because two statements that lock rows first could
/// deadlock.
#[pg_trigger(sql = false)]
fn one_writer<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, PgTriggerError> {
    // Released at the end of the transaction.
    let _held = Lock::wait(Space::Writer, 0, trigger.relation()?.oid().to_u32());
    Ok(None)
}

/// `neon_auth_internal.trust_changed()`: trigger on the tables that `trust` reads.
#[pg_trigger(sql = false)]
fn trust_changed<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, PgTriggerError> {
    let table = trigger.relation()?;
    // SAFETY: the table that the trigger is on exists.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(table.oid()) };
    // New keys do not notify workers, which know when to refresh them. The table is compared by
    // name, because an update of the extension may write providers too, when no look-up is
    // possible.
    if table.name().as_bytes() == PROVIDERS.name.to_bytes() {
        wake::reset_at_commit();
    }
    Ok(None)
}
