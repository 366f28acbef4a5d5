//! HTTP requests of a database session: limited in time and size, interruptible, and only to https.
//!
//! A request runs on its own thread with every signal blocked, so that signals reach the process's
//! main thread, which waits on its latch. A cancel, `statement_timeout` or a shutdown ends the wait
//! at once and closes the thread's connection. Only during name resolution and connecting does the
//! thread continue, until the time limit for that.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use neon_auth_wire::hosts;
use pgrx::prelude::*;
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

use crate::settings;

/// How often a waiting main thread checks whether to continue waiting.
pub const TICK: Duration = Duration::from_millis(200);
/// How long to wait for a thread whose result is not needed any more.
const FAREWELL: Duration = Duration::from_millis(20);
/// Message for `Timeout::Connect`; the limit is the same for all requests of the library.
pub const NOT_CONNECTED: &str = "No connection was established within neon_auth.connect_timeout.";

/// The settings that every request needs, read on the main thread.
pub struct Settings {
    connect: Duration,
    ca_file: Option<String>,
    plain: PlainHttp,
}

impl Settings {
    /// For requests that contain a secret: plain http only to loopback.
    pub fn read() -> Self {
        Self {
            connect: milliseconds(settings::CONNECT_TIMEOUT.get()),
            ca_file: settings::CA_FILE
                .get()
                .map(|path| path.to_string_lossy().into_owned())
                .filter(|path| !path.is_empty()),
            plain: PlainHttp::default(),
        }
    }

    /// For requests for keys: plain http only to loopback and `neon_auth.insecure_hosts`.
    pub fn for_keys() -> Self {
        Self {
            plain: PlainHttp::for_keys(),
            ..Self::read()
        }
    }

    /// An agent for a URL that [`check`] accepts. `name` names the URL in messages; the agent must
    /// not outlive the handle.
    pub fn agent(
        &self,
        uri: &Uri,
        name: &str,
        cancel_handle: &CancelHandle,
        limits: impl FnOnce(ConfigBuilder<AgentScope>) -> ConfigBuilder<AgentScope>,
    ) -> Result<Agent, String> {
        check(uri, name, &self.plain)?;
        let config = Agent::config_builder()
            .https_only(uri.scheme_str() == Some("https"))
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .max_response_header_size(16 * 1024)
            .timeout_connect(Some(self.connect))
            .user_agent(concat!("neon_auth/", env!("CARGO_PKG_VERSION")))
            .tls_config(self.tls()?);
        let agent = limits(config).build().new_agent();
        cancel_handle.open(&agent);
        Ok(agent)
    }

    /// Whether keys may be fetched from a URL, see [`may_fetch_keys`].
    pub fn may_fetch_keys(&self, url: &str) -> bool {
        may_fetch_keys(url, &self.plain)
    }

    fn tls(&self) -> Result<TlsConfig, String> {
        let roots = match &self.ca_file {
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
                    return Err("neon_auth.ca_file contains no certificate in PEM form.".to_owned());
                }
                RootCerts::Specific(Arc::new(certificates))
            }
        };
        Ok(TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(
                rustls::crypto::aws_lc_rs::default_provider(),
            ))
            .root_certs(roots)
            .build())
    }
}

/// A setting in milliseconds.
pub fn milliseconds(setting: i32) -> Duration {
    Duration::from_millis(setting.unsigned_abs().into())
}

/// The hosts that may be reached by plain http, in addition to loopback; `None` if no setting names
/// any.
#[derive(Clone, Default)]
pub struct PlainHttp(Option<Vec<String>>);

impl PlainHttp {
    /// The hosts of `neon_auth.insecure_hosts`, read on the main thread.
    pub fn for_keys() -> Self {
        let setting = settings::INSECURE_HOSTS.get().unwrap_or_default();
        let hosts = setting.to_string_lossy().to_ascii_lowercase();
        Self(Some(hosts::listed(&hosts).map(str::to_owned).collect()))
    }

    /// Whether the setting names the URL's host, or its host and port: 80 if the URL has none.
    fn names(&self, authority: &str, host: &str) -> bool {
        let all = self.0.iter().flatten();
        let named = |name: &str| all.clone().any(|own| name.eq_ignore_ascii_case(own));
        named(authority) || named(host) || authority == host && named(&format!("{host}:80"))
    }
}

/// Checks that a URL may be requested: https, or http to loopback or to a host of `plain`, and
/// without user and password. `name` names the URL in messages.
pub fn check(uri: &Uri, name: &str, plain: &PlainHttp) -> Result<(), String> {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = uri.host().unwrap_or_default();
    let port = authority.strip_prefix(host).unwrap_or(authority);
    let is_port = port.is_empty() || uri.port_u16().is_some();
    if host.is_empty() || authority.contains('@') || !is_port {
        return Err(format!(
            "The {name} must have a host, without user and password."
        ));
    }
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_loopback(host) || plain.names(authority, host) => Ok(()),
        _ if plain.0.is_none() => Err(format!("The {name} must be https, or http on loopback.")),
        _ => Err(format!(
            "The {name} must be https, or http on loopback or on a host of neon_auth.insecure_hosts. Set it with ALTER SYSTEM or ALTER DATABASE: SET does not reach the background workers, which fetch keys too."
        )),
    }
}

/// Whether keys may be fetched from a URL. Every parser must read it the same way: no white space,
/// no fragment, and the scheme in lower case.
pub fn may_fetch_keys(url: &str, plain: &PlainHttp) -> bool {
    (url.starts_with("https://") || url.starts_with("http://"))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control() || "#\\".contains(c))
        && url
            .parse::<Uri>()
            .is_ok_and(|uri| check(&uri, "URL", plain).is_ok())
}

/// Why a request failed, as a sentence; `what` says which one did. Callers report the errors first
/// whose limits or contents they know.
pub fn failure(what: &str, error: &ureq::Error) -> String {
    // The standard library has no error kind for this, only these words.
    const UNRESOLVED: &str = "failed to lookup address information";
    match error {
        ureq::Error::HostNotFound => "The host's name cannot be resolved.".to_owned(),
        ureq::Error::Io(error) => {
            let text = error.to_string();
            match text.strip_prefix(UNRESOLVED) {
                Some(reason) => format!("The host's name cannot be resolved{reason}."),
                None => format!("{what}: {text}."),
            }
        }
        error => format!("{what}: {error}."),
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// Work on a thread, and the channel of its results to the main thread.
pub struct RequestThread<T> {
    results: Receiver<T>,
    wakeups: UnixStream,
    cancel_handle: CancelHandle,
    thread: Option<JoinHandle<()>>,
}

/// The sender of the results.
pub struct Sender<T> {
    results: SyncSender<T>,
    wakeup: UnixStream,
    cancel_handle: CancelHandle,
}

/// The connections of a thread, so that the main thread can close them: a server that sends a byte
/// now and then would otherwise keep a thread alive whose result is not needed.
#[derive(Clone, Default)]
pub struct CancelHandle(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    #[default]
    Unused,
    Open(Agent),
    Cancelled,
}

impl CancelHandle {
    fn open(&self, agent: &Agent) {
        if matches!(self.replace(State::Open(agent.clone())), State::Cancelled) {
            self.cancel();
        }
    }

    fn cancel(&self) {
        if let State::Open(agent) = self.replace(State::Cancelled) {
            agent.shutdown();
        }
    }

    fn replace(&self, state: State) -> State {
        std::mem::replace(
            &mut self.0.lock().unwrap_or_else(PoisonError::into_inner),
            state,
        )
    }
}

impl<T> Drop for RequestThread<T> {
    fn drop(&mut self) {
        self.cancel_handle.cancel();
        // After its last result a thread ends at once. Waiting for that lets the next thread reuse
        // its memory.
        let last = self.results.recv_timeout(FAREWELL);
        if let (Err(RecvTimeoutError::Disconnected), Some(thread)) = (last, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

impl<T> Sender<T> {
    /// Hands over a result when there is room; false if the receiver has ended.
    pub fn send(&self, result: T) -> bool {
        // A full socket has woken the main thread already.
        self.results.send(result).is_ok() && {
            let _ = (&self.wakeup).write(&[0]);
            true
        }
    }

    /// The handle for the connections of this work.
    pub fn cancel_handle(&self) -> &CancelHandle {
        &self.cancel_handle
    }
}

impl<T: Send + 'static> RequestThread<T> {
    pub fn spawn(work: impl FnOnce(&Sender<T>) + Send + 'static) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("No thread could be started: {error}.");
        let (wakeup, wakeups) = UnixStream::pair().map_err(failed)?;
        wakeup.set_nonblocking(true).map_err(failed)?;
        wakeups.set_nonblocking(true).map_err(failed)?;
        // One result waits while the next one is made, so that large results do not accumulate.
        let (sender, results) = mpsc::sync_channel(1);
        let cancel_handle = CancelHandle::default();
        let sender = Sender {
            results: sender,
            wakeup,
            cancel_handle: cancel_handle.clone(),
        };
        let signals = BlockedSignals::block();
        let thread = std::thread::Builder::new()
            .name("neon_auth http".to_owned())
            // Dropping the sender wakes the main thread.
            .spawn(move || work(&sender));
        drop(signals);
        Ok(Self {
            results,
            wakeups,
            cancel_handle,
            thread: Some(thread.map_err(failed)?),
        })
    }

    /// The next result, or `None` if there will be no more. Handles interrupts while it waits, and
    /// calls `tick` five times a second; an error of `tick` ends the wait.
    pub fn next<E>(&mut self, mut tick: impl FnMut() -> Result<(), E>) -> Result<Option<T>, E> {
        loop {
            match self.results.try_recv() {
                Ok(result) => return Ok(Some(result)),
                Err(TryRecvError::Disconnected) => return Ok(None),
                Err(TryRecvError::Empty) => {}
            }
            wait(Some(&self.wakeups), TICK);
            self.drain_wakeups();
            tick()?;
        }
    }

    fn drain_wakeups(&mut self) {
        let mut bytes = [0; 64];
        loop {
            match self.wakeups.read(&mut bytes) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }
}

/// Waits for the latch, for a socket to become readable, or for the time to pass; and handles
/// interrupts.
pub fn wait(socket: Option<&UnixStream>, longest: Duration) {
    let mut events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    if socket.is_some() {
        events |= pg_sys::WL_SOCKET_READABLE;
    }
    // SAFETY: our own latch and a socket that lives through the call.
    unsafe {
        pg_sys::WaitLatchOrSocket(
            pg_sys::MyLatch,
            events as i32,
            socket.map_or(pg_sys::PGINVALID_SOCKET, AsRawFd::as_raw_fd),
            longest.as_millis() as std::ffi::c_long,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    pgrx::check_for_interrupts!();
}

/// Blocks every signal until dropped; a new thread inherits this mask.
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
