//! Which objects of the auth service can become rows, and why others cannot.

use pgrx::AnyElement;
use pgrx::prelude::*;

use crate::jsonb::Part;

const LONGEST_ID: usize = 255;
/// The last millisecond of the year 9999.
const LAST_MILLISECOND: u64 = 253_402_300_799_999;

/// `neon_auth.id_defect(object, member)`: why a member of an object cannot be an id, as a sentence.
#[pg_extern(sql = false)]
fn id_defect(object: Option<AnyElement>, member: &str) -> Option<String> {
    match object {
        // SAFETY: used before the argument is gone.
        Some(object) => id(&unsafe { Part::whole(&object) }, member).err(),
        None => Some("It is NULL.".to_owned()),
    }
}

/// `neon_auth.millis_defect(object, member)`: why a member of an object cannot be a time, as a
/// sentence.
#[pg_extern(sql = false)]
fn millis_defect(object: Option<AnyElement>, member: &str) -> Option<String> {
    // SAFETY: used before the argument is gone.
    object.and_then(|object| millis(&unsafe { Part::whole(&object) }, member).err())
}

/// A member that is a string, neither empty nor too long for an index.
pub fn id(object: &Part, member: &str) -> Result<Part, String> {
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
    if !(1..=LONGEST_ID).contains(&text.len()) {
        return Err(format!(
            r#"Its "{member}" has {} bytes, not 1 to {LONGEST_ID}."#,
            text.len()
        ));
    }
    Ok(id)
}

/// A member that is missing, null, or a number that the generated column takes: without a point,
/// whatever stands behind it.
pub fn millis(object: &Part, member: &str) -> Result<(), String> {
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
            r#"Its "{member}" is no whole number of milliseconds from 1970 to 9999."#
        ));
    }
    Ok(())
}
