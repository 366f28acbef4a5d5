//! Issuers of which there is one for each tenant.

use std::fmt;
use std::str::FromStr;

use crate::path::ClaimPath;
use crate::value::{Map, Value};

/// Longest value of a claim within an issuer, in bytes.
const MAX_VALUE: usize = 255;

/// An issuer such as `https://login.microsoftonline.com/{tid}/v2.0`, where one whole segment of
/// the path must equal a claim of the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerTemplate {
    before: String,
    claim: ClaimPath,
    after: String,
}

impl IssuerTemplate {
    /// Whether a text is meant as a template: issuers themselves contain no braces (RFC 3986).
    pub fn is_meant(issuer: &str) -> bool {
        issuer.contains(['{', '}'])
    }

    /// The claim that stands in the issuer.
    pub fn claim(&self) -> &ClaimPath {
        &self.claim
    }

    /// The issuer of one tenant; `None` for a value that cannot stand in a template.
    pub fn issuer_of(&self, value: &Value) -> Option<String> {
        let value = value.as_str().filter(|value| is_segment(value))?;
        Some(format!("{}{value}{}", self.before, self.after))
    }

    /// Whether a token's issuer is the template with the token's own claim in it.
    pub fn fits(&self, issuer: &str, claims: &Map<String, Value>) -> bool {
        self.claim
            .find(claims)
            .and_then(|value| self.issuer_of(value))
            .is_some_and(|expected| expected == issuer)
    }
}

impl fmt::Display for IssuerTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{{{}}}{}", self.before, self.claim.text(), self.after)
    }
}

impl FromStr for IssuerTemplate {
    type Err = &'static str;

    /// Reads a template.
    ///
    /// # Errors
    /// Why it is not a template, as the end of a sentence.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        let (before, rest) = text
            .split_once('{')
            .ok_or("has a brace that is not opened")?;
        let (claim, after) = rest
            .split_once('}')
            .ok_or("has a brace that is not closed")?;
        if before.contains('}') || claim.contains('{') || after.contains(['{', '}']) {
            return Err("has braces other than those around one claim");
        }
        let path = before
            .strip_prefix("https://")
            .or_else(|| before.strip_prefix("http://"))
            .and_then(|rest| rest.split_once('/'));
        match path {
            Some((host, _)) if !host.is_empty() => {}
            _ => return Err("does not begin with https://, a host and a slash"),
        }
        if !before.ends_with('/') || !(after.is_empty() || after.starts_with('/')) {
            return Err("has a claim that is not a whole segment of the path");
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.:".contains(c);
        if claim.is_empty() || !claim.chars().all(is_name) {
            return Err("has no name of a claim between its braces");
        }
        Ok(Self {
            before: before.to_owned(),
            claim: claim
                .parse()
                .map_err(|_| "has no name of a claim between its braces")?,
            after: after.to_owned(),
        })
    }
}

/// Whether a value can be a segment of a path: without escapes, and not `.` or `..`.
fn is_segment(value: &str) -> bool {
    (1..=MAX_VALUE).contains(&value.len())
        && value
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        && !value.chars().all(|c| c == '.')
}
