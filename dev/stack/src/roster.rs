//! Which teams there are and who is in them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::error::KnownError;
use crate::population::{self, Person};
use crate::teams::{Membership, NewTeam};

/// All teams and memberships, each listed in the order of its creation.
#[derive(Default)]
pub struct Teams {
    teams: BTreeMap<Uuid, Team>,
    /// With the place of each in the order of creation.
    members: BTreeMap<Membership, u64>,
    /// Users and their teams.
    by_user: BTreeSet<(Uuid, Uuid)>,
    created: u64,
}

struct Team {
    /// The place in the order of creation.
    number: u64,
    row: Row,
}

enum Row {
    Object(Box<Map<String, Value>>),
    /// Made anew whenever it is read, like its owner.
    Of(Person),
}

impl Team {
    fn object(&self, id: Uuid) -> Map<String, Value> {
        match &self.row {
            Row::Object(object) => (**object).clone(),
            Row::Of(person) => person.team().object(id, 0),
        }
    }
}

impl Teams {
    pub fn create(&mut self, id: Uuid, new: NewTeam, now_millis: i64) -> Value {
        let object = Box::new(new.object(id, now_millis));
        let answer = json!(object);
        let number = self.next_number();
        let row = Row::Object(object);
        self.teams.insert(id, Team { number, row });
        answer
    }

    /// Gives each of a population, who come by id, a team; answers the
    /// memberships. It all goes in by id, for the sake of speed.
    pub fn populate(&mut self, people: &[(Uuid, Person)]) -> Vec<Membership> {
        let memberships: Vec<_> = people
            .iter()
            .map(|(user_id, _)| Membership {
                team_id: population::team_id(*user_id),
                user_id: *user_id,
            })
            .collect();
        // In the order in which they signed up, after everything so far.
        let before = self.created + 1;
        let number = |person: Person| before + u64::from(person.number);
        let teams = memberships
            .iter()
            .zip(people)
            .map(|(membership, (_, person))| {
                let (number, row) = (number(*person), Row::Of(*person));
                (membership.team_id, Team { number, row })
            });
        let members = memberships.iter().zip(people);
        let members = members.map(|(membership, (_, person))| (*membership, number(*person)));
        let by_user = memberships.iter().map(Membership::by_user);
        self.created = people
            .iter()
            .map(|(_, person)| number(*person))
            .fold(before, u64::max);
        self.teams.append(&mut teams.collect());
        self.members.append(&mut members.collect());
        self.by_user.append(&mut by_user.collect());
        memberships
    }

    /// Lays `changes` over the object; its id stays.
    pub fn update(&mut self, id: Uuid, changes: Map<String, Value>) -> Result<Value, KnownError> {
        let team = self
            .teams
            .get_mut(&id)
            .ok_or_else(KnownError::team_not_found)?;
        let mut object = team.object(id);
        object.extend(changes);
        object.insert("id".to_owned(), json!(id));
        let answer = json!(object);
        team.row = Row::Object(Box::new(object));
        Ok(answer)
    }

    /// Deletes a team, and answers who was in it.
    pub fn delete(&mut self, id: Uuid) -> Result<Vec<Membership>, KnownError> {
        self.teams
            .remove(&id)
            .ok_or_else(KnownError::team_not_found)?;
        let left = self.memberships(Some(id), None);
        self.remove_all(&left);
        Ok(left)
    }

    pub fn get(&self, id: Uuid) -> Option<Value> {
        self.teams.get(&id).map(|team| json!(team.object(id)))
    }

    /// The ids of all teams, or of a user's, in the order of creation.
    pub fn list(&self, user_id: Option<Uuid>) -> Vec<Uuid> {
        let teams = self.teams.iter();
        let listed = teams.filter(|(id, _)| {
            user_id.is_none_or(|user_id| {
                let team_id = **id;
                self.is_member(&Membership { team_id, user_id })
            })
        });
        in_order(listed.map(|(id, team)| (team.number, *id)))
    }

    /// Adds a member to a team that exists; answers whether that is news.
    pub fn join(&mut self, membership: Membership) -> Result<bool, KnownError> {
        if !self.teams.contains_key(&membership.team_id) {
            return Err(KnownError::team_not_found());
        }
        let news = !self.is_member(&membership);
        if news {
            self.insert(membership);
        }
        Ok(news)
    }

    fn insert(&mut self, membership: Membership) {
        let number = self.next_number();
        self.members.insert(membership, number);
        self.by_user.insert(membership.by_user());
    }

    pub fn leave(&mut self, membership: &Membership) -> Result<(), KnownError> {
        if !self.is_member(membership) {
            return Err(KnownError::membership_not_found());
        }
        self.remove_all(&[*membership]);
        Ok(())
    }

    /// Takes a user out of every team, and answers which those were.
    pub fn leave_all(&mut self, user_id: Uuid) -> Vec<Membership> {
        let left = self.memberships(None, Some(user_id));
        self.remove_all(&left);
        left
    }

    fn remove_all(&mut self, left: &[Membership]) {
        for membership in left {
            self.members.remove(membership);
            self.by_user.remove(&membership.by_user());
        }
    }

    pub fn is_member(&self, membership: &Membership) -> bool {
        self.members.contains_key(membership)
    }

    /// The memberships in a team, of a user, or all, in the order of creation.
    pub fn memberships(&self, team_id: Option<Uuid>, user_id: Option<Uuid>) -> Vec<Membership> {
        if let Some(user_id) = user_id {
            let teams = self
                .by_user
                .range((user_id, Uuid::nil())..=(user_id, Uuid::max()));
            let teams = teams.filter(|(_, team)| team_id.is_none_or(|id| id == *team));
            return in_order(teams.map(|(user_id, team_id)| {
                let (team_id, user_id) = (*team_id, *user_id);
                let membership = Membership { team_id, user_id };
                (self.members[&membership], membership)
            }));
        }
        let bound = |end: Uuid| Membership {
            team_id: team_id.unwrap_or(end),
            user_id: end,
        };
        let members = self.members.range(bound(Uuid::nil())..=bound(Uuid::max()));
        in_order(members.map(|(membership, number)| (*number, *membership)))
    }

    fn next_number(&mut self) -> u64 {
        self.created += 1;
        self.created
    }
}

/// What is numbered, by number.
fn in_order<T>(numbered: impl Iterator<Item = (u64, T)>) -> Vec<T> {
    let mut numbered: Vec<_> = numbered.collect();
    numbered.sort_unstable_by_key(|(number, _)| *number);
    numbered.into_iter().map(|(_, item)| item).collect()
}
