//! The list of a team's members, from pages of users.

use neon_auth_wire::id::is_id;
use neon_auth_wire::items;
use serde::Deserialize;

use super::user_list::{self, Place, Whole};
use crate::background::steps::Stop;
use crate::error::Problem;
use crate::service::stack::rest::api::{self, Api, Chunk};
use crate::service::stack::rest::users::{self, UserPage};

/// Reads the members of a team to their end. `each` receives the ids of users as JSON, some more
/// than once, and the time of their request; `passed` the place from which an interrupted run
/// resumes. The list of an unknown team is empty.
pub fn read(
    api: &Api,
    team: &str,
    from: Option<Place>,
    mut each: impl FnMut(Vec<String>, i64),
    passed: impl FnMut(&Place) -> Result<(), Stop>,
) -> Result<Whole, Stop> {
    check(api)?;
    let each = |chunk: &Chunk, asked_at| {
        let ids = chunk.items.iter().filter_map(|user| id(user)).collect();
        each(ids, asked_at);
        Ok(())
    };
    user_list::read(api, Some(team), from, each, passed)
}

/// The id of a user; the phase of users counts a user who has none.
fn id(user: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct User {
        id: String,
    }
    let User { id } = serde_json::from_str(user).ok()?;
    is_id(&id).then(|| serde_json::to_string(&id).expect("a string is JSON"))
}

/// Fails if the service ignores the team: every user would become a member of every team.
pub fn check(api: &Api) -> Result<(), Stop> {
    if api.user_lists.is_filtered.get() {
        return Ok(());
    }
    let unknown = api::random_uuid();
    let page = UserPage {
        team: Some(&unknown),
        cursor: None,
        limit: 1,
        descending: false,
    };
    let mut users = 0;
    users::page(api, &page, items::object, |chunk| {
        users += chunk.items.len() + chunk.defects.len();
        Ok(())
    })?;
    if users > 0 {
        return Err(Problem::TeamIgnored.into());
    }
    api.user_lists.is_filtered.set(true);
    Ok(())
}
