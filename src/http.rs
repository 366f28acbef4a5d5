//! HTTP requests out of a database session: bounded, interruptible, to https only.
//!
//! A request runs on a thread of its own with every signal blocked, so that they reach the
//! process's main thread, which waits on its latch: a cancel, `statement_timeout` or a shutdown
//! ends the wait at once, and with it the thread's connection. Only while it looks up a name or
//! opens the connection does the thread live on, until its time limit for that.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use pgrx::prelude::*;
use ureq::Agent;
use ureq::config::ConfigBuilder;
use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig};
use ureq::typestate::AgentScope;

use crate::{hosts, settings};

/// How often a waiting main thread looks whether it should go on waiting.
pub const TICK: Duration = Duration::from_millis(200);
/// The longest that a thread is waited for that is not wanted any more.
const FAREWELL: Duration = Duration::from_millis(20);
/// What is said of `Timeout::Connect`, which is bounded alike for all that the library asks.
pub const NOT_CONNECTED: &str = "No connection was established within neon_auth.connect_timeout.";

/// What every request needs of the settings, read on the main thread.
pub struct Settings {
    connect: Duration,
    ca_file: Option<String>,
    plain: PlainHttp,
}

impl Settings {
    /// For requests that carry a secret: plain http is for loopback only.
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

    /// For requests for keys: plain http is for loopback and for `neon_auth.insecure_hosts`.
    pub fn for_keys() -> Self {
        Self {
            plain: PlainHttp::for_keys(),
            ..Self::read()
        }
    }

    /// An agent for a URL that [`check`] accepts. `name` is the URL's in messages; nothing of the
    /// agent's outlives the handle.
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

/// The hosts that may be asked by plain http, besides loopback; `None` where no setting names any.
#[derive(Clone, Default)]
pub struct PlainHttp(Option<Vec<String>>);

impl PlainHttp {
    /// Those of `neon_auth.insecure_hosts`, read on the main thread.
    pub fn for_keys() -> Self {
        let setting = settings::INSECURE_HOSTS.get().unwrap_or_default();
        let hosts = setting.to_string_lossy().to_ascii_lowercase();
        Self(Some(hosts::listed(&hosts).map(str::to_owned).collect()))
    }

    /// Whether the setting names the URL's host, or its host and port.
    fn names(&self, authority: &str, host: &str) -> bool {
        let all = self.0.iter().flatten();
        let named = |name: &str| all.clone().any(|own| name.eq_ignore_ascii_case(own));
        named(authority) || named(host)
    }
}

/// Whether a URL may be asked at all: https, or http on loopback or on a host of `plain`, and
/// without user and password. `name` is the URL's in messages.
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

/// Whether keys may be fetched from a URL. It must mean the same to everybody who reads it: no
/// white space, no fragment, and the scheme in lower case.
pub fn may_fetch_keys(url: &str, plain: &PlainHttp) -> bool {
    (url.starts_with("https://") || url.starts_with("http://"))
        && !url.contains(|c: char| c.is_whitespace() || c.is_control() || "#\\".contains(c))
        && url
            .parse::<Uri>()
            .is_ok_and(|uri| check(&uri, "URL", plain).is_ok())
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|ip| ip.is_loopback())
}

/// Work on a thread, and the way in which its results come to the main thread.
pub struct RequestThread<T> {
    results: Receiver<T>,
    wakeups: UnixStream,
    cancel_handle: CancelHandle,
    thread: Option<JoinHandle<()>>,
}

/// Where the work puts its results.
pub struct Sender<T> {
    results: SyncSender<T>,
    wakeup: UnixStream,
    cancel_handle: CancelHandle,
}

/// What a thread's connections hang on, and how the main thread cuts them off: whoever sends a
/// byte now and then would otherwise keep a thread that nobody listens to.
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
        // With its last result a thread is as good as over: the next one takes its memory, and not
        // more of it, if it waits for that.
        let last = self.results.recv_timeout(FAREWELL);
        if let (Err(RecvTimeoutError::Disconnected), Some(thread)) = (last, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

impl<T> Sender<T> {
    /// Hands over a result, once there is room; false when nobody wants any more.
    pub fn send(&self, result: T) -> bool {
        // A socket that cannot take more wakes already.
        self.results.send(result).is_ok() && {
            let _ = (&self.wakeup).write(&[0]);
            true
        }
    }

    /// What the agents of this work are to hang on.
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
        // One result that waits, one in the making: what is large is not piled up.
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
            // Dropping the sender wakes whoever waits.
            .spawn(move || work(&sender));
        drop(signals);
        Ok(Self {
            results,
            wakeups,
            cancel_handle,
            thread: Some(thread.map_err(failed)?),
        })
    }

    /// The next result, or `None` when there will be no more. Answers interrupts while it waits,
    /// and calls `tick` five times a second, whose error ends the wait.
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

/// Waits for the latch, for a socket to become readable, or for the time to pass; and answers
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
