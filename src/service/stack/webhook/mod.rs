//! Webhook deliveries, up to the point where SQL applies them: verification, duplicates, and
//! parsing.

mod event;
mod signature;
mod standing;

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::prelude::*;
use pgrx::{AnyElement, IntoDatum, JsonB};
use serde_json::json;

use crate::error::Problem;
use crate::mirror;
use crate::pg::index::Table;
use crate::pg::jsonb::JsonbPart;
use event::{Change, Event};

/// `neon_auth_internal.open_delivery(body, headers)`: verifies a delivery, and locks it until the
/// transaction ends, so that no other transaction applies it at the same time.
#[pg_extern(sql = false)]
fn open_delivery(body: Option<&str>, headers: Option<AnyElement>) -> Result<Delivery, ErrorReport> {
    demand_read_committed()?;
    // A migration to another service holds it exclusively, and removes the secret.
    mirror::lock_mirror("source", "", false)?;
    let id = after_a_wait(|| signature::verify_now(body, headers))?;
    let event = Event::parse(body.unwrap_or_default())?;
    mirror::lock_mirror("delivery", &id, true)?;
    let is_repeated = was_accepted(&id);
    let change = if is_repeated { None } else { event.change()? };
    Ok(Delivery {
        id,
        event,
        is_repeated,
        change,
    })
}

/// `neon_auth_internal.parse_headers(headers)`: the headers of a delivery, as `jsonb`.
#[pg_extern(sql = false)]
fn parse_headers(headers: &str) -> Result<JsonbPart, ErrorReport> {
    Ok(event::parse(headers, "setting request.headers")?)
}

/// `neon_auth_internal.outcome(outcome, reason, queued)`: the result of an event.
#[pg_extern(sql = false)]
fn outcome(outcome: &str, reason: Option<&str>, queued: Option<bool>) -> JsonB {
    let mut answer = json!({ "outcome": outcome });
    if let Some(reason) = reason {
        answer["reason"] = reason.into();
    }
    if queued == Some(true) {
        answer["queued"] = true.into();
    }
    JsonB(answer)
}

/// After a lock, the transaction must see what others have committed meanwhile.
fn demand_read_committed() -> Result<(), Problem> {
    // SAFETY: reads a variable of this process.
    let level = match unsafe { pg_sys::XactIsoLevel } as u32 {
        pg_sys::XACT_REPEATABLE_READ => "REPEATABLE READ",
        pg_sys::XACT_SERIALIZABLE => "SERIALIZABLE",
        _ => return Ok(()),
    };
    Err(Problem::WebhookInSnapshot { level })
}

fn was_accepted(id: &str) -> bool {
    after_a_wait(|| Table::Deliveries.has(&[id]))
}

/// Reads what others have committed while this process waited for a lock.
fn after_a_wait<T>(read: impl FnOnce() -> T) -> T {
    // SAFETY: the snapshot is popped in the same nesting; after an ERROR the abort does it.
    unsafe {
        pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        let found = read();
        pg_sys::PopActiveSnapshot();
        found
    }
}

/// The row that `open_delivery` returns.
struct Delivery {
    id: String,
    event: Event,
    is_repeated: bool,
    change: Option<Change>,
}

// SAFETY: a row of the columns that the SQL declaration names, in the caller's memory context.
unsafe impl BoxRet for Delivery {
    unsafe fn box_into<'fcx>(self, call: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        let change = self.change.as_ref();
        // In the order of the declaration.
        let columns = [
            self.id.into_datum(),
            self.event.name().into_datum(),
            self.is_repeated.into_datum(),
            change.map(|change| change.subject).into_datum(),
            change.map(|change| change.action).into_datum(),
            change.map(|change| change.data.to_datum()),
        ];
        let mut values = columns.map(|column| column.unwrap_or(pg_sys::Datum::null()));
        let mut nulls = columns.map(|column| column.is_none());
        unsafe {
            let mut row_type = std::ptr::null_mut();
            let no_oid = std::ptr::null_mut();
            pg_sys::get_call_result_type(call.as_mut_ptr(), no_oid, &raw mut row_type);
            assert_eq!((*row_type).natts as usize, columns.len());
            let row = pg_sys::heap_form_tuple(row_type, values.as_mut_ptr(), nulls.as_mut_ptr());
            call.return_raw_datum(pg_sys::HeapTupleHeaderGetDatum((*row).t_data))
        }
    }
}

// SAFETY: no SQL is generated from it; sql/stack/webhook.sql declares the function.
unsafe impl SqlTranslatable for Delivery {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Delivery);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        Err(ArgumentError::NotValidAsArgument("Delivery"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("record")));
}
