//! Teams and memberships as such.

use serde::Serialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::permissions::Holder;

/// A team to be created.
#[derive(Clone, Debug, Default)]
pub struct NewTeam {
    /// Derived from the seed where it is not given.
    pub id: Option<Uuid>,
    pub display_name: String,
    /// Becomes the team's first member, and its admin.
    pub creator_user_id: Option<Uuid>,
    /// Any other member of the team object, laid over the defaults.
    pub other: Map<String, Value>,
}

impl NewTeam {
    pub fn named(display_name: &str) -> Self {
        Self {
            display_name: display_name.to_owned(),
            ..Self::default()
        }
    }

    /// The team object that creating it at `now_millis` gives.
    pub(crate) fn object(self, id: Uuid, now_millis: i64) -> Map<String, Value> {
        let mut object = Map::from_iter(
            [
                ("id", json!(id)),
                ("display_name", json!(self.display_name)),
                ("profile_image_url", Value::Null),
                ("created_at_millis", json!(now_millis)),
                ("client_metadata", Value::Null),
                ("client_read_only_metadata", Value::Null),
                ("server_metadata", Value::Null),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        object.extend(self.other);
        object
    }
}

/// Who belongs to which team.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Membership {
    pub team_id: Uuid,
    pub user_id: Uuid,
}

impl Membership {
    pub(crate) fn by_user(&self) -> (Uuid, Uuid) {
        (self.user_id, self.team_id)
    }

    /// Whose permissions it makes possible.
    pub(crate) fn holder(&self) -> Holder {
        Holder {
            team_id: Some(self.team_id),
            user_id: self.user_id,
        }
    }
}
