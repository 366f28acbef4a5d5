//! Which differences between an object of the REST API and its row are not written.
//!
//! The service moves a user's `last_active_at_millis` at each refresh of a token, and returns a
//! user's `oauth_providers` in no fixed order. If these were differences, each full comparison would
//! rewrite the rows of all active users.

use pgrx::AnyElement;
use pgrx::prelude::*;

use super::object::{ObjectType, USER};
use crate::pg::jsonb::JsonbPart;
use crate::pg::row::Row;

/// The member by which users' events are ordered.
pub const LAST_ACTIVE: &str = "last_active_at_millis";
const PROVIDERS: &str = "oauth_providers";
const DAY: u64 = 24 * 60 * 60 * 1000;

/// Whether an object of the REST API does not change its row.
pub fn is_alike_to_row(kind: &ObjectType, given: &JsonbPart, row: &Row) -> bool {
    row.resembles(c"raw_json", given, |member, one, other| {
        is_alike_member(kind, member, one, other)
    })
}

/// `neon_auth_internal.is_alike(kind, known, given)`: the same for two objects.
#[pg_extern(sql = false)]
fn is_alike(kind: &str, known: AnyElement, given: AnyElement) -> bool {
    let kind = ObjectType::named(kind);
    // SAFETY: used while the arguments exist, which are jsonb.
    unsafe {
        let whole = JsonbPart::whole(&given);
        whole.kind() == "object"
            && whole.resembles(known.datum(), |member, one, other| {
                is_alike_member(kind, member, one, other)
            })
    }
}

fn is_alike_member(kind: &ObjectType, name: &str, one: &JsonbPart, other: &JsonbPart) -> bool {
    kind.name == USER.name
        && match name {
            LAST_ACTIVE => is_within_a_day(one, other),
            PROVIDERS => one.has_elements_of(other),
            _ => false,
        }
}

/// The same for a member, as text, that is not known to equal that of its row; `None` if only the
/// converted text shows it.
pub fn is_alike_text(
    kind: &ObjectType,
    name: &str,
    one: &str,
    other: &JsonbPart,
    verdict: Option<bool>,
) -> Option<bool> {
    match name {
        LAST_ACTIVE if kind.name == USER.name => {
            let other = other.unsigned()?;
            let is_within = one.parse::<u64>().ok()?.abs_diff(other) < DAY;
            is_within.then_some(true)
        }
        PROVIDERS if kind.name == USER.name => None,
        _ => verdict,
    }
}

/// Whether two times in whole milliseconds are less than a day apart.
///
/// The time in a row may be that much earlier than the latest time that the service has returned.
pub fn is_within_a_day(one: &JsonbPart, other: &JsonbPart) -> bool {
    let [one, other] = [one, other].map(|time| time.digits()?.parse::<i64>().ok());
    one.zip(other)
        .is_some_and(|(one, other)| one.abs_diff(other) < DAY)
}
