//! A database that trusts a Stack Auth service of its own.

use neon_auth_stack::{Endpoint, Fault, NewUser, Options, Simulator};
use serde_json::{Map, Value};

use crate::database::Database;
use crate::server::Server;
use crate::session::Session;

/// A database, and the service that it is configured for. No keys have been fetched yet.
pub struct World {
    pub database: Database,
    pub stack: Simulator,
}

impl World {
    pub fn new() -> Self {
        Self::in_server(Server::shared())
    }

    pub fn in_server(server: Server) -> Self {
        Self::with_users(server, 0)
    }

    /// A world in which so many have signed up before the database was configured for it.
    pub fn with_users(server: Server, users: u64) -> Self {
        let world = Self {
            database: Database::create_in(server),
            stack: Simulator::start(Options::default()).expect("a port is free"),
        };
        // Five attempts of a request would otherwise wait for some seconds.
        world.database.set("neon_auth.api_retry_delay", "10ms");
        world.stack.populate(users, true);
        world.configure(&mut world.superuser());
        world
    }

    /// A world whose keys are in the cache.
    pub fn with_keys() -> Self {
        let world = Self::new();
        world.fetch_keys();
        world
    }

    /// Fetches the keys, whatever is there and however long ago.
    #[track_caller]
    pub fn fetch_keys(&self) {
        self.superuser().run("SELECT neon_auth.refresh_jwks()");
        self.stack.forget_requests();
    }

    /// Hands over what the Neon console answers for this service.
    #[track_caller]
    pub fn configure(&self, session: &mut Session) {
        let keys = self.stack.keys_response().to_string();
        session
            .execute("SELECT neon_auth.configure($1::text::jsonb)", &[&keys])
            .expect("configure takes the console's answer");
    }

    #[track_caller]
    pub fn superuser(&self) -> Session {
        self.database.superuser()
    }

    #[track_caller]
    pub fn app(&self) -> Session {
        self.database.app()
    }

    /// Signs somebody up and answers the id.
    pub fn sign_up(&self, name: &str) -> String {
        let email = format!("{name}@example.com");
        let user = self.stack.sign_up(NewUser::named(name, &email));
        user["id"].as_str().expect("an id is a string").to_owned()
    }

    /// A token of somebody new.
    pub fn token(&self) -> String {
        self.token_of(&self.sign_up("somebody"))
    }

    pub fn token_of(&self, user: &str) -> String {
        self.token_with(user, |_, _| ())
    }

    /// The same after `alter(claims, header)`, signed as ever.
    pub fn token_with(
        &self,
        user: &str,
        alter: impl FnOnce(&mut Map<String, Value>, &mut Map<String, Value>),
    ) -> String {
        let id = user.parse().expect("the simulator's ids are UUIDs");
        self.stack.token_with(id, alter)
    }

    /// A token that expires so many seconds after it was issued.
    pub fn token_for(&self, user: &str, seconds: i64) -> String {
        self.token_with(user, |claims, _| {
            let issued = claims["iat"].as_i64().expect("iat is a number");
            claims.insert("exp".to_owned(), (issued + seconds).into());
        })
    }

    /// A token with further members in front of the claims, as JSON text such as `"n":1.50`, which
    /// stays as it is written.
    pub fn token_written(&self, user: &str, members: &str) -> String {
        let id = user.parse().expect("the simulator's ids are UUIDs");
        self.stack
            .token_written(id, |claims| format!("{{{members},{}", &claims[1..]))
    }

    /// A token that is refused for its signature, without another look at the key server.
    pub fn forged_token(&self) -> String {
        let honest = self.token();
        let (rest, signature) = honest.rsplit_once('.').expect("a token has dots");
        let first = if signature.starts_with('A') { 'B' } else { 'A' };
        format!("{rest}.{first}{}", &signature[1..])
    }

    /// Lets the key server meet a fault from now on.
    pub fn break_key_server(&self, fault: Fault) {
        self.stack.set_fault(Endpoint::Jwks, fault);
    }

    pub fn mend_key_server(&self) {
        self.stack.clear_fault(Endpoint::Jwks);
    }

    /// How often the key server has been asked.
    pub fn fetches(&self) -> usize {
        let projects = format!("/api/v1/projects/{}/", self.stack.project_id());
        self.stack.requests(&projects)
    }

    /// An expression over the row of `neon_auth.jwks_cache`.
    #[track_caller]
    pub fn cached(&self, expression: &str) -> Option<String> {
        let query = format!("SELECT ({expression})::text FROM neon_auth.jwks_cache");
        self.superuser().value(&query, &[])
    }

    /// Lets the last attempts to fetch have been made long ago.
    #[track_caller]
    pub fn end_cooldown(&self) {
        self.superuser().run(
            "UPDATE neon_auth.jwks_cache
                SET attempted_at = attempted_at - interval '1 hour',
                    missed_at = missed_at - interval '1 hour'",
        );
    }

    /// Lets the cached keys have run out so many seconds ago, and the cooldown be over.
    #[track_caller]
    pub fn outdate_keys(&self, seconds: u32) {
        self.superuser().run(&format!(
            "UPDATE neon_auth.jwks_cache
                SET fetched_at = now() - interval '1 day', attempted_at = now() - interval '1 day',
                    missed_at = NULL,
                    fresh_until = now() - interval '{seconds} s'"
        ));
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}
