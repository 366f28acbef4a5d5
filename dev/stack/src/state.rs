//! Everything the service knows, behind one lock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::Options;
use crate::credentials::Credentials;
use crate::derive;
use crate::error::KnownError;
use crate::faults::Faults;
use crate::keys::KeySet;
use crate::permissions::{Grant, Permissions, TEAM_ADMIN, TEAM_MEMBER};
use crate::requests::RequestLog;
use crate::teams::{Membership, NewTeam, Teams};
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
    /// Where the service itself is.
    pub base_url: String,
    pub keys: KeySet,
    pub faults: Faults,
    pub requests: RequestLog,
    pub teams: Teams,
    pub permissions: Permissions,
    rotations: u32,
    next_id: u64,
    users: BTreeMap<Uuid, User>,
    by_sign_up: BTreeSet<(i64, Uuid)>,
}

impl State {
    pub fn new(options: Options, base_url: &str) -> Self {
        Self {
            credentials: Credentials::derive(&options.seed, &options.project_id),
            base_url: base_url.to_owned(),
            keys: KeySet::derive(&options.seed, &options.project_id),
            faults: Faults::default(),
            requests: RequestLog::default(),
            teams: Teams::default(),
            permissions: Permissions::default(),
            rotations: 0,
            next_id: 0,
            users: BTreeMap::new(),
            by_sign_up: BTreeSet::new(),
            options,
        }
    }

    /// The base URL in tokens' `iss`.
    fn issuer_base(&self) -> &str {
        self.options
            .issuer_base
            .as_deref()
            .unwrap_or(&self.base_url)
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
        self.teams.leave_all(id);
        self.permissions.revoke_all(|grant| grant.user_id == id);
        Ok(())
    }

    pub fn create_team(&mut self, new: NewTeam) -> Result<Value, KnownError> {
        let id = new.id.unwrap_or_else(|| self.fresh_id());
        let creator = new.creator_user_id;
        if let Some(creator) = creator {
            self.user(creator)?;
        }
        let team = self.teams.create(id, new, now_millis());
        if let Some(user_id) = creator {
            let team_id = id;
            self.add_member(Membership { team_id, user_id }, TEAM_ADMIN)?;
        }
        Ok(team)
    }

    /// Deletes a team, its memberships and the permissions in it; whoever had
    /// it selected has none selected any more.
    pub fn delete_team(&mut self, id: Uuid) -> Result<(), KnownError> {
        self.teams.delete(id)?;
        self.permissions
            .revoke_all(|grant| grant.team_id == Some(id));
        for user in self.users.values_mut() {
            user.deselect_team(id);
        }
        Ok(())
    }

    /// Adds a user to a team, with the permission that every member has.
    pub fn join_team(&mut self, membership: Membership) -> Result<(), KnownError> {
        self.user(membership.user_id)?;
        self.add_member(membership, TEAM_MEMBER)
    }

    fn add_member(&mut self, membership: Membership, permission: &str) -> Result<(), KnownError> {
        if self.teams.join(membership)? {
            self.permissions.grant_default(Grant {
                team_id: Some(membership.team_id),
                user_id: membership.user_id,
                id: permission.to_owned(),
            });
        }
        Ok(())
    }

    /// Takes a user out of a team, and with it the permissions there.
    pub fn leave_team(&mut self, membership: Membership) -> Result<(), KnownError> {
        let Membership { team_id, user_id } = membership;
        self.teams.leave(&membership)?;
        self.permissions
            .revoke_all(|grant| grant.team_id == Some(team_id) && grant.user_id == user_id);
        if let Some(user) = self.users.get_mut(&user_id) {
            user.deselect_team(team_id);
        }
        Ok(())
    }

    /// Grants a permission to a user, who is a member where it is a team's.
    pub fn grant(&mut self, grant: Grant) -> Result<(), KnownError> {
        let user_id = grant.user_id;
        self.user(user_id)?;
        if let Some(team_id) = grant.team_id
            && !self.teams.is_member(&Membership { team_id, user_id })
        {
            return Err(KnownError::membership_not_found());
        }
        self.permissions.grant(grant)
    }

    pub fn user(&self, id: Uuid) -> Result<&User, KnownError> {
        self.users.get(&id).ok_or_else(KnownError::user_not_found)
    }

    /// All users in the order in which they signed up.
    pub fn users(&self) -> impl DoubleEndedIterator<Item = &User> {
        self.by_sign_up.iter().map(|(_, id)| &self.users[id])
    }

    /// The user object as a client reads it, with the selected team in it.
    pub fn read_user(&self, user: &User) -> Value {
        let mut object = user.object.clone();
        if let Some(selected) = object.get_mut("selected_team") {
            *selected = user
                .selected_team_id()
                .and_then(|id| self.teams.get(id))
                .unwrap_or_default();
        }
        Value::Object(object)
    }

    /// A membership as the service lists it: with the user in it.
    pub fn read_membership(&self, membership: &Membership) -> Option<Value> {
        let user = self.users.get(&membership.user_id)?;
        Some(json!({
            "team_id": membership.team_id,
            "user_id": membership.user_id,
            "display_name": user.object.get("display_name"),
            "profile_image_url": user.object.get("profile_image_url"),
            "user": self.read_user(user),
        }))
    }

    /// Stores a user object as it is, whatever it lacks: old rows do.
    pub fn put_raw_user(&mut self, id: Uuid, object: Map<String, Value>) {
        self.put_user(User { id, object });
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
            self.issuer_base(),
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
