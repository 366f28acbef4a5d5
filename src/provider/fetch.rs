//! One HTTP request for a JWKS, bounded in time and size and interruptible.

use std::time::Duration;

use neon_auth_token::KeySet;
use ureq::http::Uri;

use crate::http::{self, Aside, Line, milliseconds};
use crate::settings;
use crate::shared::{self, Counter};

/// Largest JWKS that is read, in bytes.
const MAX_BODY: u64 = 256 * 1024;
/// Bounds of the time for which a key server may ask us to keep its answer, in seconds.
const LONGEST_CACHE_TIME: i64 = 86_400;

/// A question to a key server.
pub struct Request {
    pub url: String,
    /// The ETag of the set at hand: the server may answer that it still holds.
    pub etag: Option<String>,
}

/// What the key server answered.
pub enum Answer {
    /// A set that parsed, as text and parsed, and how to ask for it again.
    Keys {
        json: String,
        keys: KeySet,
        etag: Option<String>,
        lifetime: i64,
    },
    /// The set at hand still holds, for so many seconds.
    Unchanged { lifetime: i64 },
}

/// What a request needs of the settings, read on the main thread.
struct Limits {
    http: http::Settings,
    total: Duration,
    cache_time: i64,
    shortest_cache_time: i64,
}

/// Fetches a JWKS. The error is a sentence for DETAIL and `jwks_cache.last_error`.
/// `go_on` is asked now and then whether the answer is still wanted.
pub fn get(request: Request, go_on: impl Fn() -> bool) -> Result<Answer, String> {
    let limits = Limits {
        http: http::Settings::read(),
        total: milliseconds(settings::JWKS_TIMEOUT.get()),
        cache_time: settings::JWKS_CACHE_TIME.get().into(),
        shortest_cache_time: settings::JWKS_COOLDOWN.get().into(),
    };
    let mut aside = Aside::spawn(move |outlet| {
        outlet.send(perform(&request, &limits, outlet.line()));
    })?;
    let wanted = || go_on().then_some(()).ok_or(());
    let outcome = match aside.next(wanted) {
        Ok(Some(outcome)) => outcome,
        Ok(None) => Err("The request failed inside.".to_owned()),
        Err(()) => Err("The fetch gave way to whoever copies or drops the database.".to_owned()),
    };
    shared::count(Counter::KeyFetches);
    if outcome.is_err() {
        shared::count(Counter::KeyFetchFailures);
    }
    outcome
}

/// The request itself; runs off the main thread and so touches nothing of PostgreSQL.
fn perform(request: &Request, limits: &Limits, line: &Line) -> Result<Answer, String> {
    let uri: Uri = request
        .url
        .parse()
        .map_err(|_| "The jwks_url is no URL.".to_owned())?;
    let agent = limits.http.agent(&uri, "jwks_url", line, |config| {
        config.timeout_global(Some(limits.total))
    })?;
    let mut call = agent
        .get(&uri)
        .header("accept", "application/jwk-set+json, application/json");
    if let Some(etag) = &request.etag {
        call = call.header("if-none-match", etag);
    }
    let mut response = call.call().map_err(|error| failure(&error))?;
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let lifetime = lifetime(header("cache-control").as_deref(), limits);
    let etag = header("etag");
    match response.status().as_u16() {
        200 => {}
        304 if request.etag.is_some() => return Ok(Answer::Unchanged { lifetime }),
        status @ 300..=399 => {
            return Err(format!(
                "The key server answered {status}; redirects are not followed."
            ));
        }
        status => return Err(format!("The key server answered {status}.")),
    }
    let body = response
        .body_mut()
        .with_config()
        .limit(MAX_BODY)
        .read_to_vec()
        .map_err(|error| failure(&error))?;
    let keys = KeySet::parse(&body).map_err(|bad| {
        format!(
            "The key server's answer is no usable JWKS: {bad}. {}",
            bad.detail()
        )
    })?;
    let json = String::from_utf8(body).map_err(|_| "The JWKS is not UTF-8.".to_owned())?;
    Ok(Answer::Keys {
        json,
        keys,
        etag,
        lifetime,
    })
}

/// Seconds for which an answer may be used: `max-age` within bounds, else the setting.
fn lifetime(cache_control: Option<&str>, limits: &Limits) -> i64 {
    let directives = || {
        cache_control
            .into_iter()
            .flat_map(|value| value.split(','))
            .map(str::trim)
    };
    let forbidden = directives()
        .any(|name| name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache"));
    let max_age = directives().find_map(|directive| {
        let (name, seconds) = directive.split_once('=')?;
        name.eq_ignore_ascii_case("max-age")
            .then(|| seconds.trim_matches('"').parse::<i64>().ok())?
    });
    match max_age {
        _ if forbidden => limits.shortest_cache_time,
        Some(seconds) => seconds.clamp(limits.shortest_cache_time, LONGEST_CACHE_TIME),
        None => limits.cache_time,
    }
}

fn failure(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(_) => {
            "The key server did not answer within the time limit.".to_owned()
        }
        ureq::Error::BodyExceedsLimit(limit) => {
            format!("The key server's answer is longer than {limit} bytes.")
        }
        error => format!("The request to the key server failed: {error}."),
    }
}
