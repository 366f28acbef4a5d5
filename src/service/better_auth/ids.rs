//! Ids of Better Auth's rows, as the mirror has them.

use crate::mirror::object::LONGEST_ID;
use crate::pg::others::{Column, OthersRow};
use crate::provider::Bound;

/// What precedes the id of a team if ids are numbers: organization 1 and team 1 are two rows of one
/// table of the mirror.
const TEAM: &str = "team:";

/// A value that can be an id in the mirror.
pub fn id(row: &OthersRow, column: &Column) -> Option<String> {
    row.text(column).filter(|id| is_usable(id))
}

fn is_usable(id: &str) -> bool {
    (1..=LONGEST_ID).contains(&id.len())
}

/// The id that a team has in the mirror.
pub fn team(row: &OthersRow, column: &Column) -> Option<String> {
    let id = id(row, column)?;
    if column.is_integer() {
        Some(format!("{TEAM}{id}"))
    } else {
        Some(id)
    }
}

/// The id in the table of teams of an id in the mirror; `None` if it is not one of a team.
pub fn in_table_of_teams<'i>(team: &'i str, column: &Column) -> Option<&'i str> {
    if column.is_integer() {
        team.strip_prefix(TEAM)
    } else {
        Some(team)
    }
}

/// The roles in a comma list, sorted, each once.
pub fn roles(row: &OthersRow, column: &Column) -> Vec<String> {
    let list = row.text(column).unwrap_or_default();
    let mut roles: Vec<String> = list
        .split(',')
        .map(str::trim)
        .filter(|role| is_usable(role))
        .map(str::to_owned)
        .collect();
    roles.sort();
    roles.dedup();
    roles
}

/// The roles of a user in the whole application; `None` if users have no column for it.
pub fn roles_of_user(row: &OthersRow, users: &Bound) -> Option<Vec<String>> {
    users.column("role").map(|column| roles(row, column))
}
