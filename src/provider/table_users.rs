//! The users of Better Auth, in its table: whether one exists, and is not banned now.

use super::tables::{self, Bound, What};
use crate::clock::{self, SECOND};
use crate::error::{Credential, Problem};
use crate::pg::others::OthersRow;

/// Refuses a user who does not exist or is banned.
pub fn demand(credential: Credential, id: &str) -> Result<(), Problem> {
    find(credential, id, |_, _| ())
}

/// What `read` returns for the user's row; refuses a user who does not exist or is banned.
pub fn find<T>(
    credential: Credential,
    id: &str,
    mut read: impl FnMut(&Bound, &OthersRow) -> T,
) -> Result<T, Problem> {
    let table = tables::bound(What::User)?;
    let now = clock::microseconds();
    let found = table.find(table.required("id"), id, |row| {
        Some(match ban(&table, row, now) {
            Some(until) => Err(Problem::UserBanned { credential, until }),
            None => Ok(read(&table, row)),
        })
    });
    found.unwrap_or(Err(Problem::UserMissing { credential }))
}

/// The end of the user's ban, if the user is banned now: `Some(None)` if the ban has no end.
fn ban(table: &Bound, row: &OthersRow, now: i64) -> Option<Option<i64>> {
    let banned = table
        .column("banned")
        .and_then(|column| row.boolean(column));
    if banned != Some(true) {
        return None;
    }
    let until = table
        .column("banExpires")
        .and_then(|column| row.microseconds(column));
    match until {
        Some(until) if until <= now => None,
        until => Some(until.map(|until| until.div_euclid(SECOND))),
    }
}
