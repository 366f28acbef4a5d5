//! Claims that are true or false.

use crate::path::ClaimPath;
use crate::required::{RequiredClaim, is_one_of};
use crate::shown;
use crate::value::{Map, Value};

/// Where a token contains a flag about its user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flag {
    /// A claim that is a boolean, or the text "true" or "false".
    Claim(ClaimPath),
    /// A claim that is true if it has one of some values, such as Firebase's
    /// `sign_in_provider`, and false otherwise.
    Equals(ClaimPath, Vec<Value>),
}

impl Flag {
    /// The flag in an outermost claim.
    pub fn claim(name: &str) -> Self {
        Self::Claim(ClaimPath::name(name))
    }

    /// Reads a path, or an object with a path and the value or values that mean true.
    ///
    /// # Errors
    /// Why it cannot be read, as a sentence.
    pub fn parse(json: &Value) -> Result<Self, String> {
        match json {
            Value::String(path) => match path.parse() {
                Ok(path) => Ok(Self::Claim(path)),
                Err(bad) => Err(format!("The path {} {bad}.", shown::text(path))),
            },
            Value::Object(members) if members.len() == 1 => {
                let (path, value) = members.iter().next().expect("one member");
                match RequiredClaim::parse(path, value)? {
                    RequiredClaim {
                        path,
                        values: Some(values),
                    } => Ok(Self::Equals(path, values)),
                    _ => Err(format!("The value of {} is null.", shown::text(path))),
                }
            }
            Value::Object(_) => Err("The object must have one member.".to_owned()),
            other => Err(format!(
                "It is {} instead of a path, or an object with a path and a value.",
                shown::kind(other)
            )),
        }
    }

    /// The path to it.
    pub fn path(&self) -> &ClaimPath {
        match self {
            Self::Claim(path) | Self::Equals(path, _) => path,
        }
    }

    /// The flag's value: `None` if it is absent, `otherwise` if it is neither true nor false.
    pub fn read(&self, claims: &Map<String, Value>, otherwise: Option<bool>) -> Option<bool> {
        let found = self.path().find(claims)?;
        match (self, found) {
            (Self::Equals(..), Value::Object(_)) => otherwise,
            (Self::Equals(_, values), found) => Some(is_one_of(found, values)),
            (Self::Claim(_), found) => found.truth().or(otherwise),
        }
    }
}
