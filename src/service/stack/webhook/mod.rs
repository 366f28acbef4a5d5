//! Deliveries of webhooks: verifies each, and applies it once. `user` applies the frequent events; the
//! others are applied by SQL.

mod event;
mod outcome;
mod signature;
mod standing;
mod user;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{AnyElement, IntoDatum, JsonB};
use serde_json::{Map, Value};

use crate::error::Problem;
use crate::mirror;
use crate::pg::index::Table;
use crate::pg::jsonb::JsonbPart;
use crate::pg::kept_plan::Statement;
use crate::pg::raised::passes_errors;
use event::{Change, Event};

thread_local! {
    static APPLY_EVENT: Statement = const { Statement::new(
        "SELECT neon_auth_internal.apply_event($1, $2, $3, $4)",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::JSONBOID, pg_sys::TEXTOID],
    ) };
    static KEEP: Statement = const { Statement::new(
        "INSERT INTO neon_auth_internal.webhook_deliveries (id, event, outcome) VALUES ($1, $2, $3)",
        &[pg_sys::TEXTOID, pg_sys::TEXTOID, pg_sys::JSONBOID],
    ) };
}

/// `neon_auth.handle_webhook(body, headers)`: verifies a delivery, applies it unless it was applied
/// before, and returns the outcome. The delivery is locked until the transaction ends, so that no other
/// transaction applies it at the same time.
#[pg_extern(sql = false)]
fn handle_webhook(body: Option<&str>, headers: Option<AnyElement>) -> Result<JsonB, ErrorReport> {
    demand_read_committed()?;
    // A migration to another service holds it exclusively, and removes the secret.
    mirror::lock_mirror("source", "", false)?;
    let id = after_a_wait(|| signature::verify_now(body, headers))?;
    let event = Event::parse(body.unwrap_or_default())?;
    mirror::lock_mirror("delivery", &id, true)?;
    let result = if was_accepted(&id) {
        outcome::duplicate()
    } else {
        accept(&id, &event)?
    };
    let mut answer = Map::new();
    answer.insert("message_id".to_owned(), id.into());
    answer.insert("event".to_owned(), event.name().into());
    if let Value::Object(result) = result {
        answer.extend(result);
    }
    Ok(JsonB(Value::Object(answer)))
}

passes_errors! {
    neon_auth_handle_webhook, pg_finfo_neon_auth_handle_webhook => handle_webhook_wrapper;
}

/// Applies an event, and keeps the delivery's outcome.
fn accept(id: &str, event: &Event) -> Result<Value, ErrorReport> {
    let change = event.change()?;
    // SAFETY: the SQL functions that call this are the owner's, and pin a search_path. An ERROR ends the
    // connection too.
    unsafe {
        pg_sys::SPI_connect();
        let outcome = match change {
            None => outcome::ignored("No table mirrors this event.", false),
            Some(change) if change.subject == "user" && change.action != "deleted" => {
                user::apply(change.action, change.data)?
            }
            Some(change) => apply_by_sql(&change, id),
        };
        let kept = JsonB(outcome.clone()).into_datum();
        let [id, name] = [id, event.name()].map(IntoDatum::into_datum);
        let mut row = [id, name, kept].map(|value| value.expect("a value is never NULL"));
        KEEP.with(|keep| keep.execute(&mut row));
        pg_sys::SPI_finish();
        Ok(outcome)
    }
}

/// # Safety
/// Between `SPI_connect` and `SPI_finish`, as the owner of the tables, with a pinned `search_path`.
unsafe fn apply_by_sql(change: &Change, id: &str) -> Value {
    let [subject, action, id] = [change.subject, change.action, id]
        .map(|text| text.into_datum().expect("text is never NULL"));
    let mut arguments = [subject, action, change.data.to_datum(), id];
    // SAFETY: as the caller promises.
    let outcome = unsafe { APPLY_EVENT.with(|apply| apply.value(&mut arguments)) };
    let outcome = outcome.expect("every event has an outcome");
    serde_json::from_str(&outcome).expect("PostgreSQL writes valid JSON")
}

/// `neon_auth_internal.parse_headers(headers)`: the headers of a delivery, as `jsonb`.
#[pg_extern(sql = false)]
fn parse_headers(headers: &str) -> Result<JsonbPart, ErrorReport> {
    Ok(event::parse(headers, "setting request.headers")?)
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
