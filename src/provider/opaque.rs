//! Session tokens of Better Auth: looked up in its table of sessions. A text that is not one may be an
//! API key of Better Auth.
//!
//! A token is random text. It comes bare, or as in the cookie: with a dot and its signature, an
//! HMAC-SHA256 under the application's secret in base64, URL-encoded or not. If the secret is
//! stored, a signature must verify. The identity contains the session's id, never the token.

use std::cell::Cell;
use std::rc::Rc;

use aws_lc_rs::hmac::{self, HMAC_SHA256, Key};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use neon_auth_token::{Map, Value, judge_claims};

use super::admitted::{Admitted, Proof};
use super::credential::longest;
use super::extend::Times;
use super::table_users::Demand;
use super::tables::{self, Bound, What};
use super::trust::{self, Provider};
use super::user_claims::{self, seconds};
use super::{extend, role, table_api_keys, table_users};
use crate::clock::{self, SECOND};
use crate::error::{Credential, Problem};
use crate::identity::{Identity, Vouched};
use crate::pg::index::Table;
use crate::pg::others::OthersRow;

/// Better Auth's tokens have 32 characters.
const LONGEST: usize = 255;
/// The name of the secret in `neon_auth_internal.secrets`; several are separated by line
/// breaks, because a secret may contain blanks.
const SECRET: &str = "better_auth_secret";
/// The length of a signature.
const SIGNATURE_BYTES: usize = 32;
/// The end of the cookie's name, with the character after it, which is not in any token.
const COOKIE: &str = "session_token=";
/// The prefix of a JWT: `{"` in base64url.
const JWT_PREFIX: &str = "eyJ";

/// The provider of Better Auth, if this credential is a session token: a text without the two dots
/// of a JWT, or with the name of the cookie, where such a provider is configured.
pub fn provider_for(text: &str) -> Result<Option<Rc<Provider>>, Problem> {
    // Searches for one byte, because every JWT passes here.
    let has_two_dots = || text.split('.').nth(2).is_some();
    let is_bare = || !text.is_empty() && !has_two_dots() && !text.contains(' ');
    let is_cookie = || text.contains('=') && text.contains(COOKIE);
    if text.len() > longest() || !(is_bare() || is_cookie()) {
        return Ok(None);
    }
    trust::current()?.better_auth()
}

/// Whether session tokens are credentials in this database.
pub fn takes_sessions() -> Result<bool, Problem> {
    Ok(trust::current()?.better_auth()?.is_some())
}

/// The identity of the session that has this token, or else of the API key.
pub fn admit(text: &str, provider: &Rc<Provider>) -> Result<Rc<Admitted>, Problem> {
    match session(text) {
        Ok(session) => admit_session(&session, provider),
        Err(problem) => match table_api_keys::admit_if_any(text, provider) {
            Ok(Some(admitted)) => Ok(admitted),
            Ok(None) => Err(problem),
            // A database that lost the table still says which texts are not session tokens.
            Err(unusable @ Problem::UnusableTable { .. }) => Err(match problem {
                Problem::NoSession { looks_like_jwt, .. } => Problem::NoSession {
                    looks_like_jwt,
                    keys: Some(unusable.sentence()),
                },
                problem => problem,
            }),
            Err(problem) => Err(problem),
        },
    }
}

/// The session that has this token.
fn session(text: &str) -> Result<Session, Problem> {
    let presented = Presented::parse(text)?;
    presented.demand_signature()?;
    let session = Session::with_token(&presented.token)?;
    session.ok_or_else(|| Problem::NoSession {
        looks_like_jwt: presented.token.starts_with(JWT_PREFIX),
        keys: None,
    })
}

fn admit_session(session: &Session, provider: &Rc<Provider>) -> Result<Rc<Admitted>, Problem> {
    session.demand_open()?;
    let mut claims = table_users::find(Credential::Session, &session.user, |table, row| {
        session.claims(provider, table, row)
    })?;
    if let Some(until) = session.extended() {
        claims.extend(seconds(until).map(|exp| ("exp".to_owned(), exp)));
    }
    judge_claims(&claims, &provider.policy).map_err(Problem::Session)?;
    let role = role::of_session(provider, &claims)?;
    let vouched = Vouched {
        provider: Some(&provider.name),
        kind: provider.kind,
        leeway: 0,
        mapped: provider.claim_map.resolve(&claims),
        role: role.role.as_deref(),
    };
    let identity = Identity::of_session(vouched, &session.id, claims).map_err(|defect| {
        Problem::MalformedSession {
            defect: defect.to_owned(),
        }
    })?;
    Ok(Rc::new(Admitted {
        provider: Some(Rc::clone(provider)),
        identity: Rc::new(identity),
        proof: Proof::Session,
        role,
        has_row: Cell::new(false),
    }))
}

/// An error if the session has ended since, or its user is deleted or banned.
pub fn demand_open(id: &str, subject: &str) -> Result<(), Problem> {
    let session = Session::with("id", id)?.filter(|session| session.user == subject);
    session
        .ok_or(Problem::NoSession {
            looks_like_jwt: false,
            keys: None,
        })?
        .demand_open()?;
    table_users::demand(Credential::Session, subject, Demand::BOTH)
}

/// Refuses the value of a cookie that is not signed, if a secret is stored: as Better Auth does.
pub fn demand_signed(cookie: &str) -> Result<(), Problem> {
    match Presented::parse(cookie)?.signature {
        None if !secrets().is_empty() => Err(Problem::UnsignedCookie),
        _ => Ok(()),
    }
}

/// A token as it was presented.
struct Presented {
    token: String,
    signature: Option<Vec<u8>>,
}

impl Presented {
    fn parse(text: &str) -> Result<Self, Problem> {
        let malformed = |defect: &str| Problem::MalformedSession {
            defect: defect.to_owned(),
        };
        if text.contains(COOKIE) {
            return Err(Problem::NamedCookie);
        }
        let decoded = match text.contains('%') {
            true => percent_decoded(text)
                .ok_or_else(|| malformed("It contains an invalid percent-encoding."))?,
            false => text.to_owned(),
        };
        let (token, signature) = match decoded.rsplit_once('.') {
            None => (decoded, None),
            Some((token, signature)) => {
                let bytes = BASE64_STANDARD.decode(signature).ok();
                let bytes = bytes.filter(|bytes| bytes.len() == SIGNATURE_BYTES);
                let bytes = bytes.ok_or_else(|| {
                    malformed("The part after the last dot is not a signature: 32 bytes in base64.")
                })?;
                (token.to_owned(), Some(bytes))
            }
        };
        if !(1..=LONGEST).contains(&token.len()) {
            return Err(malformed(&format!(
                "The token has {} bytes; 1 to {LONGEST} are accepted.",
                token.len()
            )));
        }
        if token.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(malformed("It contains a blank or a control character."));
        }
        Ok(Self { token, signature })
    }

    /// Refuses a signature that no stored secret made. Compares in constant time.
    fn demand_signature(&self) -> Result<(), Problem> {
        let Some(signature) = &self.signature else {
            return Ok(());
        };
        let keys = secrets();
        let is_ours = |key: &Key| hmac::verify(key, self.token.as_bytes(), signature).is_ok();
        if keys.is_empty() || keys.iter().any(is_ours) {
            return Ok(());
        }
        Err(Problem::SessionSignature)
    }
}

/// The keys of the stored secrets: more than one while a new one replaces an old one.
fn secrets() -> Vec<Key> {
    let stored = Table::Secrets.find(&[SECRET], |row| row.text(c"value").map(str::to_owned));
    let stored = stored.unwrap_or_default();
    let key = |secret: &str| Key::new(HMAC_SHA256, secret.as_bytes());
    let lines = stored.lines().filter(|line| !line.trim().is_empty());
    lines.map(key).collect()
}

/// `None` for what is not percent-encoding of UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let [high, low, after @ ..] = rest else {
            return None;
        };
        let digit = |byte: u8| char::from(byte).to_digit(16);
        bytes.push((digit(*high)? * 16 + digit(*low)?) as u8);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// A row of the table of sessions.
struct Session {
    id: String,
    user: String,
    /// In microseconds since 1970.
    expires_at: i64,
    created_at: Option<i64>,
    organization: Option<String>,
    team: Option<String>,
    impersonator: Option<String>,
}

impl Session {
    fn with_token(token: &str) -> Result<Option<Self>, Problem> {
        Self::with("token", token)
    }

    fn with(column: &'static str, key: &str) -> Result<Option<Self>, Problem> {
        let table = tables::bound(What::Session)?;
        Ok(table.find(table.required(column), key, |row| Self::read(&table, row)))
    }

    /// `None` for a row without an id, a user or an end.
    fn read(table: &Bound, row: &OthersRow) -> Option<Self> {
        let text = |canonical| row.text(table.column(canonical)?);
        let time = |canonical| row.microseconds(table.column(canonical)?);
        Some(Self {
            id: text("id")?,
            user: text("userId")?,
            expires_at: time("expiresAt")?,
            created_at: time("createdAt"),
            organization: text("activeOrganizationId"),
            team: text("activeTeamId"),
            impersonator: text("impersonatedBy"),
        })
    }

    fn demand_open(&self) -> Result<(), Problem> {
        let ago = clock::microseconds().saturating_sub(self.expires_at);
        match ago {
            0.. => Err(Problem::SessionExpired { ago: ago / SECOND }),
            _ => Ok(()),
        }
    }

    /// The new end of the session, if it was extended. One of an impersonator is not.
    fn extended(&self) -> Option<i64> {
        if self.impersonator.is_some() {
            return None;
        }
        let times = Times {
            created_at: self.created_at?,
            expires_at: self.expires_at,
        };
        extend::if_due(&self.id, &times)
    }

    /// The claims of the session and its user, under the names that Better Auth's JWTs have.
    fn claims(&self, provider: &Provider, table: &Bound, row: &OthersRow) -> Map<String, Value> {
        let mut claims = user_claims::of_row(provider, &self.user, table, row);
        let mut add = |name: &str, value: Option<Value>| {
            claims.extend(value.map(|value| (name.to_owned(), value)));
        };
        let text = |text: &Option<String>| text.clone().map(Value::String);
        add("sid", Some(Value::String(self.id.clone())));
        add("iat", self.created_at.and_then(seconds));
        add("exp", seconds(self.expires_at));
        add("activeOrganizationId", text(&self.organization));
        add("activeTeamId", text(&self.team));
        add("impersonatedBy", text(&self.impersonator));
        claims
    }
}
