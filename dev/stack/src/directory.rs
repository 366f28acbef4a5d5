//! All users, by id and in the order in which they signed up.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use uuid::Uuid;

use crate::population::Person;
use crate::users::User;

/// A user as it is stored.
enum Row {
    User(Box<User>),
    /// Made anew whenever it is read, as a million users fill the memory.
    Person(Person),
}

impl Row {
    fn read(&self, id: Uuid) -> Cow<'_, User> {
        match self {
            Self::User(user) => Cow::Borrowed(user),
            Self::Person(person) => Cow::Owned(person.user(id)),
        }
    }

    fn signed_up_at_millis(&self) -> i64 {
        match self {
            Self::User(user) => user.signed_up_at_millis(),
            Self::Person(person) => person.signed_up_at_millis(),
        }
    }
}

/// What users are listed by.
type Place = (i64, Uuid);

/// All users.
#[derive(Default)]
pub struct Directory {
    rows: BTreeMap<Uuid, Row>,
    by_sign_up: BTreeSet<Place>,
}

impl Directory {
    pub fn get(&self, id: Uuid) -> Option<Cow<'_, User>> {
        Some(self.rows.get(&id)?.read(id))
    }

    /// Stores a user, in place of the one who has its id.
    pub fn put(&mut self, user: User) {
        let (id, new) = (user.id, user.signed_up_at_millis());
        self.remove(id);
        self.rows.insert(id, Row::User(Box::new(user)));
        self.by_sign_up.insert((new, id));
    }

    /// Stores many at once, who come by id.
    pub fn populate(&mut self, people: &[(Uuid, Person)]) {
        let row = |(id, person): &(Uuid, Person)| (*id, Row::Person(*person));
        self.rows.append(&mut people.iter().map(row).collect());
        let place = |(id, person): &(Uuid, Person)| (person.signed_up_at_millis(), *id);
        self.by_sign_up
            .append(&mut people.iter().map(place).collect());
    }

    /// Removes a user; answers whether there was one.
    pub fn remove(&mut self, id: Uuid) -> bool {
        let Some(row) = self.rows.remove(&id) else {
            return false;
        };
        self.by_sign_up.remove(&(row.signed_up_at_millis(), id));
        true
    }

    /// Leaves no team selected for a user, if it is this one.
    pub fn deselect_team(&mut self, user_id: Uuid, team_id: Uuid) {
        let user = self.get(user_id).map(Cow::into_owned);
        let selected = user.filter(|user| user.selected_team_id() == Some(team_id));
        if let Some(mut user) = selected {
            user.deselect_team(team_id);
            self.put(user);
        }
    }

    /// The same for everybody but those of a population, who select no team
    /// that they are not in.
    pub fn deselect_team_everywhere(&mut self, team_id: Uuid) {
        for row in self.rows.values_mut() {
            if let Row::User(user) = row {
                user.deselect_team(team_id);
            }
        }
    }

    /// The users in the order in which they signed up, or in the opposite
    /// one, from the user whose id `cursor` is; none, if that user is gone.
    pub fn list(
        &self,
        cursor: Option<Uuid>,
        descending: bool,
    ) -> impl Iterator<Item = Cow<'_, User>> {
        let start = match cursor.map(|id| self.place(id)) {
            None => Some(Bound::Unbounded),
            Some(place) => place.map(Bound::Included),
        };
        let places = start.map(|start| -> Box<dyn Iterator<Item = &Place>> {
            if descending {
                Box::new(self.by_sign_up.range((Bound::Unbounded, start)).rev())
            } else {
                Box::new(self.by_sign_up.range((start, Bound::Unbounded)))
            }
        });
        let ids = places.into_iter().flatten().map(|(_, id)| *id);
        ids.filter_map(|id| self.get(id))
    }

    /// The same of some of the users. The one of the cursor need not be among them.
    pub fn list_some(
        &self,
        ids: impl Iterator<Item = Uuid>,
        cursor: Option<Uuid>,
        descending: bool,
    ) -> impl Iterator<Item = Cow<'_, User>> {
        let start = cursor.map(|id| self.place(id));
        let is_listed = |place: &Place| match start {
            None => true,
            Some(None) => false,
            Some(Some(start)) if descending => *place <= start,
            Some(Some(start)) => *place >= start,
        };
        let mut places: Vec<Place> = ids.filter_map(|id| self.place(id)).collect();
        places.retain(is_listed);
        places.sort_unstable();
        if descending {
            places.reverse();
        }
        places.into_iter().filter_map(|(_, id)| self.get(id))
    }

    /// Where a user is in the list.
    fn place(&self, id: Uuid) -> Option<Place> {
        Some((self.rows.get(&id)?.signed_up_at_millis(), id))
    }
}
