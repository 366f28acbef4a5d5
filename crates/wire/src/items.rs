//! The members of an item that the mirror needs, as JSON text that PostgreSQL can store.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::id::{self, is_id};

/// Maximum number of characters in the description of an invalid item.
const LONGEST_DEFECT: usize = 200;

/// How an item becomes the stored text; the error says why it cannot.
pub type Reader = fn(&RawValue) -> Result<String, String>;

/// A user or a team, unchanged: PostgreSQL checks its members.
pub fn object(item: &RawValue) -> Result<String, String> {
    Ok(item.get().to_owned())
}

/// A membership without the data of its user.
pub fn membership(item: &RawValue) -> Result<String, String> {
    #[derive(Deserialize, Serialize)]
    struct Membership {
        team_id: String,
        user_id: String,
    }
    let membership: Membership = read(item)?;
    checked(&[&membership.team_id, &membership.user_id], &membership)
}

pub fn team_permission(item: &RawValue) -> Result<String, String> {
    #[derive(Deserialize, Serialize)]
    struct TeamPermission {
        id: String,
        team_id: String,
        user_id: String,
    }
    let held: TeamPermission = read(item)?;
    checked(&[&held.id, &held.team_id, &held.user_id], &held)
}

pub fn project_permission(item: &RawValue) -> Result<String, String> {
    #[derive(Deserialize, Serialize)]
    struct ProjectPermission {
        id: String,
        user_id: String,
    }
    let held: ProjectPermission = read(item)?;
    checked(&[&held.id, &held.user_id], &held)
}

fn read<'a, T: Deserialize<'a>>(item: &'a RawValue) -> Result<T, String> {
    serde_json::from_str(item.get()).map_err(|error| {
        // The message may quote the item, which may be long.
        let error: String = error.to_string().chars().take(LONGEST_DEFECT).collect();
        format!("An item of a list is invalid: {error}.")
    })
}

fn checked(ids: &[&str], item: &impl Serialize) -> Result<String, String> {
    if let Some(id) = ids.iter().find(|id| !is_id(id)) {
        let length = id.len();
        return Err(format!(
            "An item of a list has an id of {length} bytes; 1 to {} bytes without NUL are allowed.",
            id::LONGEST
        ));
    }
    Ok(serde_json::to_string(item).expect("strings are JSON"))
}
