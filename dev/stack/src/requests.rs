//! The log of requests, for tests that count them.

use std::collections::{BTreeMap, VecDeque};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use serde::Serialize;

use crate::state::Shared;

/// How many requests are remembered; older ones are forgotten.
const MAX_REQUESTS: usize = 10_000;

/// A request as it came in.
#[derive(Clone, Debug, Serialize)]
pub struct Received {
    pub method: String,
    pub path: String,
    pub query: Option<String>,
    /// Names in lower case; of a repeated header, the last value.
    pub headers: BTreeMap<String, String>,
}

/// The last requests, the oldest first.
#[derive(Debug, Default)]
pub struct RequestLog(VecDeque<Received>);

impl RequestLog {
    fn push(&mut self, received: Received) {
        if self.0.len() == MAX_REQUESTS {
            self.0.pop_front();
        }
        self.0.push_back(received);
    }

    /// The requests whose path begins with `prefix`.
    pub fn with_prefix(&self, prefix: &str) -> impl Iterator<Item = &Received> {
        self.0
            .iter()
            .filter(move |received| received.path.starts_with(prefix))
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// Remembers a request, unless it is one that steers the simulator.
pub async fn record(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !path.starts_with("/dev/") {
        let headers = request.headers().iter();
        let received = Received {
            method: request.method().to_string(),
            path: path.to_owned(),
            query: request.uri().query().map(str::to_owned),
            headers: headers
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.to_string(), value)
                })
                .collect(),
        };
        shared.lock().requests.push(received);
    }
    next.run(request).await
}
