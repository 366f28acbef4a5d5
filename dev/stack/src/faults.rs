//! What goes wrong, and where.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use crate::answers;
use crate::bodies;
use crate::keys::Audience;
use crate::socket::Switch;
use crate::state::Shared;

/// How long a request hangs at most.
pub const MAX_HANG: Duration = Duration::from_secs(600);

/// What a fault can be set for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endpoint {
    Jwks,
    Users,
    User,
    Teams,
    Team,
    TeamMemberProfiles,
    TeamPermissions,
    ProjectPermissions,
    ConsoleKeys,
    ConsoleTransfer,
}

/// A fault, written in JSON as `{"kind": "hang"}` and so on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// Never answers: for ten minutes, or until the client gives up.
    Hang,
    /// Answers as it should, but late.
    Delay { millis: u64 },
    /// Resets the connection instead of answering.
    Reset,
    /// Closes the connection instead of answering.
    Close,
    /// Closes the connection in the middle of the body.
    Truncate,
    /// Sends the body a byte at a time.
    Trickle {
        #[serde(default = "one_second")]
        interval_millis: u64,
    },
    /// Sends the client elsewhere.
    Redirect { location: String },
    /// Answers what the endpoint answered last, with its status and headers.
    Repeat,
    /// Answers a page of users with half as many as asked for, and with the
    /// cursor that goes on after them.
    ShortPage,
    /// Answers as it should, but with these cursors in place of the right one, in turn and round
    /// and round.
    Cursors { cursors: Vec<String> },
    /// Answers with this status and no document.
    Status {
        status: u16,
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// Answers 503, and in `Retry-After` the date so many seconds from now.
    BusyUntil { seconds: u64 },
    /// Answers 200 with a web page.
    Html,
    /// Answers 200 with this body.
    Body { content_type: String, body: String },
    /// Answers with a set of no keys.
    EmptySet,
    /// Answers with the first half of the key set, as if it were all.
    Malformed,
    /// Answers with a key set that holds the private signing key.
    PrivateKey,
    /// Answers with the key set and this many keys more.
    ManyKeys { count: u32 },
    /// Answers with the key set, made this long with white space.
    Huge { bytes: u64 },
    /// Sets a header of the right answer, or takes it away.
    Header { name: String, value: Option<String> },
}

fn one_second() -> u64 {
    1000
}

/// The faults that are set.
#[derive(Debug, Default)]
pub struct Faults(BTreeMap<Endpoint, Active>);

#[derive(Debug)]
struct Active {
    fault: Fault,
    /// How many more requests do not meet it.
    after: u32,
    /// For how many more requests then; always, where it is not given.
    times: Option<u32>,
    /// How many have met it.
    met: usize,
}

impl Faults {
    /// Sets an endpoint's fault: `after` so many requests, for some requests
    /// or until it is cleared.
    pub fn set(&mut self, endpoint: Endpoint, fault: Fault, after: u32, times: Option<u32>) {
        let active = Active {
            fault,
            after,
            times,
            met: 0,
        };
        self.0.insert(endpoint, active);
    }

    pub fn clear(&mut self, endpoint: Endpoint) {
        self.0.remove(&endpoint);
    }

    pub fn clear_all(&mut self) {
        self.0.clear();
    }

    /// The fault that the next request to an endpoint meets, and how many have met it before.
    fn take(&mut self, endpoint: Endpoint) -> Option<(Fault, usize)> {
        let active = self.0.get_mut(&endpoint)?;
        if active.after > 0 {
            active.after -= 1;
            return None;
        }
        match &mut active.times {
            Some(0) => return None,
            Some(left) => *left -= 1,
            None => {}
        }
        active.met += 1;
        Some((active.fault.clone(), active.met - 1))
    }
}

/// Tells the handler of a list that its page is to be a short one.
#[derive(Clone, Copy)]
pub struct Short;

/// Holds a request back where its endpoint is held, and then lets it meet the
/// endpoint's fault.
pub async fn inject(
    State((shared, endpoint)): State<(Shared, Endpoint)>,
    ConnectInfo(switch): ConnectInfo<Switch>,
    mut request: Request,
    next: Next,
) -> Response {
    let holds = shared.lock().holds.clone();
    holds.pass(endpoint).await;
    let fault = shared.lock().faults.take(endpoint);
    let Some((fault, met)) = fault else {
        return answers::make(&shared, endpoint, request, next).await;
    };
    if matches!(fault, Fault::ShortPage) {
        request.extensions_mut().insert(Short);
    }
    let answer = || answers::make(&shared, endpoint, request, next);
    let signing_key = || shared.lock().keys.signing(Audience::Normal).clone();
    match fault {
        Fault::Hang => {
            sleep(MAX_HANG).await;
            switch.close();
            ().into_response()
        }
        Fault::Delay { millis } => {
            sleep(Duration::from_millis(millis)).await;
            answer().await
        }
        Fault::Reset => {
            switch.reset();
            ().into_response()
        }
        Fault::Close => {
            switch.close();
            ().into_response()
        }
        Fault::Truncate => bodies::truncated(answer().await).await,
        Fault::Trickle { interval_millis } => {
            let interval = Duration::from_millis(interval_millis);
            bodies::trickled(answer().await, interval).await
        }
        Fault::Redirect { location } => Redirect::temporary(&location).into_response(),
        Fault::Repeat => {
            let previous = shared.lock().answers.previous(endpoint);
            previous.unwrap_or_else(|| impossible("there is no answer to repeat"))
        }
        Fault::ShortPage if endpoint == Endpoint::Users => answer().await,
        Fault::ShortPage => impossible("only users come in pages"),
        Fault::Cursors { cursors } if cursors.is_empty() => impossible("there is no cursor"),
        Fault::Cursors { cursors } => {
            bodies::leading_to(answer().await, &cursors[met % cursors.len()]).await
        }
        Fault::Status {
            status,
            retry_after,
        } => answer_status(status, retry_after.map(|seconds| seconds.to_string())),
        Fault::BusyUntil { seconds } => {
            let then = SystemTime::now() + Duration::from_secs(seconds);
            answer_status(503, Some(httpdate::fmt_http_date(then)))
        }
        Fault::Html => Html("<!doctype html><title>Oops</title><p>Try later.").into_response(),
        Fault::Body { content_type, body } => {
            with_header(body.into_response(), "content-type", Some(&content_type))
        }
        Fault::EmptySet => json(r#"{"keys":[]}"#),
        Fault::Malformed => bodies::halved(answer().await).await,
        Fault::PrivateKey => {
            let key = signing_key().private_jwk();
            json(format!(r#"{{"keys":[{key}]}}"#))
        }
        Fault::ManyKeys { count } => json(bodies::many_keys(signing_key().jwk(), count)),
        Fault::Huge { bytes } => json(bodies::padded(signing_key().jwk(), bytes)),
        Fault::Header { name, value } => with_header(answer().await, &name, value.as_deref()),
    }
}

fn json(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

fn answer_status(status: u16, retry_after: Option<String>) -> Response {
    let Ok(status) = StatusCode::from_u16(status) else {
        return impossible("no such status");
    };
    let answer = (status, status.canonical_reason().unwrap_or_default()).into_response();
    match retry_after {
        Some(value) => with_header(answer, "retry-after", Some(&value)),
        None => answer,
    }
}

fn with_header(mut answer: Response, name: &str, value: Option<&str>) -> Response {
    let Ok(name) = name.parse::<HeaderName>() else {
        return impossible("no such header");
    };
    match value.map(HeaderValue::from_str) {
        Some(Ok(value)) => answer.headers_mut().insert(name, value),
        Some(Err(_)) => return impossible("no header has this value"),
        None => answer.headers_mut().remove(name),
    };
    answer
}

/// The answer to a fault that HTTP cannot express.
fn impossible(reason: &'static str) -> Response {
    (StatusCode::NOT_IMPLEMENTED, reason).into_response()
}
