//! Strict JSON: what two readers could understand differently is refused.
//!
//! Beyond the grammar of RFC 8259 this demands one object at the top, distinct member
//! names at every level (compared after unescaping), at most [`MAX_DEPTH`] nested
//! containers, and no U+0000 anywhere, since `jsonb` cannot hold it.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

use crate::shown;

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
    /// A string or a member name holds U+0000.
    Nul,
}

impl Fault {
    /// What was found, for a report.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::Syntax(what) => what.clone(),
            Self::NotAnObject(what) => format!("{what} instead of an object"),
            Self::Duplicate(name) => format!("the member {} repeats", shown::text(name)),
            Self::TooDeep => format!("more than {MAX_DEPTH} levels"),
            Self::Nul => "U+0000 in a string".to_owned(),
        }
    }
}

/// Checks that `bytes` are UTF-8.
pub(crate) fn utf8(bytes: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|error| {
        Fault::Syntax(format!(
            "no UTF-8 from byte {}",
            error.utf8_error().valid_up_to()
        ))
    })
}

/// Reads the one object that `text` consists of.
pub(crate) fn object(text: &str) -> Result<Map<String, Value>, Fault> {
    // serde's error type is fixed by the deserializer, so the reason travels beside it.
    let reason = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict {
        depth: 0,
        reason: &reason,
    }
    .deserialize(&mut deserializer)
    .and_then(|value| deserializer.end().map(|()| value))
    .map_err(|error| {
        reason
            .take()
            .unwrap_or_else(|| Fault::Syntax(error.to_string()))
    })?;
    match value {
        Value::Object(members) => Ok(members),
        other => Err(Fault::NotAnObject(shown::kind(&other))),
    }
}

/// Builds a [`Value`] `depth` containers below the top.
#[derive(Clone, Copy)]
struct Strict<'r> {
    depth: usize,
    reason: &'r RefCell<Option<Fault>>,
}

impl Strict<'_> {
    fn refuse<E: Error>(self, fault: Fault) -> E {
        *self.reason.borrow_mut() = Some(fault);
        E::custom("refused")
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse(Fault::TooDeep));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn without_nul<E: Error>(self, text: String) -> Result<String, E> {
        if text.contains('\0') {
            return Err(self.refuse(Fault::Nul));
        }
        Ok(text)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.visit_string(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        self.without_nul(value).map(Value::String)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let below = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            match object.entry(self.without_nul(name)?) {
                Entry::Vacant(vacant) => vacant.insert(members.next_value_seed(below)?),
                Entry::Occupied(first) => {
                    return Err(self.refuse(Fault::Duplicate(first.key().clone())));
                }
            };
        }
        Ok(Value::Object(object))
    }
}
