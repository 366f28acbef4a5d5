//! Where in the claims a value stands.

use std::fmt;
use std::str::FromStr;

use crate::value::{Map, Value};

/// Longest path, in bytes.
const MAX_PATH: usize = 1000;

/// The names that lead from the outermost claims to one value.
///
/// As text: names with dots between them, such as `app_metadata.role`. A name that itself contains
/// a dot stands in double quotes, with a double quote in it doubled:
/// `"https://hasura.io/jwt/claims".x-hasura-default-role`. A text that begins with `https://` or
/// `http://` is one name as a whole, because that is how namespaced claims look. What a path means
/// never depends on the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath {
    text: String,
    names: Vec<String>,
}

impl ClaimPath {
    /// The path to an outermost claim.
    pub fn name(name: &str) -> Self {
        Self {
            text: name.to_owned(),
            names: vec![name.to_owned()],
        }
    }

    /// The path as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value at the path; `None` if it is absent or null.
    pub fn find<'c>(&self, claims: &'c Map<String, Value>) -> Option<&'c Value> {
        claim_at(claims, &self.names).filter(|found| !found.is_null())
    }
}

/// What stands at a path of member names, and of positions in arrays.
pub fn claim_at<'c>(claims: &'c Map<String, Value>, path: &[String]) -> Option<&'c Value> {
    let (first, rest) = path.split_first()?;
    rest.iter()
        .try_fold(claims.get(first)?, |value, step| match value {
            Value::Object(members) => members.get(step),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
}

/// Why a text is not a path, as the end of a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadPath(&'static str);

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for BadPath {}

impl FromStr for ClaimPath {
    type Err = BadPath;

    fn from_str(text: &str) -> Result<Self, BadPath> {
        if text.len() > MAX_PATH {
            return Err(BadPath("is longer than 1000 bytes"));
        }
        if text.contains(char::is_control) {
            return Err(BadPath("contains a control character"));
        }
        if text == "$" || text.starts_with("$.") || text.starts_with("$[") {
            return Err(BadPath("begins with $, as paths of other kinds do"));
        }
        let names = if text.starts_with("https://") || text.starts_with("http://") {
            vec![text.to_owned()]
        } else {
            names(text)?
        };
        Ok(Self {
            text: text.to_owned(),
            names,
        })
    }
}

fn names(text: &str) -> Result<Vec<String>, BadPath> {
    let mut names = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_name(quoted)?,
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                let (name, after) = rest.split_at(end);
                if name.contains('"') {
                    return Err(BadPath("has a double quote within a name"));
                }
                if has_position(name) {
                    return Err(BadPath("has a position in brackets"));
                }
                if name.trim() != name {
                    return Err(BadPath("has a blank before or after a name"));
                }
                (name.to_owned(), after)
            }
        };
        if name.is_empty() {
            return Err(BadPath("has an empty name"));
        }
        names.push(name);
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(names),
            None => {
                return Err(BadPath(
                    "has something other than a dot after a quoted name",
                ));
            }
        }
    }
}

/// Whether a name ends as in `emails[0]`. Here that is `emails.0`; in quotes it is a name.
fn has_position(name: &str) -> bool {
    let position = name.strip_suffix(']').and_then(|name| name.split_once('['));
    position.is_some_and(|(_, position)| {
        !position.is_empty()
            && position
                .chars()
                .all(|c| c.is_ascii_digit() || "*[]".contains(c))
    })
}

/// The name up to the closing quote, and what follows that.
fn quoted_name(text: &str) -> Result<(String, &str), BadPath> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let (before, after) = rest
            .split_once('"')
            .ok_or(BadPath("has a double quote that is not closed"))?;
        name.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                name.push('"');
                rest = more;
            }
            None => return Ok((name, after)),
        }
    }
}
