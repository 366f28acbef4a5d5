//! `claim_map`: which claims the readers of schema `auth` read, for issuers that use other names.

use neon_auth_token::{ClaimPath, Flag, Map, Value};

use crate::error::quoted;

/// Readers of string claims.
const TEXTS: [&str; 5] = [
    "role",
    "email",
    "selected_team_id",
    "organization_id",
    "session_id",
];
/// Readers of boolean claims.
const FLAGS: [&str; 2] = [EMAIL_VERIFIED, IS_ANONYMOUS];
/// Parts of `auth.actor()`: any value counts, so that an odd type does not hide who acts.
const WHO_ACTS: [&str; 2] = ["impersonator", "agent"];
const EMAIL_VERIFIED: &str = "email_verified";
const IS_ANONYMOUS: &str = "is_anonymous";
const ORGANIZATION: &str = "organization";
const ORGANIZATION_ID: &str = "organization_id";

/// A provider's `claim_map`. Readers that it does not name read the claims of their own names.
#[derive(Default)]
pub struct ClaimMap {
    texts: Vec<(&'static str, ClaimPath)>,
    flags: Vec<(&'static str, Flag)>,
    who_acts: Vec<(&'static str, ClaimPath)>,
    organization: Option<Organization>,
}

/// The path of the organization.
enum Organization {
    /// An object; or only its id.
    At(ClaimPath),
    /// Separate claims, each with the name of the member that it becomes.
    Of(Vec<(String, ClaimPath)>),
}

impl ClaimMap {
    /// Parses `{"email": "emails.0", "organization": {"id": "org_id", "role": "org_role"}, …}`. An
    /// error is a sentence that says why the map is invalid.
    pub fn parse(json: &Value) -> Result<Self, String> {
        let Value::Object(members) = json else {
            return Err("The claim_map is not an object.".to_owned());
        };
        let mut map = Self::default();
        for (reader, value) in members {
            let at = |why: String| format!("The member {}: {why}", quoted(reader));
            if let Some(name) = TEXTS.into_iter().find(|name| name == reader) {
                map.texts.push((name, path(value).map_err(at)?));
            } else if let Some(name) = FLAGS.into_iter().find(|name| name == reader) {
                map.flags.push((name, Flag::parse(value).map_err(at)?));
            } else if let Some(name) = WHO_ACTS.into_iter().find(|name| name == reader) {
                map.who_acts.push((name, path(value).map_err(at)?));
            } else if reader == ORGANIZATION {
                map.organization = Some(Organization::parse(value).map_err(at)?);
            } else if ["sub", "user_id", "uid"].contains(&reader.as_str()) {
                return Err("The user is always the claim sub: another claim may be one that users write themselves.".to_owned());
            } else {
                return Err(format!(
                    "{} is not a reader that can be mapped.",
                    quoted(reader)
                ));
            }
        }
        Ok(map)
    }

    /// The readers that can be mapped, for a HINT.
    pub fn readers() -> String {
        let names = TEXTS.into_iter().chain(FLAGS).chain(WHO_ACTS);
        let names = names.chain([ORGANIZATION]);
        names.collect::<Vec<_>>().join(", ")
    }

    /// The claim that says whether the user is anonymous.
    pub fn is_anonymous(&self) -> Option<&Flag> {
        let mut flags = self.flags.iter();
        flags.find_map(|(name, flag)| (*name == IS_ANONYMOUS).then_some(flag))
    }

    /// The values of the mapped readers in a token's claims: null for an absent claim, so that the
    /// claim of the reader's own name is not used instead.
    pub fn resolve(&self, claims: &Map<String, Value>) -> Map<String, Value> {
        let mut found = Map::new();
        for (reader, path) in &self.texts {
            let text = path.find(claims).filter(|value| value.is_string());
            found.insert((*reader).to_owned(), text.cloned().unwrap_or(Value::Null));
        }
        for (reader, path) in &self.who_acts {
            let value = path.find(claims).cloned().unwrap_or(Value::Null);
            found.insert((*reader).to_owned(), value);
        }
        for (reader, flag) in &self.flags {
            // A value that is neither true nor false makes a user anonymous, and does not verify an
            // address.
            let said = flag.read(claims, (*reader == IS_ANONYMOUS).then_some(true));
            found.insert((*reader).to_owned(), said.map_or(Value::Null, Value::Bool));
        }
        if let Some(organization) = &self.organization {
            let organization = organization.resolve(claims);
            let id = organization.get("id").filter(|id| id.is_string()).cloned();
            let id = id.unwrap_or(Value::Null);
            found.entry(ORGANIZATION_ID.to_owned()).or_insert(id);
            found.insert(ORGANIZATION.to_owned(), organization);
        }
        found
    }
}

impl Organization {
    fn parse(json: &Value) -> Result<Self, String> {
        let Value::Object(members) = json else {
            return Ok(Self::At(path(json)?));
        };
        if members.is_empty() {
            return Err("The object has no members.".to_owned());
        }
        let parts = members
            .iter()
            .map(|(name, value)| Ok((name.clone(), path(value)?)));
        Ok(Self::Of(parts.collect::<Result<_, String>>()?))
    }

    fn resolve(&self, claims: &Map<String, Value>) -> Value {
        let parts: Map<String, Value> = match self {
            Self::At(path) => match path.find(claims) {
                Some(Value::Object(members)) => return Value::Object(members.clone()),
                Some(id @ Value::String(_)) => Map::from_iter([("id".to_owned(), id.clone())]),
                _ => return Value::Null,
            },
            Self::Of(parts) => parts
                .iter()
                .filter_map(|(name, path)| Some((name.clone(), path.find(claims)?.clone())))
                .collect(),
        };
        if parts.is_empty() {
            return Value::Null;
        }
        Value::Object(parts)
    }
}

fn path(json: &Value) -> Result<ClaimPath, String> {
    let text = json.as_str().ok_or("Its value is not a path.")?;
    text.parse()
        .map_err(|bad| format!("The path {} {bad}.", quoted(text)))
}
