//! What an identity is.

use std::cell::OnceCell;

use neon_auth_token::Verified;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::jsonb::Jsonb;
use crate::provider::Provider;

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
    /// The Postgres role that was set with it, where its provider maps one.
    pub role: Option<String>,
    /// `exp` plus the provider's leeway: readers refuse from this second on.
    pub valid_until: Option<i64>,
    /// Every claim.
    pub claims: Map<String, Value>,
    /// The same as text, for whoever inherits it: see `to_text`.
    text: String,
    /// The claims as `jsonb`, and the claim `o`; made when first asked for.
    jsonb: OnceCell<Jsonb>,
    organization: OnceCell<Option<Jsonb>>,
}

/// An identity as text: one line of JSON, with the claims as they came.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    provider: Option<&'a str>,
    role: Option<&'a str>,
    valid_until: Option<i64>,
    #[serde(borrow)]
    claims: &'a RawValue,
}

const NO_OBJECT: &str = "The claims are no JSON object.";

impl Identity {
    /// The identity that a provider's verified token gives, with the role that comes with it.
    pub fn verified(provider: &Provider, verified: &Verified, role: Option<&str>) -> Self {
        let leeway = provider.policy.leeway.try_into().unwrap_or(i64::MAX);
        let valid_until = verified.expires_at().saturating_add(leeway);
        let stored = |claims| Stored {
            provider: Some(&provider.name),
            role,
            valid_until: Some(valid_until),
            claims,
        };
        serde_json::from_str(verified.claims_json())
            .map_err(|_| "A verified token's claims are JSON.")
            .and_then(|claims| Self::new(&stored(claims)))
            .expect("a verified token has sub and exp")
    }

    /// The identity that nobody vouches for. Answers a reason where the claims cannot be one:
    /// no `sub`, or an `exp` that is no whole number.
    pub fn impersonated(claims: &Map<String, Value>) -> Result<Self, &'static str> {
        let json = Value::Object(claims.clone()).to_string();
        Self::new(&Stored {
            provider: None,
            role: None,
            valid_until: claims.get("exp").and_then(Value::as_i64),
            claims: serde_json::from_str(&json).map_err(|_| NO_OBJECT)?,
        })
    }

    fn new(stored: &Stored) -> Result<Self, &'static str> {
        let claims: Map<String, Value> =
            serde_json::from_str(stored.claims.get()).map_err(|_| NO_OBJECT)?;
        let subject = match claims.get("sub") {
            Some(Value::String(sub)) if !sub.is_empty() => sub.clone(),
            _ => return Err("The claim sub is missing or is not a string with characters."),
        };
        let expires_at = match claims.get("exp") {
            None => None,
            Some(exp) => Some(
                exp.as_i64()
                    .ok_or("The claim exp is no whole number of seconds.")?,
            ),
        };
        Ok(Self {
            provider: stored.provider.map(str::to_owned),
            role: stored.role.map(str::to_owned),
            uuid: hyphenated(&subject),
            subject,
            expires_at,
            valid_until: stored.valid_until,
            claims,
            text: serde_json::to_string(stored).map_err(|_| NO_OBJECT)?,
            jsonb: OnceCell::new(),
            organization: OnceCell::new(),
        })
    }

    /// The identity as text, from which `from_text` makes it again.
    pub fn to_text(&self) -> &str {
        &self.text
    }

    /// Reads back what `to_text` wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        Self::new(&serde_json::from_str(text).ok()?).ok()
    }

    /// All claims.
    pub fn jsonb(&self) -> &Jsonb {
        self.jsonb
            .get_or_init(|| Jsonb::from_json(&Value::Object(self.claims.clone()).to_string()))
    }

    /// The claim `o`, where it is an object.
    pub fn organization(&self) -> Option<&Jsonb> {
        let made = || match self.claims.get("o")? {
            organization @ Value::Object(_) => Some(Jsonb::from_json(&organization.to_string())),
            _ => None,
        };
        self.organization.get_or_init(made).as_ref()
    }

    /// A claim that is a string.
    pub fn string(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A claim that is a boolean.
    pub fn boolean(&self, claim: &str) -> Option<bool> {
        self.claims.get(claim)?.as_bool()
    }

    /// What stands at a path of member names, and of positions in arrays.
    pub fn at(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.claims.get(first)?, |value, step| match value {
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
