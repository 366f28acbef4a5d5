//! Which objects of the auth service can become rows, and why others cannot.

use neon_auth_wire::id as ids;
use pgrx::AnyElement;
use pgrx::prelude::*;

use crate::pg::index::Table;
use crate::pg::jsonb::JsonbPart;

/// The last millisecond of the year 9999.
pub const LAST_MILLISECOND: u64 = 253_402_300_799_999;

/// The object kind that a table mirrors.
pub struct ObjectType {
    pub name: &'static str,
    pub table: Table,
    /// The member with the time of creation.
    pub created_at: &'static str,
}

/// The member of users' rows that were made at a sign-in: the name of the provider.
pub const AUTH_PROVIDER: &str = "auth_provider";
/// Another of them: the issuer of the token. Only a provider that has it may get the provider's name.
pub const AUTH_ISSUER: &str = "auth_issuer";

pub const USER: ObjectType = ObjectType {
    name: "user",
    table: Table::Users,
    created_at: "signed_up_at_millis",
};
pub const TEAM: ObjectType = ObjectType {
    name: "team",
    table: Table::Teams,
    created_at: "created_at_millis",
};

impl ObjectType {
    pub fn named(name: &str) -> &'static Self {
        [&USER, &TEAM]
            .into_iter()
            .find(|kind| kind.name == name)
            .expect("the functions of sql/ name one of them")
    }

    /// The id of an object that can become a row, or a sentence why it cannot.
    pub fn check(&self, object: &JsonbPart) -> Result<JsonbPart, String> {
        let id = id(object, "id")?;
        millis(object, self.created_at)?;
        Ok(id)
    }
}

/// `neon_auth_internal.object_defect(kind, object)`: why a user or a team cannot become a row, as a sentence.
#[pg_extern(sql = false)]
fn object_defect(kind: &str, object: AnyElement) -> Option<String> {
    // SAFETY: used while the argument exists.
    ObjectType::named(kind)
        .check(&unsafe { JsonbPart::whole(&object) })
        .err()
}

/// A member that is a string, neither empty nor too long for an index.
pub fn id(object: &JsonbPart, member: &str) -> Result<JsonbPart, String> {
    if object.kind() != "object" {
        return Err(format!("It is a JSON {}, not an object.", object.kind()));
    }
    let Some(id) = object.member(member) else {
        return Err(format!(r#"It has no member "{member}"."#));
    };
    let Some(text) = id.text() else {
        return Err(format!(
            r#"Its "{member}" is a JSON {}, not a string."#,
            id.kind()
        ));
    };
    if !(1..=ids::LONGEST).contains(&text.len()) {
        return Err(format!(
            r#"Its "{member}" has {} bytes, not 1 to {}."#,
            text.len(),
            ids::LONGEST
        ));
    }
    Ok(id)
}

/// A member that is missing, null, or a number that the generated column accepts: without a decimal
/// point, even before zeros.
fn millis(object: &JsonbPart, member: &str) -> Result<(), String> {
    let Some(time) = object.member(member).filter(|time| time.kind() != "null") else {
        return Ok(());
    };
    let Some(digits) = time.digits() else {
        return Err(format!(
            r#"Its "{member}" is a JSON {}, not a number."#,
            time.kind()
        ));
    };
    let is_in_range = digits
        .parse::<u64>()
        .is_ok_and(|millis| millis <= LAST_MILLISECOND);
    if !is_in_range {
        return Err(format!(
            r#"Its "{member}" is not a whole number of milliseconds from 1970 to 9999."#
        ));
    }
    Ok(())
}
