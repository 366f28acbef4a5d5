//! The endpoints' last answers, for the fault that repeats them.

use std::collections::BTreeMap;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::response::Parts;
use axum::middleware::Next;
use axum::response::Response;

use crate::bodies::{self, MAX_REGULAR};
use crate::faults::Endpoint;
use crate::state::Shared;

/// What each endpoint answered last, before a fault changed it.
#[derive(Default)]
pub struct Answers(BTreeMap<Endpoint, (Parts, Bytes)>);

impl Answers {
    /// The last answer once more; none, where there was none in one piece.
    pub fn previous(&self, endpoint: Endpoint) -> Option<Response> {
        let (parts, body) = self.0.get(&endpoint)?.clone();
        Some(Response::from_parts(parts, Body::from(body)))
    }
}

/// Makes the right answer, and remembers it unless it is made as it is read.
pub async fn make(shared: &Shared, endpoint: Endpoint, request: Request, next: Next) -> Response {
    let answer = next.run(request).await;
    let length = answer.body().size_hint().exact();
    if length.is_none_or(|length| length > MAX_REGULAR as u64) {
        shared.lock().answers.0.remove(&endpoint);
        return answer;
    }
    let (parts, body) = bodies::take_apart(answer).await;
    let remembered = (parts.clone(), body.clone());
    shared.lock().answers.0.insert(endpoint, remembered);
    Response::from_parts(parts, Body::from(body))
}
