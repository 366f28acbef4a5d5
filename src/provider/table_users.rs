//! The users of Better Auth, in its table: whether one exists, and is not banned now.

use super::tables::{self, Bound, What};
use crate::clock::{self, SECOND};
use crate::error::{Credential, Problem};
use crate::pg::others::OthersRow;

/// What is demanded of a user.
#[derive(Clone, Copy)]
pub struct Demand {
    pub exists: bool,
    pub is_not_banned: bool,
}

impl Demand {
    /// For credentials that are rows of a table.
    pub const BOTH: Self = Self {
        exists: true,
        is_not_banned: true,
    };
}

/// Refuses a user who does not meet the demand.
pub fn demand(credential: Credential, id: &str, demand: Demand) -> Result<(), Problem> {
    match find(credential, id, |_, _| ()) {
        Err(Problem::UserMissing { .. }) if !demand.exists => Ok(()),
        Err(Problem::UserBanned { .. }) if !demand.is_not_banned => Ok(()),
        outcome => outcome,
    }
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
            Some(until) => Err(Problem::UserBanned {
                credential,
                until,
                in_mirror: false,
            }),
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
