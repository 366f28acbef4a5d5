//! The endpoints' last answers, for the fault that repeats them.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes};
use axum::http::response::Parts;
use axum::response::Response;

use crate::endpoint::Endpoint;

/// What each endpoint answered last, before a fault changed it.
#[derive(Default)]
pub struct Answers(BTreeMap<Endpoint, (Parts, Bytes)>);

impl Answers {
    /// The last answer once more; none, where there was none in one piece.
    pub fn previous(&self, endpoint: Endpoint) -> Option<Response> {
        let (parts, body) = self.0.get(&endpoint)?.clone();
        Some(Response::from_parts(parts, Body::from(body)))
    }

    pub fn remember(&mut self, endpoint: Endpoint, parts: Parts, body: Bytes) {
        self.0.insert(endpoint, (parts, body));
    }

    /// Takes note of an answer that is made as it is read.
    pub fn forget(&mut self, endpoint: Endpoint) {
        self.0.remove(&endpoint);
    }
}
