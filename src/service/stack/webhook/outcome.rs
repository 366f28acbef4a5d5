//! What became of an event.

use pgrx::JsonB;
use pgrx::prelude::*;
use serde_json::{Value, json};

/// An event that was applied.
pub fn applied(queued: bool) -> Value {
    of("applied", None, queued)
}

/// An event that says what the row says.
pub fn unchanged() -> Value {
    of("unchanged", None, false)
}

/// An event that was not applied, and why, as a sentence.
pub fn ignored(reason: &str, queued: bool) -> Value {
    of("ignored", Some(reason), queued)
}

pub fn duplicate() -> Value {
    of("duplicate", None, false)
}

/// `neon_auth_internal.outcome(outcome, reason, queued)`: the result of an event.
#[pg_extern(sql = false)]
fn outcome(outcome: &str, reason: Option<&str>, queued: Option<bool>) -> JsonB {
    JsonB(of(outcome, reason, queued == Some(true)))
}

fn of(outcome: &str, reason: Option<&str>, queued: bool) -> Value {
    let mut whole = json!({ "outcome": outcome });
    if let Some(reason) = reason {
        whole["reason"] = reason.into();
    }
    if queued {
        whole["queued"] = true.into();
    }
    whole
}
