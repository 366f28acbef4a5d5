//! Compares an object with its row.

use std::cmp::Ordering;

use pgrx::AnyElement;
use pgrx::prelude::*;

use crate::mirror::alike::{LAST_ACTIVE, is_within_a_day};
use crate::mirror::object::{self, AUTH_PROVIDER, TEAM, USER};
use crate::pg::jsonb::JsonbPart;
use crate::pg::row::Row;

/// What the row of a user says of the object of an event.
#[derive(Clone, Copy, PartialEq)]
pub enum Standing {
    /// There is no row.
    Unknown,
    Deleted,
    /// The row was made at a sign-in.
    FirstSeen,
    Equal,
    /// The object is older.
    Older,
    Newer {
        is_upgrade: bool,
    },
    /// Nothing says which is newer.
    Unclear {
        is_upgrade: bool,
    },
}

/// The version of a row: its updated_at, as PostgreSQL's timestamp.
pub type Version = i64;
/// That of a row without updated_at, and of no row: -infinity.
const NO_VERSION: Version = Version::MIN;

/// The standing of a user, and the version of the row that was compared.
///
/// Stack's objects have no version. The only number that increases with time is a user's
/// last_active_at_millis. The REST API may have returned a time up to a day later than that in the
/// row, and the row was not rewritten: an event is newer only if its time is beyond that day.
///
/// An upgrade makes an anonymous user a real one.
pub fn of_user(id: &str, given: &JsonbPart) -> (Standing, Version) {
    // After the wait for a lock.
    let found = USER.table.find_latest(&[id], |row| {
        let version = row.timestamp(c"updated_at").unwrap_or(NO_VERSION);
        Some((against_row(row, given)?, version))
    });
    found.unwrap_or((Standing::Unknown, NO_VERSION))
}

fn against_row(row: &Row, given: &JsonbPart) -> Option<Standing> {
    if !row.is_null(c"deleted_at") {
        return Some(Standing::Deleted);
    }
    let known = row.part(c"raw_json")?;
    if known.member(AUTH_PROVIDER).is_some() {
        return Some(Standing::FirstSeen);
    }
    let is_upgrade = is_anonymous(&known) && !is_anonymous(given);
    // Objects with other times differ, and are not compared as a whole.
    Some(match order(given, &known) {
        Order::Older => Standing::Older,
        Order::Newer => Standing::Newer { is_upgrade },
        Order::Same if row.equals(c"raw_json", given) => Standing::Equal,
        Order::Same | Order::Unclear => Standing::Unclear { is_upgrade },
    })
}

/// `neon_auth_internal.team_standing(team)`: the result as a word. Nothing says which of two objects
/// of a team is newer.
#[pg_extern(sql = false)]
fn team_standing(team: AnyElement) -> &'static str {
    // SAFETY: used while the argument exists.
    let given = unsafe { JsonbPart::whole(&team) };
    let id = object::id(&given, "id").expect("it was checked");
    let id = id.text().expect("an id is a string");
    let found = TEAM.table.find(&[id], |row| {
        if !row.is_null(c"deleted_at") {
            return Some("deleted");
        }
        Some(match row.equals(c"raw_json", &given) {
            true => "equal",
            false => "unclear",
        })
    });
    found.unwrap_or("unknown")
}

fn is_anonymous(user: &JsonbPart) -> bool {
    user.member("is_anonymous")
        .and_then(|member| member.boolean())
        == Some(true)
}

enum Order {
    Newer,
    Older,
    Unclear,
    /// The times are equal, or missing.
    Same,
}

/// What the times say.
fn order(given: &JsonbPart, known: &JsonbPart) -> Order {
    let times = || {
        let [given, known] = [given.member(LAST_ACTIVE)?, known.member(LAST_ACTIVE)?];
        Some((given.compare_numbers(&known)?, given, known))
    };
    match times() {
        Some((Ordering::Greater, given, known)) if is_within_a_day(&given, &known) => {
            Order::Unclear
        }
        Some((Ordering::Greater, ..)) => Order::Newer,
        Some((Ordering::Less, ..)) => Order::Older,
        Some((Ordering::Equal, ..)) | None => Order::Same,
    }
}
