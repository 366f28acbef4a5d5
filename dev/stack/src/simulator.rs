//! The service as a Rust test starts it.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::unbounded_channel;
use uuid::Uuid;

use crate::age::{Age, Gone};
use crate::credentials::Credentials;
use crate::delivery;
use crate::endpoint::Endpoint;
use crate::error::KnownError;
use crate::faults::Fault;
use crate::keys::Audience;
use crate::permissions::{Definition, Grant, Holder, Scope};
use crate::population::Asked;
use crate::requests::Received;
use crate::server;
use crate::state::{Shared, State};
use crate::teams::{Membership, NewTeam};
use crate::users::NewUser;
use crate::webhooks::{Delivery, Message, Mishaps};
use crate::{DEFAULT_NEON_PROJECT_ID, DEFAULT_PROFILES_CAP, DEFAULT_PROJECT_ID, DEFAULT_SEED};

/// How long stopping waits for requests in flight.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// How the service is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Stands for the server's secret: keys, credentials and ids follow from it.
    pub seed: String,
    pub project_id: String,
    /// The project's id in the Neon console's calls.
    pub neon_project_id: String,
    /// The port on 127.0.0.1; 0 takes a free one.
    pub port: u16,
    /// The base URL in tokens' `iss`, where it is not the server's own.
    pub issuer_base: Option<String>,
    /// Where the service is below its host, such as `/stack`, as behind a proxy that takes that away.
    pub path_prefix: Option<String>,
    /// How old the server is.
    pub age: Age,
    /// Whether users without a verified e-mail address are restricted.
    pub require_verified_email: bool,
    /// Whether whoever signs up gets a team.
    pub personal_teams: bool,
    /// Whether a page of users begins after the user of its cursor, as newer servers have it, and
    /// not with that user.
    pub exclusive_cursors: bool,
    /// Whether the key server sends an `ETag` and answers 304.
    pub etags: bool,
    /// The most memberships that a list of profiles may have; a longer one is answered 500, always.
    pub profiles_cap: usize,
    /// Where webhooks are delivered to, over plain HTTP.
    pub webhook_url: Option<String>,
    /// The waits before the second and every further attempt.
    pub webhook_retries: Vec<Duration>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: DEFAULT_SEED.to_owned(),
            project_id: DEFAULT_PROJECT_ID.to_owned(),
            neon_project_id: DEFAULT_NEON_PROJECT_ID.to_owned(),
            port: 0,
            issuer_base: None,
            path_prefix: None,
            age: Age::Current,
            require_verified_email: false,
            personal_teams: false,
            exclusive_cursors: false,
            etags: false,
            profiles_cap: DEFAULT_PROFILES_CAP,
            webhook_url: None,
            webhook_retries: delivery::RETRIES.to_vec(),
        }
    }
}

/// What the REST API shows, as JSON objects in its order.
#[derive(Clone, Debug)]
pub struct Everything {
    pub users: Vec<Value>,
    pub teams: Vec<Value>,
    pub memberships: Vec<Membership>,
    pub direct_team_permissions: Vec<Value>,
    pub team_permissions: Vec<Value>,
    pub direct_project_permissions: Vec<Value>,
    pub project_permissions: Vec<Value>,
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
        let prefix = options.path_prefix.as_deref().unwrap_or_default();
        let base_url = format!("http://{}{prefix}", listener.local_addr()?);
        let (deliveries, queue) = unbounded_channel();
        let shared = Shared::new(State::new(options, &base_url, deliveries));
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()?;
        runtime.spawn(server::serve(listener, shared.clone()));
        runtime.spawn(delivery::run(shared.clone(), queue));
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

    /// Lets pages of users begin after their cursors' users, or with them.
    pub fn set_exclusive_cursors(&self, on: bool) {
        self.shared.lock().options.exclusive_cursors = on;
    }

    /// Replaces the secret server key, which is refused from now on; answers
    /// the new one.
    pub fn rotate_server_key(&self) -> String {
        let credentials = &mut self.shared.lock().credentials;
        credentials.rotate_server_key();
        credentials.secret_server_key.clone()
    }

    /// Leaves the project without a publishable client key.
    pub fn withdraw_client_key(&self) {
        self.shared.lock().credentials.pub_client_key = None;
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

    /// Sets how many memberships a list of profiles may have.
    pub fn set_profiles_cap(&self, memberships: usize) {
        self.shared.lock().options.profiles_cap = memberships;
    }

    /// Sets the base URL in tokens' `iss`.
    pub fn set_issuer_base(&self, base: &str) {
        self.shared.lock().options.issuer_base = Some(base.to_owned());
    }

    /// Replaces the server by an older or a newer one.
    pub fn set_age(&self, age: Age) {
        self.shared.lock().options.age = age;
    }

    /// Deletes the project or its branch at the service, or puts back what was deleted.
    pub fn set_gone(&self, gone: Option<Gone>) {
        self.shared.lock().gone = gone;
    }

    /// Lets all links by which the project can be claimed become an hour older: they expire.
    pub fn expire_transfer_links(&self) {
        self.shared.lock().transfers.expire();
    }

    /// Signs somebody up and answers the user object.
    pub fn sign_up(&self, new: NewUser) -> Value {
        self.shared.lock().sign_up(new)
    }

    /// Lets everybody who signs up from now on get a team, or not.
    pub fn give_personal_teams(&self, on: bool) {
        self.shared.lock().options.personal_teams = on;
    }

    /// Lets everybody who signs up from now on be granted these permissions in
    /// the project, in place of earlier ones.
    pub fn grant_at_sign_up(&self, ids: &[&str]) {
        self.shared.lock().permissions.set_sign_up(ids);
    }

    /// Lets events be lost or doubled from now on; `None` ends it.
    pub fn set_mishaps(&self, mishaps: Option<Mishaps>) {
        self.shared.lock().outbox.mishaps = mishaps;
    }

    /// Signs up that many users at once, each with a personal team and as
    /// its admin where `with_teams` says so. No webhook reports them.
    #[track_caller]
    pub fn populate(&self, users: u64, with_teams: bool) {
        self.populate_teams(users, with_teams, &[]);
    }

    /// The same, and for each of `shared_teams` a team of the first so many of them.
    #[track_caller]
    pub fn populate_teams(&self, users: u64, with_teams: bool, shared_teams: &[u64]) {
        let shared_teams = shared_teams.to_vec();
        known(self.shared.lock().populate(Asked {
            users,
            with_teams,
            shared_teams,
        }));
    }

    /// Lays an object of changes over a user object and answers the result.
    #[track_caller]
    pub fn update_user(&self, user_id: Uuid, changes: Value) -> Value {
        known(self.shared.lock().update_user(user_id, object(changes)))
    }

    #[track_caller]
    pub fn delete_user(&self, user_id: Uuid) {
        known(self.shared.lock().delete_user(user_id));
    }

    /// Stores a user object exactly as it is, whatever it lacks.
    #[track_caller]
    pub fn put_raw_user(&self, user_id: Uuid, user: Value) {
        self.shared.lock().put_raw_user(user_id, object(user));
    }

    /// Creates a team and answers the team object.
    #[track_caller]
    pub fn create_team(&self, new: NewTeam) -> Value {
        known(self.shared.lock().create_team(new))
    }

    /// Lays an object of changes over a team object and answers the result.
    #[track_caller]
    pub fn update_team(&self, team_id: Uuid, changes: Value) -> Value {
        known(self.shared.lock().update_team(team_id, object(changes)))
    }

    #[track_caller]
    pub fn delete_team(&self, team_id: Uuid) {
        known(self.shared.lock().delete_team(team_id));
    }

    #[track_caller]
    pub fn join_team(&self, membership: Membership) {
        known(self.shared.lock().join_team(membership));
    }

    #[track_caller]
    pub fn leave_team(&self, membership: Membership) {
        known(self.shared.lock().leave_team(membership));
    }

    #[track_caller]
    pub fn grant(&self, grant: Grant) {
        known(self.shared.lock().grant(grant));
    }

    #[track_caller]
    pub fn revoke(&self, grant: &Grant) {
        known(self.shared.lock().revoke(grant));
    }

    pub fn define_permission(&self, definition: Definition) {
        self.shared.lock().permissions.define(definition);
    }

    /// Deletes a definition as the API does: with its grants, and out of the definitions that
    /// contained it. No webhook reports any of it.
    #[track_caller]
    pub fn undefine_permission(&self, scope: Scope, id: &str) {
        known(self.shared.lock().permissions.undefine(scope, id));
    }

    /// Pushes a configuration that lacks a definition: grants of it stay and mean nothing.
    #[track_caller]
    pub fn push_without_permission(&self, scope: Scope, id: &str) {
        known(self.shared.lock().permissions.forget(scope, id));
    }

    /// Everything that the REST API would show now, past all faults and holds.
    pub fn everything(&self) -> Everything {
        let state = self.shared.lock();
        let held = |holders: Vec<Holder>, recursive| {
            let held = |holder| state.permissions.held(holder, recursive);
            holders.into_iter().flat_map(held).collect()
        };
        Everything {
            users: state
                .users
                .list(None, false)
                .map(|user| state.read_user(user))
                .collect(),
            teams: state
                .teams
                .list(None)
                .into_iter()
                .filter_map(|id| state.teams.get(id))
                .collect(),
            memberships: state.teams.memberships(None, None),
            direct_team_permissions: held(state.team_holders(None, None), false),
            team_permissions: held(state.team_holders(None, None), true),
            direct_project_permissions: held(state.project_holders(None), false),
            project_permissions: held(state.project_holders(None), true),
        }
    }

    /// Lets every request to an endpoint meet a fault.
    pub fn set_fault(&self, endpoint: Endpoint, fault: Fault) {
        self.shared.lock().faults.set(endpoint, fault, 0, None);
    }

    /// Lets the next requests to an endpoint meet a fault.
    pub fn set_fault_times(&self, endpoint: Endpoint, fault: Fault, times: u32) {
        let faults = &mut self.shared.lock().faults;
        faults.set(endpoint, fault, 0, Some(times));
    }

    /// Lets the next `after` requests to an endpoint pass, and those after
    /// them meet a fault: so many, or all where `times` is not given.
    pub fn set_fault_after(
        &self,
        endpoint: Endpoint,
        after: u32,
        fault: Fault,
        times: Option<u32>,
    ) {
        let faults = &mut self.shared.lock().faults;
        faults.set(endpoint, fault, after, times);
    }

    /// Lets every request to every endpoint fail with 500, from the one on
    /// that comes to this endpoint after so many others.
    pub fn begin_outage(&self, endpoint: Endpoint, after: u32) {
        // The count includes the first request that fails.
        let faults = &mut self.shared.lock().faults;
        faults.set_outage(endpoint, after + 1);
    }

    pub fn end_outage(&self) {
        self.shared.lock().faults.end_outage();
    }

    /// Poisons a user or a team: every answer that contains it, a list or the
    /// object itself, becomes a 500.
    pub fn poison(&self, id: Uuid) {
        self.shared.lock().poisoned.insert(id);
    }

    pub fn cure(&self, id: Uuid) {
        self.shared.lock().poisoned.remove(&id);
    }

    /// Lets an endpoint answer as it should again.
    pub fn clear_fault(&self, endpoint: Endpoint) {
        self.shared.lock().faults.clear(endpoint);
    }

    /// Holds all requests to an endpoint but the next `after`: they wait,
    /// logged but otherwise unseen, and are then answered from what is the
    /// case by that time. Whatever an earlier hold of this endpoint holds
    /// goes on.
    pub fn hold(&self, endpoint: Endpoint, after: u32) {
        self.shared.lock().holds.set(endpoint, after);
    }

    /// Waits until a request to an endpoint is held.
    #[track_caller]
    pub fn wait_until_held(&self, endpoint: Endpoint) {
        let holds = self.shared.lock().holds.clone();
        let runtime = self.runtime.as_ref().map(Runtime::handle);
        // A thread may not wait for a runtime from within another one.
        let held = thread::scope(|scope| {
            let waiting = scope.spawn(|| runtime?.block_on(holds.wait(endpoint)).then_some(()));
            waiting.join().unwrap_or_default()
        });
        assert!(held.is_some(), "no request to {endpoint:?} is held");
    }

    /// Whether a request to an endpoint is held now.
    pub fn is_held(&self, endpoint: Endpoint) -> bool {
        self.shared.lock().holds.is_held(endpoint)
    }

    /// Lets an endpoint's requests go on.
    pub fn release(&self, endpoint: Endpoint) {
        self.shared.lock().holds.release(endpoint);
    }

    /// The webhooks' messages so far, the oldest first, delivered or not.
    pub fn messages(&self) -> Vec<Message> {
        self.messages_after(0)
    }

    /// The messages after the oldest `count`.
    pub fn messages_after(&self, count: usize) -> Vec<Message> {
        let state = self.shared.lock();
        state.outbox.messages().skip(count).cloned().collect()
    }

    /// The types of the events that became no message, the oldest first.
    pub fn lost_events(&self) -> Vec<&'static str> {
        self.shared.lock().outbox.lost.clone()
    }

    /// A message as it is signed now.
    #[track_caller]
    pub fn delivery(&self, message_id: &str) -> Delivery {
        let delivery = self.shared.lock().delivery(message_id);
        delivery.unwrap_or_else(|| panic!("no message {message_id}"))
    }

    /// How many requests there were whose path begins with `path_prefix`.
    pub fn requests(&self, path_prefix: &str) -> usize {
        self.shared.lock().requests.with_prefix(path_prefix).count()
    }

    /// Those requests, the oldest first.
    pub fn received(&self, path_prefix: &str) -> Vec<Received> {
        let state = self.shared.lock();
        state.requests.with_prefix(path_prefix).cloned().collect()
    }

    /// Forgets all requests so far.
    pub fn forget_requests(&self) {
        self.shared.lock().requests.clear();
    }

    /// Refreshes the tokens of every `nth` user, which only moves their `last_active_at_millis`;
    /// answers how many those are.
    pub fn refresh_tokens(&self, nth: NonZeroUsize) -> usize {
        self.shared.lock().refresh_tokens(nth)
    }

    /// A token as the service would give it to this user now, which moves the user's
    /// `last_active_at_millis`.
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

    /// The same after `rewrite` has had its way with the JSON text of the claims.
    #[track_caller]
    pub fn token_written(&self, user_id: Uuid, rewrite: impl FnOnce(String) -> String) -> String {
        let mut state = self.shared.lock();
        known(state.token_written(user_id, |_, _| (), rewrite))
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
fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}

#[track_caller]
fn known<T>(answer: Result<T, KnownError>) -> T {
    answer.unwrap_or_else(|error| panic!("{}: {}", error.code, error.message))
}
