//! Session tokens of Better Auth: looked up in its table of sessions. A text that is not one may be an
//! API key of Better Auth.
//!
//! A token is random text. `neon_auth_wire::cookie` reads it, bare or as in the cookie with its signature. If the
//! application's secret is stored, a signature must verify. The identity contains the session's id, never
//! the token.

use std::cell::Cell;
use std::rc::Rc;

use neon_auth_token::{Map, Value, judge_claims};
use neon_auth_wire::cookie::{self, BadToken, Presented};

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

/// The name of the secret in `neon_auth_internal.secrets`; several are separated by line
/// breaks, because a secret may contain blanks.
const SECRET: &str = "better_auth_secret";
/// The prefix of a JWT: `{"` in base64url.
const JWT_PREFIX: &str = "eyJ";

/// The provider of Better Auth, if this credential is a session token: a text without the two dots
/// of a JWT, or with the name of the cookie, where such a provider is configured.
pub fn provider_for(text: &str) -> Result<Option<Rc<Provider>>, Problem> {
    // Searches for one byte, because every JWT passes here.
    let has_two_dots = || text.split('.').nth(2).is_some();
    let is_bare = || !text.is_empty() && !has_two_dots() && !text.contains(' ');
    if text.len() > longest() || !(is_bare() || cookie::is_named(text)) {
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
    let presented = presented(text)?;
    if !presented.may_be_ours(lines(&secrets())) {
        return Err(Problem::SessionSignature);
    }
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
    match presented(cookie)?.is_signed() {
        false if lines(&secrets()).next().is_some() => Err(Problem::UnsignedCookie),
        _ => Ok(()),
    }
}

fn presented(text: &str) -> Result<Presented, Problem> {
    Presented::parse(text).map_err(|bad| match bad {
        BadToken::NamedCookie => Problem::NamedCookie,
        BadToken::Malformed(defect) => Problem::MalformedSession { defect },
    })
}

/// The stored secrets, in lines: more than one while a new one replaces an old one.
fn secrets() -> String {
    let stored = Table::Secrets.find(&[SECRET], |row| row.text(c"value").map(str::to_owned));
    stored.unwrap_or_default()
}

fn lines(secrets: &str) -> impl Iterator<Item = &str> {
    secrets.lines().filter(|line| !line.trim().is_empty())
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
