//! Claims that a provider requires, and the values that it accepts.

use crate::path::ClaimPath;
use crate::shown;
use crate::value::{Map, Value};

/// A claim that must be present, and its accepted values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredClaim {
    /// The path to it.
    pub path: ClaimPath,
    /// Accepted values, of which any will do: strings, numbers and booleans. `None`: it must be
    /// there, whatever its value.
    pub values: Option<Vec<Value>>,
}

/// The state of a required claim in a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Met {
    Yes,
    /// It is absent or null.
    Absent,
    /// It is present, but its value is not accepted.
    Wrong,
}

impl RequiredClaim {
    /// Reads `["jti"]`, whose claims must be there, or
    /// `{"token_use": "access", "client_id": ["a", "b"], "jti": null}`: one value, any of several,
    /// and any value.
    ///
    /// # Errors
    /// Why it cannot be read, as a sentence.
    pub fn parse_all(json: &Value) -> Result<Vec<Self>, String> {
        match json {
            Value::Array(names) => names.iter().map(Self::present).collect(),
            Value::Object(members) => members
                .iter()
                .map(|(path, value)| Self::parse(path, value))
                .collect(),
            other => Err(format!(
                "It is {} instead of an object or an array of names.",
                shown::kind(other)
            )),
        }
    }

    fn present(name: &Value) -> Result<Self, String> {
        let Value::String(path) = name else {
            return Err(format!(
                "The array contains {} instead of the name of a claim.",
                shown::kind(name)
            ));
        };
        Ok(Self {
            path: parse_path(path)?,
            values: None,
        })
    }

    /// Reads one member: a path, and its value or values.
    ///
    /// # Errors
    /// Why it cannot be read, as a sentence.
    pub fn parse(path: &str, value: &Value) -> Result<Self, String> {
        let values = match value {
            Value::Null => None,
            Value::Array(values) if values.is_empty() => {
                return Err(format!(
                    "The array of {} is empty, so no token could match.",
                    shown::text(path)
                ));
            }
            Value::Array(values) => Some(values.clone()),
            one => Some(vec![one.clone()]),
        };
        let composite = values.iter().flatten().find(|value| !is_scalar(value));
        if let Some(composite) = composite {
            return Err(format!(
                "A value of {} is {}; strings, numbers and booleans can be compared.",
                shown::text(path),
                shown::kind(composite)
            ));
        }
        Ok(Self {
            path: parse_path(path)?,
            values,
        })
    }

    pub(crate) fn judge(&self, claims: &Map<String, Value>) -> Met {
        match (self.path.find(claims), &self.values) {
            (None, _) => Met::Absent,
            (Some(found), Some(values)) if !is_one_of(found, values) => Met::Wrong,
            _ => Met::Yes,
        }
    }
}

fn parse_path(path: &str) -> Result<ClaimPath, String> {
    path.parse()
        .map_err(|bad| format!("The path {} {bad}.", shown::text(path)))
}

fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_))
}

/// Whether a claim is one of the accepted values, or an array with one of them in it: of the same
/// type, so that the text "1" is not the number 1.
pub(crate) fn is_one_of(found: &Value, accepted: &[Value]) -> bool {
    match found {
        Value::Array(items) => items.iter().any(|item| accepted.contains(item)),
        one => accepted.contains(one),
    }
}
