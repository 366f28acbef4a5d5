//! What an identity is.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;

/// The claims of a verified token, or of `impersonate`, with what readers ask for most kept
/// ready in its own type.
pub struct Identity {
    /// Name of the provider that vouched for it; `None` when impersonated.
    pub provider: Option<String>,
    /// `sub`.
    pub subject: String,
    /// `sub` where it is a UUID in its hyphenated form.
    pub uuid: Option<Uuid>,
    /// `exp`, in seconds since 1970.
    pub expires_at: Option<i64>,
    /// `exp` plus the provider's leeway: readers refuse from this second on.
    pub valid_until: Option<i64>,
    /// Every claim.
    pub claims: Map<String, Value>,
    /// Orders the identities of a session, see `store::Admission`.
    pub epoch: u64,
}

/// An identity as the store keeps it: one line of JSON, with the claims as they came.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    epoch: u64,
    provider: Option<String>,
    valid_until: Option<i64>,
    #[serde(borrow)]
    claims: &'a RawValue,
}

impl Identity {
    /// Builds an identity. Answers a reason where the claims cannot be one: no `sub`, or an
    /// `exp` that is no whole number.
    pub fn new(
        provider: Option<String>,
        valid_until: Option<i64>,
        claims: Map<String, Value>,
        epoch: u64,
    ) -> Result<Self, &'static str> {
        let subject = match claims.get("sub") {
            Some(Value::String(sub)) if !sub.is_empty() => sub.clone(),
            _ => return Err("The claim sub is missing or is not a string with characters."),
        };
        let expires_at = match claims.get("exp") {
            None => None,
            Some(exp) => Some(exp.as_i64().ok_or("The claim exp is no whole number of seconds.")?),
        };
        Ok(Self {
            provider,
            uuid: hyphenated(&subject),
            subject,
            expires_at,
            valid_until,
            claims,
            epoch,
        })
    }

    /// The line that the store keeps. `claims_json` is the text of `self.claims`.
    pub fn to_line(&self, claims_json: &str) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Stored {
            epoch: self.epoch,
            provider: self.provider.clone(),
            valid_until: self.valid_until,
            claims: serde_json::from_str(claims_json)?,
        })
    }

    /// Reads back what `to_line` wrote.
    pub fn from_line(line: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(line).ok()?;
        let claims = serde_json::from_str(stored.claims.get()).ok()?;
        Self::new(stored.provider, stored.valid_until, claims, stored.epoch).ok()
    }

    /// A claim that is a string.
    pub fn text(&self, claim: &str) -> Option<String> {
        self.claims.get(claim)?.as_str().map(str::to_owned)
    }

    /// A claim that is a boolean.
    pub fn boolean(&self, claim: &str) -> Option<bool> {
        self.claims.get(claim)?.as_bool()
    }

    /// What stands at a path of member names, and of positions in arrays.
    pub fn at(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.claims.get(first)?, |value, step| match value {
            Value::Object(members) => members.get(step),
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

/// A UUID in the form that Stack, and `uuid::text`, write; other spellings of a UUID are other
/// subjects, and must not become the same `uid()`.
pub fn hyphenated(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    (text.len() == 36 && text.eq_ignore_ascii_case(&uuid.hyphenated().to_string())).then_some(uuid)
}
