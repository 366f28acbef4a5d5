//! What happens to a request on its way to its handler.

use std::time::{Duration, SystemTime};

use axum::body::{Body, HttpBody};
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Redirect, Response};
use tokio::time::sleep;

use crate::bodies::{self, MAX_REGULAR};
use crate::endpoint::Endpoint;
use crate::error::KNOWN_ERROR_HEADER;
use crate::error::Refusal;
use crate::faults::Fault;
use crate::keys::Audience;
use crate::poison;
use crate::rest::{AnyTeam, Short};
use crate::socket::Switch;
use crate::state::Shared;

/// How long a request hangs at most.
const MAX_HANG: Duration = Duration::from_secs(600);

/// Remembers a request, unless it is one that steers the simulator.
pub async fn record(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    if !request.uri().path().starts_with("/dev/") {
        shared.lock().requests.push(&request);
    }
    next.run(request).await
}

/// Repeats the code of a known error under each name that the header has at a server of this age.
pub async fn name_known_errors(
    State(shared): State<Shared>,
    request: Request,
    next: Next,
) -> Response {
    let mut answer = next.run(request).await;
    let prefixes = shared.lock().options.age.header_prefixes();
    if let Some(code) = answer.headers().get(KNOWN_ERROR_HEADER).cloned() {
        for prefix in prefixes {
            let name = HeaderName::try_from(format!("{prefix}known-error"));
            if let Ok(name) = name {
                answer.headers_mut().insert(name, code.clone());
            }
        }
    }
    answer
}

/// Holds a request back where its endpoint is held, and then lets it meet the
/// endpoint's fault.
pub async fn inject(
    State((shared, endpoint)): State<(Shared, Endpoint)>,
    ConnectInfo(switch): ConnectInfo<Switch>,
    mut request: Request,
    next: Next,
) -> Response {
    let endpoint = match request.uri().query() {
        Some(query) if endpoint == Endpoint::Users && query.contains("team_id=") => {
            Endpoint::TeamUsers
        }
        _ => endpoint,
    };
    let holds = shared.lock().holds.clone();
    holds.pass(endpoint).await;
    let fault = shared.lock().faults.take(endpoint);
    let Some((fault, met)) = fault else {
        return right_answer(&shared, endpoint, request, next).await;
    };
    if matches!(fault, Fault::ShortPage) {
        request.extensions_mut().insert(Short);
    }
    if matches!(fault, Fault::AnyTeam) {
        request.extensions_mut().insert(AnyTeam);
    }
    let answer = || right_answer(&shared, endpoint, request, next);
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
        Fault::ShortPage if matches!(endpoint, Endpoint::Users | Endpoint::TeamUsers) => {
            answer().await
        }
        Fault::AnyTeam if endpoint == Endpoint::TeamUsers => answer().await,
        Fault::ShortPage => impossible("only users come in pages"),
        Fault::AnyTeam => impossible("only users are of a team"),
        Fault::Cursors { cursors } if cursors.is_empty() => impossible("there is no cursor"),
        Fault::Cursors { cursors } => {
            bodies::leading_to(answer().await, &cursors[met % cursors.len()]).await
        }
        Fault::Status {
            status,
            retry_after,
        } => status_answer(status, retry_after.map(|seconds| seconds.to_string())),
        Fault::Refuse {
            status,
            header,
            code,
        } => with_header(status_answer(status, None), &header, Some(&code)),
        Fault::BusyUntil { seconds } => {
            let then = SystemTime::now() + Duration::from_secs(seconds);
            status_answer(503, Some(httpdate::fmt_http_date(then)))
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

/// Makes the right answer, and remembers it unless it is made as it is read.
async fn right_answer(
    shared: &Shared,
    endpoint: Endpoint,
    request: Request,
    next: Next,
) -> Response {
    let answer = poison::pass(shared, next.run(request).await).await;
    let length = answer.body().size_hint().exact();
    if length.is_none_or(|length| length > MAX_REGULAR as u64) {
        shared.lock().answers.forget(endpoint);
        return answer;
    }
    let (parts, body) = bodies::take_apart(answer).await;
    let answers = &mut shared.lock().answers;
    answers.remember(endpoint, parts.clone(), body.clone());
    Response::from_parts(parts, Body::from(body))
}

fn json(body: impl Into<Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

fn status_answer(status: u16, retry_after: Option<String>) -> Response {
    let Ok(status) = StatusCode::from_u16(status) else {
        return impossible("no such status");
    };
    let answer = match status {
        StatusCode::INTERNAL_SERVER_ERROR => Refusal::internal().into_response(),
        status => (status, status.canonical_reason().unwrap_or_default()).into_response(),
    };
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
