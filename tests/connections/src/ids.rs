//! Ids as the simulator takes them.

use std::fmt::Debug;
use std::str::FromStr;

use neon_auth_stack::permissions::Grant;
use neon_auth_stack::teams::Membership;
use serde_json::Value;

/// An id as the simulator's methods take it.
#[track_caller]
pub fn parsed<T: FromStr<Err: Debug>>(id: &str) -> T {
    id.parse().expect("the simulator's ids are UUIDs")
}

/// The id of a user or team.
#[track_caller]
pub fn id_of<T: FromStr<Err: Debug>>(object: &Value) -> T {
    parsed(object["id"].as_str().expect("an id is a string"))
}

#[track_caller]
pub fn membership(team: &str, user: &str) -> Membership {
    Membership {
        team_id: parsed(team),
        user_id: parsed(user),
    }
}

/// A permission in a team, or in the project.
#[track_caller]
pub fn grant(team: Option<&str>, user: &str, id: &str) -> Grant {
    Grant {
        team_id: team.map(parsed),
        user_id: parsed(user),
        id: id.to_owned(),
    }
}
