//! One HTTP request for a JWKS, bounded in time and size and interruptible.
//!
//! The request runs on a thread of its own with every signal blocked, so that they reach the
//! backend's main thread, which waits on its latch: a cancel, `statement_timeout` or a shutdown
//! ends the wait at once, and the thread ends by its own time limit.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::{self, TryRecvError};
use std::time::Duration;

use neon_auth_token::KeySet;
use pgrx::prelude::*;
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig};

use crate::settings;

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
    connect: Duration,
    total: Duration,
    ca_file: Option<String>,
    cache_time: i64,
    shortest_cache_time: i64,
}

/// Fetches a JWKS. The error is a sentence for DETAIL and `jwks_cache.last_error`.
pub fn get(request: Request) -> Result<Answer, String> {
    let limits = Limits {
        connect: milliseconds(settings::JWKS_CONNECT_TIMEOUT.get()),
        total: milliseconds(settings::JWKS_TIMEOUT.get()),
        ca_file: settings::CA_FILE
            .get()
            .map(|path| path.to_string_lossy().into_owned())
            .filter(|path| !path.is_empty()),
        cache_time: settings::JWKS_CACHE_TIME.get().into(),
        shortest_cache_time: settings::JWKS_COOLDOWN.get().into(),
    };
    aside(move || perform(&request, &limits))
}

fn milliseconds(setting: i32) -> Duration {
    Duration::from_millis(setting.unsigned_abs().into())
}

/// Runs `work` on a thread and waits for it, answering interrupts.
fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    let failed = |error: std::io::Error| format!("No thread could be started: {error}.");
    let (bell, ringing) = UnixStream::pair().map_err(failed)?;
    let (answer, answered) = mpsc::channel();
    let signals = BlockedSignals::block();
    let thread = std::thread::Builder::new()
        .name("neon_auth fetch".to_owned())
        .spawn(move || {
            // Nobody may be listening any more; dropping `bell` wakes whoever is.
            let _ = answer.send(work());
            drop(bell);
        });
    drop(signals);
    thread.map_err(failed)?;
    loop {
        match answered.try_recv() {
            Ok(outcome) => return outcome,
            Err(TryRecvError::Disconnected) => return Err("The request failed inside.".to_owned()),
            Err(TryRecvError::Empty) => {}
        }
        let events =
            pg_sys::WL_LATCH_SET | pg_sys::WL_SOCKET_READABLE | pg_sys::WL_EXIT_ON_PM_DEATH;
        // SAFETY: our own latch and a socket that lives through the call.
        unsafe {
            pg_sys::WaitLatchOrSocket(
                pg_sys::MyLatch,
                events as i32,
                ringing.as_raw_fd(),
                -1,
                pg_sys::PG_WAIT_EXTENSION,
            );
            pg_sys::ResetLatch(pg_sys::MyLatch);
        }
        pgrx::check_for_interrupts!();
    }
}

/// Every signal blocked until dropped; a thread inherits the mask that it is born under.
struct BlockedSignals {
    before: libc::sigset_t,
}

impl BlockedSignals {
    fn block() -> Self {
        // SAFETY: plain calls on signal sets of our own.
        unsafe {
            let mut all = std::mem::zeroed();
            let mut before = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
            Self { before }
        }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // SAFETY: puts back what `block` found.
        unsafe {
            libc::pthread_sigmask(
                libc::SIG_SETMASK,
                &raw const self.before,
                std::ptr::null_mut(),
            );
        }
    }
}

/// The request itself; runs off the main thread and so touches nothing of PostgreSQL.
fn perform(request: &Request, limits: &Limits) -> Result<Answer, String> {
    let uri: Uri = request
        .url
        .parse()
        .map_err(|_| "The jwks_url is no URL.".to_owned())?;
    let encrypted = uri.scheme_str() == Some("https");
    let on_loopback = uri.scheme_str() == Some("http") && is_loopback(&uri);
    if !encrypted && !on_loopback {
        return Err("The jwks_url must be https, or http on loopback.".to_owned());
    }
    let agent = ureq::Agent::config_builder()
        .https_only(encrypted)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .http_status_as_error(false)
        .max_response_header_size(16 * 1024)
        .timeout_connect(Some(limits.connect))
        .timeout_global(Some(limits.total))
        .user_agent(concat!("neon_auth/", env!("CARGO_PKG_VERSION")))
        .tls_config(tls(limits)?)
        .build()
        .new_agent();
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

fn is_loopback(uri: &Uri) -> bool {
    let host = uri
        .host()
        .unwrap_or_default()
        .trim_start_matches('[')
        .trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

fn tls(limits: &Limits) -> Result<TlsConfig, String> {
    let roots = match &limits.ca_file {
        None => RootCerts::PlatformVerifier,
        Some(path) => {
            let pem = std::fs::read(path)
                .map_err(|error| format!("neon_auth.ca_file cannot be read: {error}."))?;
            let certificates: Vec<_> = ureq::tls::parse_pem(&pem)
                .filter_map(|item| match item {
                    Ok(PemItem::Certificate(certificate)) => Some(certificate),
                    _ => None,
                })
                .collect();
            if certificates.is_empty() {
                return Err("neon_auth.ca_file holds no certificate in PEM form.".to_owned());
            }
            RootCerts::Specific(Arc::new(certificates))
        }
    };
    Ok(TlsConfig::builder()
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .root_certs(roots)
        .build())
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
