//! Teams and who is in them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::error::KnownError;

/// A team to be created.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct NewTeam {
    /// Derived from the seed where it is not given.
    pub id: Option<Uuid>,
    pub display_name: String,
    /// Becomes the team's first member, and its admin.
    pub creator_user_id: Option<Uuid>,
    /// Any other member of the team object, laid over the defaults.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl NewTeam {
    pub fn named(display_name: &str) -> Self {
        Self {
            display_name: display_name.to_owned(),
            ..Self::default()
        }
    }
}

/// Who belongs to which team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Membership {
    pub team_id: Uuid,
    pub user_id: Uuid,
}

/// All teams and memberships, each listed in the order of its creation.
#[derive(Default)]
pub struct Teams {
    teams: BTreeMap<Uuid, Team>,
    /// With the place of each in the order of creation.
    members: BTreeMap<Membership, u64>,
    created: u64,
}

struct Team {
    /// The place in the order of creation.
    number: u64,
    object: Map<String, Value>,
}

impl Teams {
    pub fn create(&mut self, id: Uuid, new: NewTeam, now_millis: i64) -> Value {
        let mut object = Map::from_iter(
            [
                ("id", json!(id)),
                ("display_name", json!(new.display_name)),
                ("profile_image_url", Value::Null),
                ("created_at_millis", json!(now_millis)),
                ("client_metadata", Value::Null),
                ("client_read_only_metadata", Value::Null),
                ("server_metadata", Value::Null),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        object.extend(new.other);
        let answer = json!(object);
        let number = self.next_number();
        self.teams.insert(id, Team { number, object });
        answer
    }

    /// Lays `changes` over the object; its id stays.
    pub fn update(&mut self, id: Uuid, changes: Map<String, Value>) -> Result<Value, KnownError> {
        let team = self
            .teams
            .get_mut(&id)
            .ok_or_else(KnownError::team_not_found)?;
        team.object.extend(changes);
        team.object.insert("id".to_owned(), json!(id));
        Ok(json!(team.object))
    }

    pub fn delete(&mut self, id: Uuid) -> Result<(), KnownError> {
        self.teams
            .remove(&id)
            .ok_or_else(KnownError::team_not_found)?;
        self.members
            .retain(|membership, _| membership.team_id != id);
        Ok(())
    }

    pub fn get(&self, id: Uuid) -> Option<Value> {
        self.teams.get(&id).map(|team| json!(team.object))
    }

    pub fn list(&self) -> Vec<Value> {
        let mut teams: Vec<_> = self.teams.values().collect();
        teams.sort_by_key(|team| team.number);
        teams.iter().map(|team| json!(team.object)).collect()
    }

    /// Adds a member to a team that exists; answers whether that is news.
    pub fn join(&mut self, membership: Membership) -> Result<bool, KnownError> {
        if !self.teams.contains_key(&membership.team_id) {
            return Err(KnownError::team_not_found());
        }
        let news = !self.is_member(&membership);
        if news {
            let number = self.next_number();
            self.members.insert(membership, number);
        }
        Ok(news)
    }

    pub fn leave(&mut self, membership: &Membership) -> Result<(), KnownError> {
        self.members
            .remove(membership)
            .map(drop)
            .ok_or_else(KnownError::membership_not_found)
    }

    /// Takes a user out of every team, and answers which those were.
    pub fn leave_all(&mut self, user_id: Uuid) -> Vec<Membership> {
        let mut left = self.memberships();
        left.retain(|membership| membership.user_id == user_id);
        for membership in &left {
            self.members.remove(membership);
        }
        left
    }

    pub fn is_member(&self, membership: &Membership) -> bool {
        self.members.contains_key(membership)
    }

    pub fn memberships(&self) -> Vec<Membership> {
        let mut members: Vec<_> = self.members.iter().collect();
        members.sort_by_key(|(_, number)| **number);
        members
            .into_iter()
            .map(|(membership, _)| *membership)
            .collect()
    }

    fn next_number(&mut self) -> u64 {
        self.created += 1;
        self.created
    }
}
