//! Compares an object with its row.

use std::cmp::Ordering;

use pgrx::AnyElement;
use pgrx::prelude::*;

use crate::mirror::object::{self, ObjectType};
use crate::pg::jsonb::JsonbPart;

/// `neon_auth_internal.standing(kind, given)`: the result as a word.
///
/// Stack's objects have no version. The only number that increases with time is a user's
/// last_active_at_millis.
#[pg_extern(sql = false)]
fn standing(kind: &str, given: AnyElement) -> &'static str {
    let kind = ObjectType::named(kind);
    // SAFETY: used while the argument exists.
    let given = unsafe { JsonbPart::whole(&given) };
    let id = object::id(&given, "id").expect("it was checked");
    let id = id.text().expect("an id is a string");
    let found = kind.table.find(&[id], |row| {
        if !row.is_null(c"deleted_at") {
            return Some("deleted");
        }
        // Objects with other times differ, and are not compared as a whole.
        Some(match order(&given, &row.part(c"raw_json")?) {
            Some(Ordering::Greater) => "newer",
            Some(Ordering::Less) => "older",
            _ if row.equals(c"raw_json", &given) => "equal",
            _ => "unclear",
        })
    });
    found.unwrap_or("unknown")
}

fn order(given: &JsonbPart, known: &JsonbPart) -> Option<Ordering> {
    let [given, known] = [given, known].map(|user| user.member("last_active_at_millis"));
    given?.compare_numbers(&known?)
}
