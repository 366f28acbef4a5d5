//! The HTTP requests for a JWKS, limited in time and size, and interruptible: one request, or two
//! if the issuer's discovery document is read first. The document is read each time, so that an
//! issuer may move its keys.

use std::time::{Duration, Instant};

use neon_auth_token::{BadKeySet, KeySet};
use neon_auth_wire::cache_control::Lifetime;
use neon_auth_wire::discovery::Origin;
use ureq::Body;
use ureq::http::{Response, StatusCode, Uri};

use crate::error::quoted;
use crate::http::{self, CancelHandle, RequestThread, milliseconds};
use crate::old_servers;
use crate::settings;
use crate::shared::{self, Counter};

/// Maximum size of a JWKS in bytes.
const MAX_BODY: u64 = 256 * 1024;
/// Limits for the cache time that a key server may request, in seconds.
const LONGEST_CACHE_TIME: i64 = 86_400;

/// A request to a key server.
pub struct KeyRequest {
    pub origin: Origin,
    /// Whether the server may be an older one of Stack Auth, which refuses parameters of the URL.
    pub may_reduce: bool,
    /// The URL without such parameters that it accepted, if it refused the whole one lately.
    pub reduced_url: Option<String>,
    /// The cached set: the URL that was requested, and its ETag. The server may respond that it is
    /// still valid.
    pub at_hand: Option<(String, String)>,
}

/// A URL without the parameters that the server refuses.
pub struct ReducedUrl {
    pub url: String,
    /// Whether the server has refused the whole URL just before.
    pub is_new: bool,
}

/// The response of the key server.
pub enum KeyResponse {
    /// A set, as text and parsed, with its URL and its ETag.
    Keys {
        url: String,
        reduced: Option<ReducedUrl>,
        json: String,
        keys: KeySet,
        etag: Option<String>,
        lifetime: i64,
    },
    /// The cached set is still valid, for this number of seconds.
    Unchanged {
        url: String,
        reduced: Option<ReducedUrl>,
        lifetime: i64,
    },
}

/// The settings that a request needs, read on the main thread.
struct Limits {
    http: http::Settings,
    total: Duration,
    cache_time: i64,
    shortest_cache_time: i64,
}

/// Fetches a JWKS. The error is a sentence for DETAIL and `jwks_cache.last_error`. `go_on` is
/// called periodically to check whether the response is still needed.
pub fn get(request: KeyRequest, go_on: impl Fn() -> bool) -> Result<KeyResponse, String> {
    let limits = Limits {
        http: http::Settings::for_keys(),
        total: milliseconds(settings::JWKS_TIMEOUT.get()),
        cache_time: settings::JWKS_CACHE_TIME.get().into(),
        shortest_cache_time: settings::JWKS_COOLDOWN.get().into(),
    };
    let mut thread = RequestThread::spawn(move |sender| {
        sender.send(perform(&request, &limits, sender.cancel_handle()));
    })?;
    let wanted = || go_on().then_some(()).ok_or(());
    let outcome = match thread.next(wanted) {
        Ok(Some(outcome)) => outcome,
        Ok(None) => Err("The request failed because of an internal error.".to_owned()),
        Err(()) => Err(
            "The fetch was cancelled because another session copies or drops the database."
                .to_owned(),
        ),
    };
    shared::count(Counter::KeyFetches);
    if outcome.is_err() {
        shared::count(Counter::KeyFetchFailures);
    }
    outcome
}

/// The request itself; runs off the main thread, so it calls nothing of PostgreSQL.
fn perform(
    request: &KeyRequest,
    limits: &Limits,
    cancel_handle: &CancelHandle,
) -> Result<KeyResponse, String> {
    let start = Instant::now();
    let left = || limits.total.saturating_sub(start.elapsed());
    let server = |who, name| Server {
        who,
        name,
        http: &limits.http,
        cancel_handle,
    };
    let url = match &request.origin {
        Origin::Url(url) => url.clone(),
        Origin::Issuer { issuer, document } => {
            let of_issuer = server("issuer", "discovery document's URL");
            discover(&of_issuer, issuer, document, left()).map_err(|reason| {
                format!(
                    "The keys could not be discovered at {}. {reason}",
                    shown(document)
                )
            })?
        }
    };
    let of_keys = server("key server", "jwks_url");
    let (reduced, mut response) = of_keys.ask_reducing(request, &url, left)?;
    let header = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
    let lifetime = lifetime(header("cache-control").as_deref(), limits);
    let etag = header("etag");
    if response.status() == StatusCode::NOT_MODIFIED {
        return Ok(KeyResponse::Unchanged {
            url,
            reduced,
            lifetime,
        });
    }
    let body = of_keys.body(&mut response)?;
    let keys = KeySet::parse(&body).map_err(|bad| unusable(&bad))?;
    let json = KeySet::storable(&body).map_err(|bad| unusable(&bad))?;
    Ok(KeyResponse::Keys {
        url,
        reduced,
        json,
        keys,
        etag,
        lifetime,
    })
}

/// Reads the URL of an issuer's keys from its discovery document.
fn discover(
    server: &Server<'_>,
    issuer: &str,
    document: &str,
    limit: Duration,
) -> Result<String, String> {
    let mut response = server.ask(document, "application/json", None, limit, false)?;
    let body = server.body(&mut response)?;
    let url = neon_auth_token::jwks_uri(&body, issuer)?;
    if !server.http.may_fetch_keys(&url) {
        return Err(format!(
            "The jwks_uri {} must be https, or http on loopback or on one of neon_auth.insecure_hosts.",
            shown(&url)
        ));
    }
    Ok(url)
}

/// A server for requests.
struct Server<'s> {
    /// Its name in messages.
    who: &'static str,
    /// The name of its URL in messages.
    name: &'static str,
    http: &'s http::Settings,
    cancel_handle: &'s CancelHandle,
}

impl Server<'_> {
    /// Requests keys from a URL, and without the parameters that an older server refuses (status
    /// 400) if it does.
    fn ask_reducing(
        &self,
        request: &KeyRequest,
        url: &str,
        left: impl Fn() -> Duration,
    ) -> Result<(Option<ReducedUrl>, Response<Body>), String> {
        let mut urls = match request.may_reduce {
            true => old_servers::reduced(url),
            false => Vec::new(),
        };
        let known = request.reduced_url.as_ref();
        let known = urls.iter().position(|reduced| Some(reduced) == known);
        match known {
            Some(known) => drop(urls.drain(..known)),
            None => urls.insert(0, url.to_owned()),
        }
        let last = urls.len() - 1;
        for (number, asked) in urls.into_iter().enumerate() {
            let etag = request.at_hand.as_ref().filter(|(from, _)| *from == asked);
            let etag = etag.map(|(_, etag)| etag.as_str());
            let accept = "application/jwk-set+json, application/json";
            let response = self.ask(&asked, accept, etag, left(), number < last)?;
            if response.status() != StatusCode::BAD_REQUEST {
                let reduced = (asked != url).then_some(ReducedUrl {
                    url: asked,
                    is_new: known.is_none(),
                });
                return Ok((reduced, response));
            }
        }
        unreachable!("the last URL may not be refused")
    }

    /// One request. The status of the response is 200, or 304 if an ETag is given, or 400 if the
    /// URL may be refused.
    fn ask(
        &self,
        url: &str,
        accept: &str,
        etag: Option<&str>,
        limit: Duration,
        may_be_refused: bool,
    ) -> Result<Response<Body>, String> {
        let (who, name) = (self.who, self.name);
        let uri: Uri = url
            .parse()
            .map_err(|_| format!("The {name} is not a URL."))?;
        let agent = self.http.agent(&uri, name, self.cancel_handle, |config| {
            config.timeout_global(Some(limit))
        })?;
        let mut call = agent
            .get(&uri)
            .header("accept", accept)
            .header("accept-encoding", "identity");
        if let Some(etag) = etag {
            call = call.header("if-none-match", etag);
        }
        let response = call.call().map_err(|error| self.failure(&error))?;
        match response.status().as_u16() {
            200 => Ok(response),
            304 if etag.is_some() => Ok(response),
            400 if may_be_refused => Ok(response),
            status @ 300..=399 => {
                let location = response.headers().get("location");
                let location = location.and_then(|location| location.to_str().ok());
                Err(format!(
                    "The {who} returned status {status}, a redirect from {} to {}; redirects are not followed.",
                    shown(url),
                    location.map_or("nowhere".to_owned(), shown)
                ))
            }
            status => Err(format!("The {who} returned status {status}.")),
        }
    }

    fn body(&self, response: &mut Response<Body>) -> Result<Vec<u8>, String> {
        let encoding = response.headers().get("content-encoding");
        let encoding = encoding.and_then(|encoding| encoding.to_str().ok());
        if let Some(encoding) = encoding.filter(|name| !name.eq_ignore_ascii_case("identity")) {
            return Err(format!(
                "The response of the {} is compressed (content-encoding {}), although \"identity\" was requested.",
                self.who,
                quoted(encoding)
            ));
        }
        let body = response.body_mut().with_config().limit(MAX_BODY);
        body.read_to_vec().map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &ureq::Error) -> String {
        let who = self.who;
        match error {
            ureq::Error::Timeout(_) => format!("The {who} did not respond within the time limit."),
            ureq::Error::BodyExceedsLimit(limit) => {
                format!("The response of the {who} is longer than {limit} bytes.")
            }
            error => http::failure(&format!("The request to the {who} failed"), error),
        }
    }
}

/// A URL for a message, without the parts that may be secret: user, password, query and fragment.
fn shown(url: &str) -> String {
    const LONGEST: usize = 200;
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = match url.split_once("//") {
        Some((scheme, rest)) => (format!("{scheme}//"), rest),
        None => (String::new(), url),
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.rsplit('@').next().unwrap_or_default();
    let whole = format!("{scheme}{host}{path}");
    let visible = whole.chars().filter(|c| !c.is_control());
    visible.take(LONGEST).collect()
}

fn unusable(bad: &BadKeySet) -> String {
    let reason = format!(
        "The response of the key server is not a usable JWKS: {bad}: {}.",
        bad.detail()
    );
    match bad.hint() {
        Some(hint) => format!("{reason} {hint}"),
        None => reason,
    }
}

/// Seconds for which a response may be used: `max-age` within limits, else the setting.
fn lifetime(cache_control: Option<&str>, limits: &Limits) -> i64 {
    match cache_control.map_or(Lifetime::Unsaid, Lifetime::parse) {
        Lifetime::Forbidden => limits.shortest_cache_time,
        Lifetime::Seconds(seconds) => seconds.clamp(limits.shortest_cache_time, LONGEST_CACHE_TIME),
        Lifetime::Unsaid => limits.cache_time,
    }
}
