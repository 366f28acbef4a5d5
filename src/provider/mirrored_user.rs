//! The users of the mirror, `users_sync`: whether one exists, and is deleted or banned now.

use neon_auth_wire::iso_8601;

use crate::clock::{self, SECOND};
use crate::pg::index::Table;
use crate::pg::jsonb::JsonbPart;

/// The members of a user object that contain the end of a ban.
const ENDS: [&str; 2] = ["ban_expires", "banExpires"];
/// Milliseconds in microseconds.
const MILLISECOND: i64 = 1_000;

/// What a row of `users_sync` says about its user.
#[derive(Clone, Copy)]
pub struct UserRow {
    pub deleted: bool,
    pub ban: Option<Ban>,
}

/// A ban that is in force now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Its end, in seconds since 1970; `None` if it has no end.
    pub until: Option<i64>,
}

/// The row of a user, with the latest committed state; `None` if there is none.
pub fn look_up(id: &str) -> Option<UserRow> {
    find(id, |user, _| user)
}

/// What `read` returns for the row of a user, from what it says and the user object.
pub fn find<T>(id: &str, mut read: impl FnMut(UserRow, Option<JsonbPart>) -> T) -> Option<T> {
    Table::Users.find_latest(&[id], |row| {
        let object = row.part(c"raw_json");
        let user = UserRow {
            deleted: !row.is_null(c"deleted_at"),
            ban: object.as_ref().and_then(ban),
        };
        Some(read(user, object))
    })
}

/// The ban that a user object has now: Stack Auth's `restricted_by_admin`, which has no end, or
/// `banned` until `ban_expires` or `banExpires`.
fn ban(user: &JsonbPart) -> Option<Ban> {
    let is_set = |name| user.member(name).and_then(restricts) == Some(true);
    if is_set("restricted_by_admin") {
        return Some(Ban { until: None });
    }
    if !is_set("banned") {
        return None;
    }
    match ENDS.iter().find_map(|name| end_of_ban(&user.member(name)?)) {
        Some(end) if end <= clock::microseconds() => None,
        end => Some(Ban {
            until: end.map(|end| end.div_euclid(SECOND)),
        }),
    }
}

/// Whether a member that restricts its user does so. What is neither true nor false does.
pub fn restricts(member: JsonbPart) -> Option<bool> {
    (member.kind() != "null").then(|| member.boolean().unwrap_or(true))
}

/// The end in microseconds since 1970: a time in ISO 8601, or a number of milliseconds, as
/// JavaScript writes dates. A ban whose end is anything else has none.
fn end_of_ban(end: &JsonbPart) -> Option<i64> {
    match end.digits() {
        Some(digits) => {
            let milliseconds: f64 = digits.parse().ok()?;
            // Casts of values out of range result in the range's end.
            Some((milliseconds as i64).saturating_mul(MILLISECOND))
        }
        None => iso_8601::parse(end.text()?),
    }
}
