//! Users and teams of a response of the REST API, as the text in which they arrive.

use std::borrow::Cow;

use neon_auth_wire::id::is_id;
use pgrx::PgMemoryContexts;

use super::alike::{is_alike_text, is_alike_to_row};
use super::json_text::{Members, Order, is_unsigned, string};
use super::object::{AUTH_ISSUER, AUTH_PROVIDER, LAST_MILLISECOND, ObjectType, USER};
use crate::pg::jsonb::JsonbPart;
use crate::pg::row::Row;

/// An object of a response.
pub struct Answer<'a> {
    /// Its place among the objects.
    pub index: usize,
    pub id: Cow<'a, str>,
    pub text: Cow<'a, str>,
    /// `None` if the text is not the one that the service has sent.
    members: Option<Members<'a>>,
}

impl<'a> Answer<'a> {
    /// An object that can become a row, or why it cannot. PostgreSQL decides where the text does not
    /// show it, and raises an error for JSON that `jsonb` cannot contain.
    pub fn read(
        kind: &ObjectType,
        index: usize,
        text: &'a str,
        scratch: &mut PgMemoryContexts,
    ) -> Result<Self, String> {
        let members = Members::of(text);
        let id = match members.as_ref().and_then(|members| plain_id(kind, members)) {
            Some(id) => id,
            None => converted(scratch, text, |object| {
                let id = kind.check(object)?;
                Ok::<_, String>(Cow::Owned(id.text().expect("an id is a string").to_owned()))
            })?,
        };
        // Only sign-ins say of which provider a user is.
        let is_theirs = |name: &str| [AUTH_PROVIDER, AUTH_ISSUER].contains(&name);
        Ok(match members {
            Some(members)
                if kind.name == USER.name && members.0.iter().any(|(name, _)| is_theirs(name)) =>
            {
                let kept = members.0.iter().filter(|(name, _)| !is_theirs(name));
                let kept: Vec<String> = kept
                    .map(|(name, value)| {
                        let name = serde_json::to_string(name).expect("a string is JSON");
                        format!("{name}:{value}")
                    })
                    .collect();
                Self {
                    index,
                    id,
                    text: Cow::Owned(format!("{{{}}}", kept.join(","))),
                    members: None,
                }
            }
            members => Self {
                index,
                id,
                text: Cow::Borrowed(text),
                members,
            },
        })
    }

    /// Whether it does not change its row.
    pub fn is_alike(
        &self,
        kind: &ObjectType,
        row: &Row,
        order: &mut Order,
        scratch: &mut PgMemoryContexts,
    ) -> bool {
        let alike = self.members.as_ref().and_then(|members| {
            row.read_part(c"raw_json", |known| {
                members.equal(known, order, |name, one, other, verdict| {
                    is_alike_text(kind, name, one, other, verdict)
                })
            })?
        });
        alike.unwrap_or_else(|| {
            converted(scratch, &self.text, |object| {
                is_alike_to_row(kind, object, row)
            })
        })
    }
}

/// The id of an object whose text shows that it can become a row.
fn plain_id<'a>(kind: &ObjectType, members: &Members<'a>) -> Option<Cow<'a, str>> {
    let id = string(members.value("id")?)?;
    let is_plain = is_id(&id)
        && members.value(kind.created_at).is_none_or(|time| {
            let millis = || time.parse::<u64>().ok();
            time == "null"
                || is_unsigned(time) && millis().is_some_and(|millis| millis <= LAST_MILLISECOND)
        });
    is_plain.then_some(id)
}

/// Converts an object to `jsonb` while `read` runs.
fn converted<T>(
    scratch: &mut PgMemoryContexts,
    text: &str,
    read: impl FnOnce(&JsonbPart) -> T,
) -> T {
    // SAFETY: nothing of the context is left in what `read` returns.
    unsafe {
        let result = scratch.switch_to(|_| read(&JsonbPart::parse(text)));
        scratch.reset();
        result
    }
}
