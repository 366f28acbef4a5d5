//! API keys: looked up by their hash in the extension's own table.

use std::cell::Cell;
use std::rc::Rc;

use neon_auth_token::{Map, Value};
use neon_auth_wire::api_key::{self, KeyText};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::admitted::{Admitted, Proof};
use super::owner;
use super::user_claims::seconds;
use crate::clock::{self, SECOND};
use crate::error::Problem;
use crate::identity::{ApiKey, Identity, KeyTable, Vouched};
use crate::pg::index::Table;
use crate::pg::row::Row;
use crate::pg::spi;

/// How often the use of a key is recorded.
const USE_NOTED_EVERY: i64 = 3600 * SECOND;

/// The identity of the owner of this key.
pub fn admit(text: &str) -> Result<Rc<Admitted>, Problem> {
    let text = parsed(text)?;
    let key = Table::ApiKeys.find_latest(&[&text.hash()], |row| Some(Key::read(row)));
    let key = key.ok_or_else(|| Problem::NoApiKey {
        prefix: text.shown().to_owned(),
    })?;
    key.demand_open()?;
    key.admitted()
}

/// The text of a key, of the right form.
pub fn parsed(text: &str) -> Result<KeyText<'_>, Problem> {
    KeyText::parse(text).map_err(|defect| Problem::MalformedApiKey { defect })
}

/// Records that a key signed in, unless that was recorded within the last hour. Nobody notices it: it
/// does not wait or fail, and is left out where a later failure of the transaction could be due to it.
pub fn note_use(key: &ApiKey) {
    // SAFETY: reads the state of the process and of its transaction.
    let can_write = unsafe {
        !pg_sys::XactReadOnly
            && !pg_sys::RecoveryInProgress()
            && pg_sys::XactIsoLevel != pg_sys::XACT_SERIALIZABLE as i32
    };
    if key.table != KeyTable::Own || !can_write {
        return;
    }
    let last = Table::ApiKeyUses.find_latest(&[&key.id], |row| {
        Some(row.microseconds(c"last_used_at").unwrap_or(i64::MIN))
    });
    let is_due = |last: i64| clock::microseconds().saturating_sub(last) >= USE_NOTED_EVERY;
    if last.is_some_and(is_due) {
        spi::write("SELECT neon_auth_internal.note_api_key_use($1)", &[&key.id]);
    }
}

/// An error if the key of an identity has ended since, has other bounds, or its owner is deleted or
/// banned.
pub fn demand_valid(identity: &Identity, bounds: &ApiKey) -> Result<(), Problem> {
    let key = Key::with_id(&bounds.id).ok_or(Problem::ApiKeyGone)?;
    key.demand_open()?;
    let is_same = key.user == identity.subject
        && key.team == bounds.team
        && key.permissions == bounds.permissions;
    if !is_same {
        return Err(Problem::ApiKeyChanged { id: key.id });
    }
    owner::find(&key.user)?;
    Ok(())
}

/// A row of the table.
struct Key {
    id: String,
    user: String,
    permissions: Option<Vec<String>>,
    team: Option<String>,
    /// Times are in microseconds since 1970.
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
}

impl Key {
    fn with_id(id: &str) -> Option<Self> {
        Table::ApiKeysById.find_latest(&[id], |row| Some(Self::read(row)))
    }

    fn read(row: &Row) -> Self {
        let permissions = row.texts(c"permissions");
        Self {
            id: row.text_owned(c"id").unwrap_or_default(),
            user: row.text_owned(c"user_id").unwrap_or_default(),
            permissions: permissions.map(|listed| listed.into_iter().flatten().collect()),
            team: row.text_owned(c"team_id"),
            created_at: row.microseconds(c"created_at").unwrap_or_default(),
            expires_at: row.microseconds(c"expires_at"),
            revoked_at: row.microseconds(c"revoked_at"),
        }
    }

    /// Refuses a key that was revoked or has expired.
    fn demand_open(&self) -> Result<(), Problem> {
        let id = || self.id.clone();
        if let Some(at) = self.revoked_at {
            let at = at.div_euclid(SECOND);
            return Err(Problem::ApiKeyRevoked { id: id(), at });
        }
        let Some(until) = self.expires_at else {
            return Ok(());
        };
        match clock::microseconds().saturating_sub(until) {
            ago @ 0.. => Err(Problem::ApiKeyExpired {
                id: id(),
                ago: ago / SECOND,
            }),
            _ => Ok(()),
        }
    }

    fn admitted(self) -> Result<Rc<Admitted>, Problem> {
        let owner = owner::find(&self.user)?;
        let mut claims = owner.claims;
        let mut add = |name: &str, value: Option<Value>| {
            claims.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("iat", seconds(self.created_at));
        add("exp", self.expires_at.and_then(seconds));
        add(
            owner.kind.claims().selected_team_id,
            self.team.clone().map(Value::String),
        );
        let vouched = Vouched {
            provider: owner
                .provider
                .as_ref()
                .map(|provider| provider.name.as_str()),
            kind: owner.kind,
            leeway: 0,
            // The issuer made none of these claims, so its names for them do not apply.
            mapped: Map::new(),
            role: owner.role.role.as_deref(),
        };
        let bounds = ApiKey {
            id: self.id,
            table: KeyTable::Own,
            permissions: self.permissions,
            team: self.team,
        };
        let identity = Identity::of_api_key(vouched, bounds, claims).map_err(|defect| {
            Problem::MalformedApiKey {
                defect: defect.to_owned(),
            }
        })?;
        Ok(Rc::new(Admitted {
            identity: Rc::new(identity),
            proof: Proof::ApiKey,
            role: owner.role,
            provider: owner.provider,
            has_row: Cell::new(false),
        }))
    }
}

/// `neon_auth_internal.api_key_refusal(id)`: why a key is refused, as a sentence; NULL if it is
/// accepted.
#[pg_extern(sql = false)]
fn api_key_refusal(id: &str) -> Option<String> {
    let judged = Key::with_id(id).ok_or(Problem::ApiKeyGone).and_then(|key| {
        key.demand_open()?;
        owner::find(&key.user)
    });
    judged.err().map(|problem| problem.sentence())
}

/// `neon_auth_internal.check_api_key_owner(user_id)`.
#[pg_extern(sql = false)]
fn check_api_key_owner(user: &str) -> Result<(), ErrorReport> {
    owner::find(user).map_err(|problem| Problem::UnfitOwner {
        why: problem.sentence(),
    })?;
    Ok(())
}

/// `neon_auth_internal.random_api_key()`: a key, its hash, and its beginning.
#[pg_extern(sql = false)]
fn random_api_key() -> Result<
    TableIterator<
        'static,
        (
            name!(key, String),
            name!(hash, String),
            name!(prefix, String),
        ),
    >,
    ErrorReport,
> {
    let key = api_key::random();
    let text = parsed(&key)?;
    let (hash, prefix) = (text.hash(), text.shown().to_owned());
    Ok(TableIterator::once((key, hash, prefix)))
}
