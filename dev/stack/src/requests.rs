//! The log of requests, for tests that count them.

use std::collections::{BTreeMap, VecDeque};

use axum::extract::Request;
use serde::Serialize;

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

impl Received {
    fn from(request: &Request) -> Self {
        let headers = request.headers().iter();
        Self {
            method: request.method().to_string(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().map(str::to_owned),
            headers: headers
                .map(|(name, value)| {
                    let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                    (name.to_string(), value)
                })
                .collect(),
        }
    }
}

impl RequestLog {
    pub fn push(&mut self, request: &Request) {
        if self.0.len() == MAX_REQUESTS {
            self.0.pop_front();
        }
        self.0.push_back(Received::from(request));
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
