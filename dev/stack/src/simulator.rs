//! The service as a Rust test starts it.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};
use uuid::Uuid;

use crate::credentials::Credentials;
use crate::keys::Audience;
use crate::server;
use crate::state::{Shared, State};
use crate::users::NewUser;
use crate::{DEFAULT_PROJECT_ID, DEFAULT_SEED};

/// How long stopping waits for requests in flight.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// How the service is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Stands for the server's secret: keys, credentials and ids follow from it.
    pub seed: String,
    pub project_id: String,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The base URL in tokens' `iss`, where it is not the server's own.
    pub issuer_base: Option<String>,
    /// Whether users without a verified e-mail address are restricted.
    pub require_verified_email: bool,
    /// Whether the key server sends an `ETag` and answers 304.
    pub etags: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: DEFAULT_SEED.to_owned(),
            project_id: DEFAULT_PROJECT_ID.to_owned(),
            port: 0,
            issuer_base: None,
            require_verified_email: false,
            etags: false,
        }
    }
}

/// A running service; dropping it stops it and frees its port.
///
/// Methods that name a user panic when there is no such user: in a test that
/// is the test's mistake.
pub struct Simulator {
    base_url: String,
    shared: Shared,
    runtime: Option<Runtime>,
}

impl Simulator {
    /// Starts the service on threads of its own.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port))?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let shared = Shared::new(State::new(options, &base_url));
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.spawn(server::serve(listener, shared.clone()));
        Ok(Self {
            base_url,
            shared,
            runtime: Some(runtime),
        })
    }

    /// Where the service is: `http://127.0.0.1:<port>`.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    pub fn project_id(&self) -> String {
        self.credentials().project_id
    }

    pub fn credentials(&self) -> Credentials {
        self.shared.lock().credentials.clone()
    }

    /// The console's keys answer, with the key server's URL at this service.
    pub fn keys_response(&self) -> Value {
        self.credentials().keys_response(&self.base_url)
    }

    /// All published keys.
    pub fn jwks(&self) -> Value {
        self.shared.lock().keys.jwks(&Audience::ALL)
    }

    /// Gives the server a new secret, and with it new keys and key ids.
    pub fn rotate_keys(&self) {
        self.shared.lock().rotate_keys();
    }

    /// Withdraws a key from the published set; tokens are still signed with
    /// it. Answers whether there is such a key.
    pub fn drop_key(&self, kid: &str) -> bool {
        self.shared.lock().keys.drop_key(kid)
    }

    /// Switches the key server's `ETag` and 304 on or off.
    pub fn set_etags(&self, on: bool) {
        self.shared.lock().options.etags = on;
    }

    /// Signs somebody up and answers the user object.
    pub fn sign_up(&self, new: NewUser) -> Value {
        self.shared.lock().sign_up(new)
    }

    /// Lays an object of changes over a user object and answers the result.
    #[track_caller]
    pub fn update_user(&self, user_id: Uuid, changes: Value) -> Value {
        let Value::Object(changes) = changes else {
            panic!("changes are an object");
        };
        known(self.shared.lock().update_user(user_id, changes))
    }

    #[track_caller]
    pub fn delete_user(&self, user_id: Uuid) {
        known(self.shared.lock().delete_user(user_id));
    }

    /// A token as the service would give it to this user now.
    #[track_caller]
    pub fn access_token(&self, user_id: Uuid) -> String {
        self.token_with(user_id, |_, _| ())
    }

    /// The same after `alter(claims, header)`, signed as ever.
    #[track_caller]
    pub fn token_with(
        &self,
        user_id: Uuid,
        alter: impl FnOnce(&mut Map<String, Value>, &mut Map<String, Value>),
    ) -> String {
        known(self.shared.lock().token(user_id, alter))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A runtime may not be stopped from within another one, which is
            // where an asynchronous test would do it.
            let stopping = thread::spawn(|| runtime.shutdown_timeout(STOP_TIMEOUT));
            let _ = stopping.join();
        }
    }
}

#[track_caller]
fn known<T>(answer: Result<T, crate::error::KnownError>) -> T {
    answer.unwrap_or_else(|error| panic!("{}: {}", error.code, error.message))
}
