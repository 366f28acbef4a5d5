//! Objects that the service cannot return: every answer with one of them becomes a failure.

use std::collections::BTreeSet;

use axum::response::{IntoResponse, Response};
use serde_json::Value;
use uuid::Uuid;

use crate::bodies;
use crate::error::Refusal;
use crate::state::Shared;

/// Passes an answer on, unless it contains a poisoned object.
pub async fn pass(shared: &Shared, answer: Response) -> Response {
    let poisoned = shared.lock().poisoned.clone();
    if poisoned.is_empty() || !answer.status().is_success() {
        return answer;
    }
    let (parts, body) = bodies::take_apart(answer).await;
    match serde_json::from_slice(&body) {
        Ok(document) if contains(&document, &poisoned) => Refusal::internal().into_response(),
        _ => Response::from_parts(parts, body.into()),
    }
}

fn contains(document: &Value, poisoned: &BTreeSet<Uuid>) -> bool {
    let is_poisoned = |id: &Value| {
        let id = id.as_str().and_then(|id| id.parse().ok());
        id.is_some_and(|id| poisoned.contains(&id))
    };
    match document {
        Value::Array(items) => items.iter().any(|item| contains(item, poisoned)),
        Value::Object(members) => {
            members.get("id").is_some_and(is_poisoned)
                || members.values().any(|member| contains(member, poisoned))
        }
        _ => false,
    }
}
