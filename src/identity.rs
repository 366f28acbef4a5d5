//! The identity of a session or transaction.

use std::borrow::Cow;
use std::cell::{Cell, OnceCell};

use neon_auth_token::{Map, Value, Verified, claim_at, claims_object};
use serde::{Deserialize, Serialize};
use serde_json::json;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::kind::{ClaimNames, Kind};
use crate::pg::jsonb::Jsonb;

/// The claims of a verified token, or of `impersonate`, with the most frequently read ones stored
/// in their own types.
pub struct Identity {
    /// Name of the provider that accepted the token; `None` when impersonated.
    pub provider: Option<String>,
    /// The provider's kind, which determines the names of claims.
    pub kind: Kind,
    /// `sub`.
    pub subject: String,
    /// `sub` if it is a UUID as PostgreSQL writes it: with hyphens, in lower case.
    pub uuid: Option<Uuid>,
    /// `exp`, in seconds since 1970.
    pub expires_at: Option<i64>,
    /// The Postgres role that was set with it, if its provider maps one.
    pub role: Option<String>,
    /// `exp` plus the provider's leeway: from this second on, readers raise an error.
    pub valid_until: Option<i64>,
    /// The id of the session whose token was the credential.
    pub session: Option<String>,
    /// The API key that was the credential.
    pub api_key: Option<ApiKey>,
    /// The number of changes of the revocations after which none applied to it.
    pub unrevoked_after: Cell<u64>,
    /// The database role that signed it in by `impersonate`.
    pub database_role: Option<String>,
    claims: Claims,
    /// The values that `claim_map` gives to readers, by the readers' names; null for an absent
    /// claim.
    mapped: Map<String, Value>,
    /// The beginning of its text, up to the claims.
    head: String,
    /// The claims as `jsonb`, and the organization; created at the first use.
    jsonb: OnceCell<Jsonb>,
    organization: OnceCell<Option<Jsonb>>,
}

/// What an identity keeps of an API key.
#[derive(Clone, Serialize, Deserialize)]
pub struct ApiKey {
    pub id: String,
    pub table: KeyTable,
    /// The permissions that it grants, of those that its owner has; `None` for all.
    pub permissions: Option<Vec<String>>,
    /// The only team that it is for; `None` for all of its owner's.
    pub team: Option<String>,
}

/// The table that has an API key.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyTable {
    /// `neon_auth_internal.api_keys`.
    Own,
    /// Better Auth's table `apikey`.
    BetterAuth,
}

/// The provider's part of an identity.
pub struct Vouched<'v> {
    /// The provider's name; `None` for an API key of a user whom no provider vouches for.
    pub provider: Option<&'v str>,
    pub kind: Kind,
    /// The seconds after `exp` for which the identity is still valid.
    pub leeway: u64,
    /// The values that `claim_map` gives to readers, by the readers' names; null for an absent
    /// claim.
    pub mapped: Map<String, Value>,
    /// The credential's Postgres role.
    pub role: Option<&'v str>,
}

/// What an identity has besides its claims.
#[derive(Default)]
struct Around<'a> {
    provider: Option<&'a str>,
    kind: Option<Kind>,
    role: Option<&'a str>,
    valid_until: Option<i64>,
    session: Option<&'a str>,
    api_key: Option<ApiKey>,
    database_role: Option<&'a str>,
    mapped: Map<String, Value>,
}

/// All claims, parsed and as JSON text.
enum Claims {
    /// Claims of a token, shared with the cached result of its verification.
    Signed(Verified),
    /// Claims of `impersonate`, or inherited as text.
    Own {
        members: Map<String, Value>,
        json: String,
    },
}

/// An identity as text: one line of JSON, with the claims unchanged.
#[derive(Deserialize)]
struct Stored<'a> {
    provider: Option<&'a str>,
    kind: Option<&'a str>,
    role: Option<Cow<'a, str>>,
    valid_until: Option<i64>,
    session: Option<Cow<'a, str>>,
    api_key: Option<ApiKey>,
    database_role: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    mapped: Option<&'a RawValue>,
    #[serde(borrow)]
    claims: &'a RawValue,
}

impl Identity {
    /// The identity of a provider's verified token, with its role.
    pub fn verified(vouched: Vouched<'_>, verified: &Verified) -> Self {
        let leeway = vouched.leeway.try_into().unwrap_or(i64::MAX);
        let expires_at = verified.expires_at();
        let around = Around {
            provider: vouched.provider,
            kind: Some(vouched.kind),
            role: vouched.role,
            valid_until: Some(expires_at.saturating_add(leeway)),
            mapped: vouched.mapped,
            ..Around::default()
        };
        let subject = verified.subject().to_owned();
        let claims = Claims::Signed(verified.clone());
        Self::assembled(around, subject, Some(expires_at), claims)
    }

    /// The identity of a session, by its id, with claims made of its row and of its user's. It
    /// ends without leeway: both clocks are this server's. Returns a reason if the claims do not
    /// form an identity.
    pub fn of_session(
        vouched: Vouched<'_>,
        session: &str,
        claims: Map<String, Value>,
    ) -> Result<Self, &'static str> {
        let around = Around {
            session: Some(session),
            ..Around::default()
        };
        Self::of_row(vouched, around, claims)
    }

    /// The identity of an API key, with claims made of its owner's row; otherwise as that of a
    /// session.
    pub fn of_api_key(
        vouched: Vouched<'_>,
        key: ApiKey,
        claims: Map<String, Value>,
    ) -> Result<Self, &'static str> {
        let around = Around {
            api_key: Some(key),
            ..Around::default()
        };
        Self::of_row(vouched, around, claims)
    }

    fn of_row<'a>(
        vouched: Vouched<'a>,
        credential: Around<'a>,
        claims: Map<String, Value>,
    ) -> Result<Self, &'static str> {
        let (claims, json) = written(claims);
        let around = Around {
            provider: vouched.provider,
            kind: Some(vouched.kind),
            role: vouched.role,
            valid_until: seconds(&claims),
            mapped: vouched.mapped,
            ..credential
        };
        Self::own(around, claims, json)
    }

    /// An identity without a provider, signed in by a database role. Returns a reason if the claims
    /// do not form one: no `sub`, or an `exp` that is not a time.
    pub fn impersonated(claims: Map<String, Value>, by: &str) -> Result<Self, &'static str> {
        let (claims, json) = written(claims);
        let around = Around {
            valid_until: seconds(&claims),
            database_role: Some(by),
            ..Around::default()
        };
        Self::own(around, claims, json)
    }

    /// Parses the text that `write_to` wrote.
    pub fn from_text(text: &str) -> Option<Self> {
        let stored: Stored = serde_json::from_str(text).ok()?;
        let json = stored.claims.get();
        let claims = claims_object(json)?;
        let around = Around {
            provider: stored.provider,
            kind: Some(stored.kind.map_or(Some(Kind::Oidc), Kind::named)?),
            role: stored.role.as_deref(),
            valid_until: stored.valid_until,
            session: stored.session.as_deref(),
            api_key: stored.api_key,
            database_role: stored.database_role.as_deref(),
            mapped: match stored.mapped {
                Some(mapped) => claims_object(mapped.get())?,
                None => Map::new(),
            },
        };
        Self::own(around, claims, json.to_owned()).ok()
    }

    fn own(
        around: Around<'_>,
        claims: Map<String, Value>,
        json: String,
    ) -> Result<Self, &'static str> {
        let subject = match claims.get("sub") {
            Some(Value::String(sub)) if !sub.is_empty() => sub.clone(),
            _ => return Err("The claim sub is missing or is not a string with characters."),
        };
        let expires_at = seconds(&claims);
        if claims.contains_key("exp") && expires_at.is_none() {
            return Err("The claim exp is not a number of seconds within 64 bits.");
        }
        let claims = Claims::Own {
            members: claims,
            json,
        };
        Ok(Self::assembled(around, subject, expires_at, claims))
    }

    fn assembled(
        around: Around<'_>,
        subject: String,
        expires_at: Option<i64>,
        claims: Claims,
    ) -> Self {
        Self {
            head: around.head(),
            provider: around.provider.map(str::to_owned),
            kind: around.kind.unwrap_or(Kind::Oidc),
            uuid: hyphenated(&subject),
            subject,
            expires_at,
            role: around.role.map(str::to_owned),
            valid_until: around.valid_until,
            session: around.session.map(str::to_owned),
            api_key: around.api_key,
            unrevoked_after: Cell::new(0),
            database_role: around.database_role.map(str::to_owned),
            claims,
            mapped: around.mapped,
            jsonb: OnceCell::new(),
            organization: OnceCell::new(),
        }
    }

    /// Appends the identity as text, which `from_text` parses.
    pub fn write_to(&self, text: &mut String) {
        let claims = match &self.claims {
            Claims::Signed(verified) => verified.claims_json(),
            Claims::Own { json, .. } => json,
        };
        // With room for the NUL at the end of a C string.
        text.reserve_exact(self.head.len() + claims.len() + 2);
        text.push_str(&self.head);
        text.push_str(claims);
        text.push('}');
    }

    /// Every claim.
    pub fn claims(&self) -> &Map<String, Value> {
        match &self.claims {
            Claims::Signed(verified) => verified.claims(),
            Claims::Own { members, .. } => members,
        }
    }

    /// All claims as `jsonb`.
    pub fn jsonb(&self) -> &Jsonb {
        self.jsonb.get_or_init(|| {
            let json = match &self.claims {
                Claims::Signed(verified) => verified.claims_json(),
                Claims::Own { json, .. } => json,
            };
            Jsonb::from_json(json)
        })
    }

    /// The user's current organization, if it is an object.
    pub fn organization(&self) -> Option<&Jsonb> {
        let made = || match self.read("organization", self.names().organization)? {
            organization @ Value::Object(_) => Some(Jsonb::from_json(&organization.to_string())),
            _ => None,
        };
        self.organization.get_or_init(made).as_ref()
    }

    /// Its id.
    pub fn organization_id(&self) -> Option<&str> {
        let claims = self.claims();
        let mapped = self.mapped.get("organization_id");
        let id = mapped
            .or_else(|| claims.get(self.names().organization)?.get("id"))
            .or_else(|| claims.get(self.names().active_organization?));
        id?.as_str()
    }

    /// When the credential was issued, in seconds since 1970: the claim `iat`, rounded down; of a
    /// session, when it was created.
    pub fn issued_at(&self) -> Option<i64> {
        self.claims().get("iat")?.as_number()?.floor()
    }

    /// The id of the session at the auth service.
    pub fn session_id(&self) -> Option<&str> {
        self.string("session_id", self.names().session_id)
    }

    /// Who acts as the user. It is an id, unless the issuer writes something else there.
    pub fn impersonator(&self) -> Option<&Value> {
        let claims = self.claims();
        let own = self.names().impersonator.and_then(|name| claims.get(name));
        not_null(self.mapped.get("impersonator")).or_else(|| not_null(own))
    }

    /// The agent that acts for the user, as RFC 8693 describes it: the claim `act`, whatever its
    /// type.
    pub fn agent(&self) -> Option<&Value> {
        not_null(self.mapped.get("agent")).or_else(|| not_null(self.claims().get("act")))
    }

    /// The names that claims have.
    pub fn names(&self) -> &'static ClaimNames {
        self.kind.claims()
    }

    /// The string that a reader returns: the claim of that name, unless the provider maps it.
    pub fn string(&self, reader: &str, claim: &str) -> Option<&str> {
        self.read(reader, claim)?.as_str()
    }

    /// Whether the claims say that the address is verified.
    pub fn email_verified(&self) -> Option<bool> {
        match self.mapped.get("email_verified") {
            Some(mapped) => mapped.as_bool(),
            None => self.claims().get(self.names().email_verified)?.truth(),
        }
    }

    /// Whether the user is anonymous. A value that is neither true nor false means anonymous.
    pub fn is_anonymous(&self) -> Option<bool> {
        match self.mapped.get("is_anonymous") {
            Some(mapped) => mapped.as_bool(),
            None => self.claims().get(self.names().is_anonymous)?.restricts(),
        }
    }

    fn read(&self, reader: &str, claim: &str) -> Option<&Value> {
        let mapped = self.mapped.get(reader);
        mapped.or_else(|| self.claims().get(claim))
    }

    /// The value at a path of member names and array positions.
    pub fn at(&self, path: &[String]) -> Option<&Value> {
        claim_at(self.claims(), path)
    }
}

fn not_null(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null())
}

/// Claims and their JSON text.
fn written(claims: Map<String, Value>) -> (Map<String, Value>, String) {
    let object = Value::Object(claims);
    let json = object.to_string();
    match object {
        Value::Object(claims) => (claims, json),
        _ => unreachable!("an object was written"),
    }
}

/// The claim `exp`, rounded down like that of a token.
fn seconds(claims: &Map<String, Value>) -> Option<i64> {
    claims.get("exp")?.as_number()?.floor()
}

impl Around<'_> {
    /// The text of an identity, up to its claims, which are JSON already.
    fn head(&self) -> String {
        let mut head = format!(
            r#"{{"provider":{},"kind":"{}","role":{},"valid_until":{},"#,
            json!(self.provider),
            self.kind.unwrap_or(Kind::Oidc).name(),
            json!(self.role),
            json!(self.valid_until),
        );
        if let Some(session) = self.session {
            head.push_str(&format!(r#""session":{},"#, json!(session)));
        }
        if let Some(key) = &self.api_key {
            head.push_str(&format!(r#""api_key":{},"#, json!(key)));
        }
        if let Some(role) = self.database_role {
            head.push_str(&format!(r#""database_role":{},"#, json!(role)));
        }
        if !self.mapped.is_empty() {
            head.push_str(r#""mapped":"#);
            head.push_str(&Value::Object(self.mapped.clone()).to_string());
            head.push(',');
        }
        head.push_str(r#""claims":"#);
        head
    }
}

/// A UUID in the form that Stack and `uuid::text` write. Other spellings of a UUID, for example in
/// upper case, are other subjects, and must not result in the same `uid()`.
pub fn hyphenated(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    (text == uuid.hyphenated().to_string()).then_some(uuid)
}
