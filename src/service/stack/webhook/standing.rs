//! Compares an object with its row.

use std::cmp::Ordering;

use pgrx::AnyElement;
use pgrx::prelude::*;

use crate::mirror::alike::{LAST_ACTIVE, is_within_a_day};
use crate::mirror::object::{self, AUTH_PROVIDER, ObjectType, USER};
use crate::pg::jsonb::JsonbPart;

/// `neon_auth_internal.standing(kind, given)`: the result as a word.
///
/// Stack's objects have no version. The only number that increases with time is a user's
/// last_active_at_millis. The REST API may have returned a time up to a day later than that in the
/// row, and the row was not rewritten: an event is newer only if its time is beyond that day.
#[pg_extern(sql = false)]
fn standing(kind: &str, given: AnyElement) -> &'static str {
    let kind = ObjectType::named(kind);
    let is_user = kind.name == USER.name;
    // SAFETY: used while the argument exists.
    let given = unsafe { JsonbPart::whole(&given) };
    let id = object::id(&given, "id").expect("it was checked");
    let id = id.text().expect("an id is a string");
    let found = kind.table.find(&[id], |row| {
        if !row.is_null(c"deleted_at") {
            return Some("deleted");
        }
        let known = row.part(c"raw_json")?;
        if is_user && known.member(AUTH_PROVIDER).is_some() {
            return Some("first_seen");
        }
        let is_upgrade = is_user && is_anonymous(&known) && !is_anonymous(&given);
        // Objects with other times differ, and are not compared as a whole.
        Some(match order(&given, &known) {
            Some(Standing::Older) => "older",
            None if row.equals(c"raw_json", &given) => "equal",
            Some(Standing::Newer) if is_upgrade => "newer_upgrade",
            Some(Standing::Newer) => "newer",
            _ if is_upgrade => "unclear_upgrade",
            _ => "unclear",
        })
    });
    found.unwrap_or("unknown")
}

fn is_anonymous(user: &JsonbPart) -> bool {
    user.member("is_anonymous")
        .and_then(|member| member.boolean())
        == Some(true)
}

enum Standing {
    Newer,
    Older,
    Unclear,
}

/// What the times say; `None` if they are equal or missing.
fn order(given: &JsonbPart, known: &JsonbPart) -> Option<Standing> {
    let [given, known] = [given.member(LAST_ACTIVE)?, known.member(LAST_ACTIVE)?];
    match given.compare_numbers(&known)? {
        Ordering::Greater if is_within_a_day(&given, &known) => Some(Standing::Unclear),
        Ordering::Greater => Some(Standing::Newer),
        Ordering::Less => Some(Standing::Older),
        Ordering::Equal => None,
    }
}
