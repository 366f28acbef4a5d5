//! Everything the service knows, behind one lock.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value, json};
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::Options;
use crate::age::Gone;
use crate::answers::Answers;
use crate::clock::now_millis;
use crate::credentials::Credentials;
use crate::derive;
use crate::directory::Directory;
use crate::error::KnownError;
use crate::faults::Faults;
use crate::holds::Holds;
use crate::keys::KeySet;
use crate::permissions::{Grant, Holder, Permissions, TEAM_ADMIN, TEAM_MEMBER};
use crate::population::{self, Asked, MAX_PEOPLE, Person};
use crate::requests::RequestLog;
use crate::roster::Teams;
use crate::teams::{Membership, NewTeam};
use crate::tokens::{self, Subject};
use crate::transfers::Transfers;
use crate::users::{NewUser, PERSONAL_TEAM, User};
use crate::webhooks::{Delivery, Outbox};

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
    pub answers: Answers,
    pub holds: Holds,
    /// Users and teams that the service cannot return.
    pub poisoned: BTreeSet<Uuid>,
    pub requests: RequestLog,
    pub teams: Teams,
    pub permissions: Permissions,
    pub outbox: Outbox,
    /// What was deleted at the service, if anything was.
    pub gone: Option<Gone>,
    pub transfers: Transfers,
    rotations: u32,
    next_id: u64,
    people: u32,
    pub users: Directory,
}

impl State {
    /// A new project; the ids of its webhooks' messages go to `deliveries`.
    pub fn new(options: Options, base_url: &str, deliveries: UnboundedSender<String>) -> Self {
        let run = format!("{base_url} {}", now_millis());
        Self {
            outbox: Outbox::new(run, options.webhook_url.clone(), deliveries),
            credentials: Credentials::derive(&options.seed, &options.project_id),
            base_url: base_url.to_owned(),
            keys: KeySet::derive(&options.seed, &options.project_id),
            faults: Faults::default(),
            answers: Answers::default(),
            holds: Holds::default(),
            poisoned: BTreeSet::new(),
            requests: RequestLog::default(),
            teams: Teams::default(),
            permissions: Permissions::default(),
            gone: None,
            transfers: Transfers::new(&options.seed),
            rotations: 0,
            next_id: 0,
            people: 0,
            users: Directory::default(),
            options,
        }
    }

    /// The base URL in tokens' `iss`: without the path below which the service is.
    fn issuer_base(&self) -> &str {
        let prefix = self.options.path_prefix.as_deref().unwrap_or_default();
        let own = self.base_url.strip_suffix(prefix);
        self.options
            .issuer_base
            .as_deref()
            .or(own)
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

    /// Signs somebody up. The event tells neither of the permissions that are
    /// granted by default, nor of the personal team, which is created later
    /// and whose own event is sent first.
    pub fn sign_up(&mut self, new: NewUser) -> Value {
        let id = new.id.unwrap_or_else(|| self.fresh_id());
        let required = self.options.require_verified_email;
        let user = User::sign_up(new, id, now_millis(), required);
        let answer = self.read_user(Cow::Borrowed(&user));
        self.permissions.sign_up(id);
        self.users.put(user.clone());
        if self.options.personal_teams {
            self.give_personal_team(user);
        }
        self.outbox.send("user.created", &answer);
        answer
    }

    /// Creates a user's personal team, and selects it.
    fn give_personal_team(&mut self, mut user: User) {
        let team = NewTeam {
            creator_user_id: Some(user.id),
            ..NewTeam::named(&user.personal_team_name())
        };
        let team = self.create_team(team).expect("its creator exists");
        user.object
            .insert("selected_team_id".to_owned(), team["id"].clone());
        self.users.put(user);
    }

    pub fn update_user(
        &mut self,
        id: Uuid,
        changes: Map<String, Value>,
    ) -> Result<Value, KnownError> {
        let mut user = self.user(id)?.into_owned();
        let was_anonymous = user.is_anonymous();
        let keeps_place = changes.contains_key("signed_up_at_millis");
        user.update(changes, self.options.require_verified_email);
        if was_anonymous && !user.is_anonymous() {
            if !keeps_place {
                user.sign_up_at(now_millis());
            }
            self.rename_personal_teams(&user);
        }
        let answer = self.read_user(Cow::Borrowed(&user));
        self.users.put(user);
        self.outbox.send("user.updated", &answer);
        Ok(answer)
    }

    /// Names the personal teams of somebody who was anonymous; no event tells
    /// of it.
    fn rename_personal_teams(&mut self, user: &User) {
        let name = json!(user.personal_team_name());
        for Membership { team_id, .. } in self.teams.memberships(None, Some(user.id)) {
            let team = self.teams.get(team_id).unwrap_or_default();
            if team["display_name"] == PERSONAL_TEAM {
                let changes = Map::from_iter([("display_name".to_owned(), name.clone())]);
                self.teams
                    .update(team_id, changes)
                    .expect("the team exists");
            }
        }
    }

    pub fn delete_user(&mut self, id: Uuid) -> Result<(), KnownError> {
        if !self.users.remove(id) {
            return Err(KnownError::user_not_found());
        }
        self.permissions.revoke_all(Holder {
            team_id: None,
            user_id: id,
        });
        let left = self.teams.leave_all(id);
        for membership in &left {
            self.permissions.revoke_all(membership.holder());
            self.outbox
                .send("team_membership.deleted", &json!(membership));
        }
        let teams: Vec<Value> = left
            .iter()
            .map(|membership| json!({ "id": membership.team_id }))
            .collect();
        self.outbox
            .send("user.deleted", &json!({ "id": id, "teams": teams }));
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
            let membership = Membership { team_id, user_id };
            self.teams.join(membership)?;
            self.grant_default(membership, TEAM_ADMIN);
        }
        self.outbox.send("team.created", &team);
        Ok(team)
    }

    pub fn update_team(
        &mut self,
        id: Uuid,
        changes: Map<String, Value>,
    ) -> Result<Value, KnownError> {
        let team = self.teams.update(id, changes)?;
        self.outbox.send("team.updated", &team);
        Ok(team)
    }

    /// Deletes a team, its memberships and the permissions in it; whoever had
    /// it selected has none selected any more.
    pub fn delete_team(&mut self, id: Uuid) -> Result<(), KnownError> {
        for membership in self.teams.delete(id)? {
            self.permissions.revoke_all(membership.holder());
            self.users.deselect_team(membership.user_id, id);
        }
        self.users.deselect_team_everywhere(id);
        self.outbox.send("team.deleted", &json!({ "id": id }));
        Ok(())
    }

    /// Adds a user to a team, with the permission that every member has.
    pub fn join_team(&mut self, membership: Membership) -> Result<(), KnownError> {
        self.user(membership.user_id)?;
        if self.teams.join(membership)? {
            self.outbox
                .send("team_membership.created", &json!(membership));
            if let Some(grant) = self.grant_default(membership, TEAM_MEMBER) {
                self.outbox.send(grant.created_event(), &json!(grant));
            }
        }
        Ok(())
    }

    /// Grants a member what the project grants by default, and answers it.
    fn grant_default(&mut self, membership: Membership, permission: &str) -> Option<Grant> {
        let grant = Grant {
            team_id: Some(membership.team_id),
            user_id: membership.user_id,
            id: permission.to_owned(),
        };
        self.permissions.grant(grant.clone()).ok().map(|()| grant)
    }

    /// Takes a user out of a team, and with it the permissions there.
    pub fn leave_team(&mut self, membership: Membership) -> Result<(), KnownError> {
        let Membership { team_id, user_id } = membership;
        self.teams.leave(&membership)?;
        self.permissions.revoke_all(membership.holder());
        self.users.deselect_team(user_id, team_id);
        self.outbox
            .send("team_membership.deleted", &json!(membership));
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
        let (event, data) = (grant.created_event(), json!(grant));
        self.permissions.grant(grant)?;
        self.outbox.send(event, &data);
        Ok(())
    }

    pub fn revoke(&mut self, grant: &Grant) -> Result<(), KnownError> {
        self.permissions.revoke(grant)?;
        self.outbox.send(grant.deleted_event(), &json!(grant));
        Ok(())
    }

    /// Who holds permissions in a team or in any, or what a user may hold.
    pub fn team_holders(&self, team_id: Option<Uuid>, user_id: Option<Uuid>) -> Vec<Holder> {
        if user_id.is_none() {
            return self.permissions.team_holders(team_id);
        }
        let mut memberships = self.teams.memberships(team_id, user_id);
        memberships.sort_unstable();
        memberships.iter().map(Membership::holder).collect()
    }

    /// The same in the project.
    pub fn project_holders(&self, user_id: Option<Uuid>) -> Vec<Holder> {
        let team_id = None;
        match user_id {
            Some(user_id) => vec![Holder { team_id, user_id }],
            None => self.permissions.project_holders(),
        }
    }

    /// Refuses a team, or else a user, that is not there.
    pub fn check_present(
        &self,
        team_id: Option<Uuid>,
        user_id: Option<Uuid>,
    ) -> Result<(), KnownError> {
        if team_id.is_some_and(|id| self.teams.get(id).is_none()) {
            return Err(KnownError::team_not_found());
        }
        user_id.map_or(Ok(()), |id| self.user(id).map(drop))
    }

    pub fn user(&self, id: Uuid) -> Result<Cow<'_, User>, KnownError> {
        self.users.get(id).ok_or_else(KnownError::user_not_found)
    }

    /// Signs up so many people at once, each with a personal team where that
    /// is asked for. No message reports it.
    pub fn populate(&mut self, asked: Asked) -> Result<(), KnownError> {
        let first = self.people;
        let last = u32::try_from(asked.users)
            .ok()
            .and_then(|users| first.checked_add(users))
            .filter(|last| *last <= MAX_PEOPLE)
            .ok_or_else(|| KnownError::schema(format!("users: there can be {MAX_PEOPLE}")))?;
        self.people = last;
        let people = population::people(&self.options.seed, first, last, asked.with_teams);
        self.users.populate(&people);
        if asked.with_teams {
            let memberships = self.teams.populate(&people);
            let holders = memberships.iter().map(Membership::holder);
            self.permissions.grant_to_all(TEAM_ADMIN, holders);
        }
        for members in asked.shared_teams {
            self.create_shared_team(&people, members)?;
        }
        Ok(())
    }

    /// A team of the first so many of a population, with the permission that every member has.
    fn create_shared_team(
        &mut self,
        people: &[(Uuid, Person)],
        members: u64,
    ) -> Result<(), KnownError> {
        let team_id = self.fresh_id();
        let first = people.iter().map(|(_, person)| person.number).min();
        let is_member =
            |person: &Person| first.is_some_and(|first| u64::from(person.number - first) < members);
        let members = people.iter().filter(|(_, person)| is_member(person));
        let memberships: Vec<Membership> = members
            .map(|(user_id, _)| Membership {
                team_id,
                user_id: *user_id,
            })
            .collect();
        let name = format!("Team of {}", memberships.len());
        self.teams
            .create(team_id, NewTeam::named(&name), now_millis());
        for membership in &memberships {
            self.teams.join(*membership)?;
        }
        let holders = memberships.iter().map(Membership::holder);
        self.permissions.grant_to_all(TEAM_MEMBER, holders);
        Ok(())
    }

    /// The user object as a client reads it, with the selected team in it.
    pub fn read_user(&self, user: Cow<'_, User>) -> Value {
        let team = user.selected_team_id().and_then(|id| self.teams.get(id));
        let mut object = user.into_owned().object;
        if let Some(selected) = object.get_mut("selected_team") {
            *selected = team.unwrap_or_default();
        }
        Value::Object(object)
    }

    /// The user object in a list of users, where the order of `oauth_providers` is another one: the
    /// service orders them nowhere.
    pub fn list_user(&self, user: Cow<'_, User>) -> Value {
        let mut object = self.read_user(user);
        if let Some(Value::Array(providers)) = object.get_mut("oauth_providers") {
            providers.reverse();
        }
        object
    }

    /// A membership as the service lists it: with the user in it.
    pub fn read_membership(&self, membership: &Membership) -> Option<Value> {
        let user = self.users.get(membership.user_id)?;
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
        self.users.put(User { id, object });
    }

    /// Notes that a user is active: each refresh of a token does, and no message reports it.
    fn note_activity(&mut self, user: &User) {
        let mut user = user.clone();
        let now = json!(now_millis());
        user.object.insert("last_active_at_millis".to_owned(), now);
        self.users.put(user);
    }

    /// Refreshes the tokens of every `nth` user, in the order in which they signed up; answers how
    /// many those are.
    pub fn refresh_tokens(&mut self, nth: NonZeroUsize) -> usize {
        let users = self.users.list(None, false).step_by(nth.get());
        let active: Vec<_> = users.map(Cow::into_owned).collect();
        for user in &active {
            self.note_activity(user);
        }
        active.len()
    }

    /// A user's access token, after `alter` has had its way with claims and
    /// header. Giving it is activity of the user.
    pub fn token(
        &mut self,
        user_id: Uuid,
        alter: impl FnOnce(&mut Map<String, Value>, &mut Map<String, Value>),
    ) -> Result<String, KnownError> {
        self.token_written(user_id, alter, |claims| claims)
    }

    /// The same after `rewrite` has had its way with the JSON text of the claims, too.
    pub fn token_written(
        &mut self,
        user_id: Uuid,
        alter: impl FnOnce(&mut Map<String, Value>, &mut Map<String, Value>),
        rewrite: impl FnOnce(String) -> String,
    ) -> Result<String, KnownError> {
        let user = self.user(user_id)?.into_owned();
        self.note_activity(&user);
        let subject = Subject::of_user(&user.object);
        let key = self.keys.signing(subject.audience());
        let mut claims = tokens::claims(
            &subject,
            self.issuer_base(),
            &self.options.project_id,
            now_millis().div_euclid(1000),
        );
        let mut header = tokens::header(key);
        alter(&mut claims, &mut header);
        let claims = rewrite(Value::Object(claims).to_string());
        Ok(tokens::encode_text(&header, &claims, key))
    }

    /// A message as it is signed now.
    pub fn delivery(&self, message_id: &str) -> Option<Delivery> {
        let message = self.outbox.find(message_id)?;
        let timestamp = now_millis().div_euclid(1000);
        let secret = &self.credentials.webhook_secret;
        Delivery::sign(secret, message_id, timestamp, &message.body)
    }
}
