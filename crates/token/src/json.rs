//! Strict JSON: text that two parsers could understand differently is refused.
//!
//! Beyond the grammar of RFC 8259 this demands one object at the top, distinct member
//! names at every level (compared after unescaping), at most [`MAX_DEPTH`] nested
//! containers, and no U+0000 anywhere, since `jsonb` cannot hold it.
//!
//! `serde_json` reads the text. A value is taken as its text first, so that a number stays as it
//! is written: `serde_json`'s own numbers pass through a double, or, with its feature
//! `arbitrary_precision`, are told from objects by the name of a member.

use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::number::{MAX_DIGITS, Number};
use crate::shown;
use crate::value::{Map, Value};

/// Most containers inside one another, the outermost object included.
const MAX_DEPTH: usize = 32;

/// Why a text is not acceptable JSON.
pub(crate) enum Fault {
    /// It is not JSON in UTF-8.
    Syntax(String),
    /// It is JSON, but not an object.
    NotAnObject(&'static str),
    /// An object has this member more than once.
    Duplicate(String),
    /// Containers are nested too deeply.
    TooDeep,
    /// A string or a member name contains U+0000.
    Nul,
    /// A number has more digits than any real value.
    LongNumber,
}

impl Fault {
    /// What was found, for a report.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Syntax(what) => what.clone(),
            Self::NotAnObject(what) => format!("{what} instead of an object"),
            Self::Duplicate(name) => format!("the member {} is repeated", shown::text(name)),
            Self::TooDeep => format!("more than {MAX_DEPTH} levels"),
            Self::Nul => "U+0000 in a string".to_owned(),
            Self::LongNumber => {
                format!("a number of more than {MAX_DIGITS} digits before or after the point")
            }
        }
    }
}

/// Checks that `bytes` are UTF-8.
pub(crate) fn utf8(bytes: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|error| {
        Fault::Syntax(format!(
            "not UTF-8 from byte {}",
            error.utf8_error().valid_up_to()
        ))
    })
}

/// Reads the one object that `text` consists of.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, Fault> {
    match document(text)? {
        Value::Object(members) => Ok(members),
        other => Err(Fault::NotAnObject(shown::kind(&other))),
    }
}

/// Reads the one value that `text` consists of.
pub(crate) fn document(text: &str) -> Result<Value, Fault> {
    value(read(text)?, 0)
}

fn read<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::Syntax(error.to_string()))
}

/// A value `depth` containers below the top. Each container is read again for those inside it,
/// which [`MAX_DEPTH`] bounds.
fn value(raw: &RawValue, depth: usize) -> Result<Value, Fault> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'{') => Value::Object(members(text, deeper(depth)?)?),
        Some(b'[') => {
            let below = deeper(depth)?;
            let items: Vec<&RawValue> = read(text)?;
            let items = items.into_iter().map(|item| value(item, below));
            Value::Array(items.collect::<Result<_, _>>()?)
        }
        Some(b'"') => Value::String(without_nul(read(text)?)?),
        Some(b't' | b'f') => Value::Bool(read(text)?),
        Some(b'n') => Value::Null,
        _ => Value::Number(Number::new(text).ok_or(Fault::LongNumber)?),
    })
}

fn members(text: &str, depth: usize) -> Result<Map<String, Value>, Fault> {
    let Members(members) = read(text)?;
    let mut object = Map::new();
    for (name, member) in members {
        match object.entry(without_nul(name)?) {
            Entry::Vacant(vacant) => vacant.insert(value(member, depth)?),
            Entry::Occupied(first) => return Err(Fault::Duplicate(first.key().clone())),
        };
    }
    Ok(object)
}

fn deeper(depth: usize) -> Result<usize, Fault> {
    if depth == MAX_DEPTH {
        return Err(Fault::TooDeep);
    }
    Ok(depth + 1)
}

fn without_nul(text: String) -> Result<String, Fault> {
    if text.contains('\0') {
        return Err(Fault::Nul);
    }
    Ok(text)
}

/// An object's members in the order of the text, repeated ones too.
pub(crate) struct Members<'t>(pub(crate) Vec<(String, &'t RawValue)>);

impl<'t> Deserialize<'t> for Members<'t> {
    fn deserialize<D: Deserializer<'t>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'t> Visitor<'t> for All {
            type Value = Members<'t>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'t>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}
