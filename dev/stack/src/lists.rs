//! Lists that come in one piece, however long they are.

use std::iter;

use axum::Json;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;

use crate::bodies;
use crate::state::{Shared, State};

/// How much of a list is made at a time. What is no longer than this shows
/// the state of one moment; what changes while a longer one is read may be in
/// it or not.
const BATCH: usize = 1000;

#[derive(Serialize)]
struct Whole {
    items: Vec<Value>,
    is_paginated: bool,
}

/// A list of what `read` gives for each of the keys.
pub fn whole<K: Send + 'static>(
    shared: Shared,
    keys: impl FnOnce(&State) -> Vec<K>,
    read: impl Fn(&State, &K) -> Vec<Value> + Send + 'static,
) -> Response {
    let state = shared.lock();
    let mut keys = keys(&state);
    if keys.len() <= BATCH {
        let items: Vec<Value> = keys.iter().flat_map(|key| read(&state, key)).collect();
        let is_paginated = false;
        return Json(Whole {
            items,
            is_paginated,
        })
        .into_response();
    }
    drop(state);
    keys.reverse();
    let mut separator = "";
    let batches = iter::from_fn(move || {
        let rest = keys.len().checked_sub(1)?.saturating_sub(BATCH - 1);
        let batch = keys.split_off(rest);
        let state = shared.lock();
        let mut text = String::new();
        for item in batch.iter().rev().flat_map(|key| read(&state, key)) {
            text += separator;
            text += &item.to_string();
            separator = ",";
        }
        Some(Bytes::from(text))
    });
    let start = iter::once(Bytes::from_static(br#"{"items":["#));
    let end = iter::once(Bytes::from_static(br#"],"is_paginated":false}"#));
    let body = bodies::stream_of(start.chain(batches).chain(end));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
