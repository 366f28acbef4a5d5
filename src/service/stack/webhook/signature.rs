//! Verifies the signature of a webhook's delivery by the stored secrets. No secret or signature ever leaves
//! this file and `neon_auth_wire::delivery`.

use neon_auth_wire::delivery::{BadDelivery, Headers, Keys};
use pgrx::AnyElement;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::clock;
use crate::error::Problem;
use crate::pg::index::Table;
use crate::pg::jsonb::JsonbPart;
use crate::shared::{self, Counter};

/// The id of a delivery's message, verified with the stored secrets and the server's clock. The
/// secret is never passed to SQL, which could log it.
pub fn verify_now(body: Option<&str>, headers: Option<AnyElement>) -> Result<String, Problem> {
    let secrets = Table::Secrets.find(&["webhook_secret"], |row| {
        row.text(c"value").map(str::to_owned)
    });
    let outcome = verify(body, headers, secrets.as_deref(), clock::seconds());
    shared::count(match outcome {
        Ok(_) => Counter::DeliveriesVerified,
        Err(_) => Counter::DeliveriesRefused,
    });
    outcome
}

/// `neon_auth_internal.verify_webhook(body, headers, secrets, at_epoch)`: the message's id, if one
/// of its signatures matches one of the secrets.
#[pg_extern(sql = false)]
fn verify_webhook(
    body: Option<&str>,
    headers: Option<AnyElement>,
    secrets: Option<&str>,
    at_epoch: i64,
) -> Result<String, ErrorReport> {
    Ok(verify(body, headers, secrets, at_epoch)?)
}

/// `neon_auth_internal.webhook_secret_defect(secrets)`: why no delivery could be verified with
/// these secrets.
#[pg_extern(sql = false)]
fn webhook_secret_defect(secrets: &str) -> Option<String> {
    let report = ErrorReport::from(Problem::from(Keys::parse(secrets).err()?));
    report.detail().map(str::to_owned)
}

fn verify(
    body: Option<&str>,
    headers: Option<AnyElement>,
    secrets: Option<&str>,
    at_epoch: i64,
) -> Result<String, Problem> {
    let keys = Keys::parse(secrets.unwrap_or_default())?;
    // SAFETY: the argument is `jsonb`, and its parts are copied.
    let headers = headers.map(|headers| unsafe { JsonbPart::whole(&headers) });
    let headers = found(headers)?;
    let body = body.ok_or_else(|| refused("the body is missing", "The body is NULL."))?;
    Ok(headers.verify(&keys, body, at_epoch)?)
}

fn found(headers: Option<JsonbPart>) -> Result<Headers, Problem> {
    let Some(headers) = headers.and_then(|headers| headers.members()) else {
        return Err(refused(
            "the headers are not a JSON object",
            r#"Pass an object of names and values: {"svix-id": "...", "svix-timestamp": "...", "svix-signature": "..."}."#,
        ));
    };
    let name = |(name, _): &(JsonbPart, JsonbPart)| name.text().unwrap_or_default().to_owned();
    let names: Vec<String> = headers.iter().map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Ok(Headers::find(&names, |number| text_of(&headers[number].1))?)
}

/// A header's value: a string, or an array of one string, as some servers pass all headers.
fn text_of(value: &JsonbPart) -> Option<String> {
    match value.elements().as_deref() {
        Some([only]) => only.text().map(str::to_owned),
        _ => value.text().map(str::to_owned),
    }
}

fn refused(why: &'static str, detail: &str) -> Problem {
    Problem::WebhookRefused {
        why,
        detail: detail.to_owned(),
    }
}

impl From<BadDelivery> for Problem {
    fn from(bad: BadDelivery) -> Self {
        match bad {
            BadDelivery::NoSecret => Self::NoWebhookSecret,
            BadDelivery::UnusableSecret { number, reason } => {
                Self::UnusableWebhookSecret { number, reason }
            }
            BadDelivery::Refused { why, detail } => Self::WebhookRefused { why, detail },
            BadDelivery::Untimely {
                signed_at,
                now,
                tolerance,
            } => Self::WebhookUntimely {
                signed_at,
                now,
                tolerance,
            },
            BadDelivery::Mismatch { detail } => Self::SignatureMismatch { detail },
        }
    }
}
