//! Everything the service knows, behind one lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::Options;
use crate::credentials::Credentials;
use crate::derive;
use crate::error::KnownError;
use crate::keys::KeySet;
use crate::tokens::{self, Subject};
use crate::users::{NewUser, User};

/// The service's state as every handler shares it.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<State>>);

impl Shared {
    pub fn new(state: State) -> Self {
        Self(Arc::new(Mutex::new(state)))
    }

    /// The state, for the length of one request at most; a handler that
    /// panicked leaves it usable.
    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the service knows.
pub struct State {
    pub options: Options,
    pub credentials: Credentials,
    /// The base URL in tokens' `iss`.
    pub issuer_base: String,
    pub keys: KeySet,
    rotations: u32,
    next_id: u64,
    users: BTreeMap<Uuid, User>,
    by_sign_up: BTreeSet<(i64, Uuid)>,
}

impl State {
    pub fn new(options: Options, base_url: &str) -> Self {
        Self {
            credentials: Credentials::derive(&options.seed, &options.project_id),
            issuer_base: options
                .issuer_base
                .clone()
                .unwrap_or_else(|| base_url.to_owned()),
            keys: KeySet::derive(&options.seed, &options.project_id),
            rotations: 0,
            next_id: 0,
            users: BTreeMap::new(),
            by_sign_up: BTreeSet::new(),
            options,
        }
    }

    /// Gives the server a new secret, and with it six new keys.
    pub fn rotate_keys(&mut self) {
        self.rotations += 1;
        let secret = format!("{}, rotated {} times", self.options.seed, self.rotations);
        self.keys = KeySet::derive(&secret, &self.options.project_id);
    }

    /// A fresh id; the same seed and history give the same one.
    fn fresh_id(&mut self) -> Uuid {
        self.next_id += 1;
        derive::uuid(&["id", &self.options.seed, &self.next_id.to_string()])
    }

    pub fn sign_up(&mut self, new: NewUser) -> Value {
        let id = new.id.unwrap_or_else(|| self.fresh_id());
        let required = self.options.require_verified_email;
        self.put_user(User::sign_up(new, id, now_millis(), required));
        self.read_user(&self.users[&id])
    }

    pub fn update_user(
        &mut self,
        id: Uuid,
        changes: Map<String, Value>,
    ) -> Result<Value, KnownError> {
        let mut user = self.user(id)?.clone();
        user.update(changes, self.options.require_verified_email);
        let answer = self.read_user(&user);
        self.put_user(user);
        Ok(answer)
    }

    pub fn delete_user(&mut self, id: Uuid) -> Result<(), KnownError> {
        let user = self
            .users
            .remove(&id)
            .ok_or_else(KnownError::user_not_found)?;
        self.by_sign_up.remove(&(user.signed_up_at_millis(), id));
        Ok(())
    }

    pub fn user(&self, id: Uuid) -> Result<&User, KnownError> {
        self.users.get(&id).ok_or_else(KnownError::user_not_found)
    }

    /// All users in the order in which they signed up.
    pub fn users(&self) -> impl DoubleEndedIterator<Item = &User> {
        self.by_sign_up.iter().map(|(_, id)| &self.users[id])
    }

    /// The user object as a client reads it.
    pub fn read_user(&self, user: &User) -> Value {
        Value::Object(user.object.clone())
    }

    /// A user's access token, after `alter` has had its way with claims and
    /// header.
    pub fn token(
        &self,
        user_id: Uuid,
        alter: impl FnOnce(&mut Map<String, Value>, &mut Map<String, Value>),
    ) -> Result<String, KnownError> {
        let subject = Subject::of_user(&self.user(user_id)?.object);
        let key = self.keys.signing(subject.audience());
        let mut claims = tokens::claims(
            &subject,
            &self.issuer_base,
            &self.options.project_id,
            now_millis().div_euclid(1000),
        );
        let mut header = tokens::header(key);
        alter(&mut claims, &mut header);
        Ok(tokens::encode(&header, &claims, key))
    }

    fn put_user(&mut self, user: User) {
        let id = user.id;
        self.by_sign_up.insert((user.signed_up_at_millis(), id));
        let new = user.signed_up_at_millis();
        if let Some(old) = self.users.insert(id, user)
            && old.signed_up_at_millis() != new
        {
            self.by_sign_up.remove(&(old.signed_up_at_millis(), id));
        }
    }
}

/// The time in milliseconds since 1970.
pub fn now_millis() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|elapsed| i64::try_from(elapsed.as_millis()).ok())
        .unwrap_or_default()
}
