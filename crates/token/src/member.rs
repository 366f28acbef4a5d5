//! The members of a JSON Web Key, and what is wrong with one.

use std::borrow::Cow;

use crate::left_out::{Kind, Reason};
use crate::value::{Map, Value};
use crate::{base64url, shown};

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

/// A member of base64url bytes. Padding and the two letters of plain base64 change no value, so
/// they are accepted here, unlike in a token, where two spellings would be two tokens.
pub(crate) fn bytes(name: &str, text: &str) -> Result<Vec<u8>, Reason> {
    let text = text
        .strip_suffix("==")
        .or_else(|| text.strip_suffix('='))
        .unwrap_or(text);
    let text: Cow<'_, str> = if text.contains(['+', '/']) {
        text.replace('+', "-").replace('/', "_").into()
    } else {
        text.into()
    };
    base64url::decode(&text).map_err(|fault| malformed(format!("{name} has {fault}")))
}
