//! The members of a JSON Web Key, and what is wrong with one.

use crate::left_out::{Kind, Reason};
use crate::shown;
use crate::value::{Map, Value};

pub(crate) fn malformed(detail: impl Into<String>) -> Reason {
    Reason::new(Kind::Malformed, detail)
}

pub(crate) fn unsupported(name: &str, found: &str) -> Reason {
    let found = shown::text(found);
    Reason::new(
        Kind::Unsupported,
        format!("its {name} {found} is not supported"),
    )
}

/// A member that is there and not null.
pub(crate) fn member<'j>(jwk: &'j Map<String, Value>, name: &str) -> Option<&'j Value> {
    jwk.get(name).filter(|value| !value.is_null())
}

pub(crate) fn string<'j>(
    jwk: &'j Map<String, Value>,
    name: &str,
) -> Result<Option<&'j str>, Reason> {
    match member(jwk, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let found = shown::kind(other);
            Err(malformed(format!("{name} is {found} instead of a string")))
        }
    }
}
