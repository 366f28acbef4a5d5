//! API keys of Better Auth: looked up by their hash in its table `apikey`.
//!
//! The table contains SHA-256 of a key in base64url, so a role that can only read it cannot sign in.
//! Uses are not counted and rate limits not enforced: both would write the table.

use std::cell::Cell;
use std::rc::Rc;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use neon_auth_token::{Value, claims_object, judge_claims};

use super::admitted::{Admitted, Proof};
use super::role;
use super::table_users::{self, Demand};
use super::tables::{self, Bound, What};
use super::trust::Provider;
use super::user_claims::{self, seconds};
use crate::clock::{self, SECOND};
use crate::error::{Credential, KeyDefect, Problem};
use crate::identity::{ApiKey, Identity, KeyTable, Vouched};
use crate::pg::others::OthersRow;

/// Whether API keys of Better Auth are credentials in this database.
pub fn are_taken() -> Result<bool, Problem> {
    Ok(tables::bound_if_any(What::ApiKey)?.is_some())
}

/// The identity of the owner of the key with this text; `None` if there is no such key.
pub fn admit_if_any(text: &str, provider: &Rc<Provider>) -> Result<Option<Rc<Admitted>>, Problem> {
    let Some(table) = tables::bound_if_any(What::ApiKey)? else {
        return Ok(None);
    };
    let hash = BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, text.as_bytes()));
    let key = Key::with(&table, "key", &hash);
    key.map(|key| key.admitted(provider)).transpose()
}

/// An error if the key of an identity has ended since, grants other permissions, or its owner is
/// deleted or banned.
pub fn demand_valid(identity: &Identity, bounds: &ApiKey) -> Result<(), Problem> {
    let refused = |defect| Problem::KeyOfBetterAuth {
        id: bounds.id.clone(),
        defect,
    };
    let table = tables::bound(What::ApiKey)?;
    let key = Key::with(&table, "id", &bounds.id).ok_or_else(|| refused(KeyDefect::Gone))?;
    key.demand_open()?;
    if key.owner()? != identity.subject || bounds.permissions.as_ref() != Some(&key.permissions) {
        return Err(refused(KeyDefect::Changed));
    }
    table_users::demand(Credential::ApiKey, &identity.subject, Demand::BOTH)
}

/// A row of the table.
struct Key {
    id: String,
    owner: Option<Owner>,
    /// NULL counts as true, as in Better Auth.
    is_enabled: bool,
    /// Times are in microseconds since 1970.
    expires_at: Option<i64>,
    created_at: Option<i64>,
    /// `None`: any number of uses.
    uses_left: Option<i64>,
    permissions: Vec<String>,
}

/// Who owns a key.
enum Owner {
    /// The column has ids of users.
    User(String),
    /// The column has ids of users or of organizations, as the configuration says, which the database
    /// does not know.
    Reference(String),
}

impl Key {
    /// The row that has this text in a column. `None` for a row without an id.
    fn with(table: &Bound, column: &'static str, text: &str) -> Option<Self> {
        table.find(table.required(column), text, |row| Self::read(table, row))
    }

    fn read(table: &Bound, row: &OthersRow) -> Option<Self> {
        let text = |canonical| row.text(table.column(canonical)?);
        let time = |canonical| row.microseconds(table.column(canonical)?);
        let owner = match table.column("userId") {
            Some(column) => row.text(column).map(Owner::User),
            None => text("referenceId").map(Owner::Reference),
        };
        Some(Self {
            id: text("id")?,
            owner,
            is_enabled: row.boolean(table.required("enabled")).unwrap_or(true),
            expires_at: time("expiresAt"),
            created_at: time("createdAt"),
            uses_left: text("remaining").map(|left| left.parse().unwrap_or(0)),
            permissions: text("permissions").map_or_else(Vec::new, |json| permissions(&json)),
        })
    }

    fn refused(&self, defect: KeyDefect) -> Problem {
        Problem::KeyOfBetterAuth {
            id: self.id.clone(),
            defect,
        }
    }

    /// Refuses a key that is disabled, has expired or is used up.
    fn demand_open(&self) -> Result<(), Problem> {
        if !self.is_enabled {
            return Err(self.refused(KeyDefect::Disabled));
        }
        let ago = self
            .expires_at
            .map(|until| clock::microseconds().saturating_sub(until));
        if let Some(ago @ 0..) = ago {
            return Err(self.refused(KeyDefect::Expired { ago: ago / SECOND }));
        }
        match self.uses_left {
            Some(left @ ..=0) => Err(self.refused(KeyDefect::UsedUp { left })),
            _ => Ok(()),
        }
    }

    /// The id of the user who owns the key. Refuses an id that can be one of an organization too: that
    /// of another table, whose key it would be.
    fn owner(&self) -> Result<&str, Problem> {
        match &self.owner {
            None => Err(self.refused(KeyDefect::NoOwner)),
            Some(Owner::User(id)) => Ok(id),
            Some(Owner::Reference(id)) if id.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(self.refused(KeyDefect::OfANumber))
            }
            Some(Owner::Reference(id)) if is_organization(id)? => {
                Err(self.refused(KeyDefect::OfAnOrganization))
            }
            Some(Owner::Reference(id)) => Ok(id),
        }
    }

    fn admitted(self, provider: &Rc<Provider>) -> Result<Rc<Admitted>, Problem> {
        self.demand_open()?;
        let owner = self.owner()?;
        let mut claims = table_users::find(Credential::ApiKey, owner, |table, row| {
            user_claims::of_row(provider, owner, table, row)
        })?;
        let mut add = |name: &str, value: Option<Value>| {
            claims.extend(value.map(|value| (name.to_owned(), value)));
        };
        add("iat", self.created_at.and_then(seconds));
        add("exp", self.expires_at.and_then(seconds));
        judge_claims(&claims, &provider.policy).map_err(Problem::ApiKeyClaims)?;
        let role = role::of_api_key(provider, provider.policy.is_anonymous(&claims))?;
        let vouched = Vouched {
            provider: Some(&provider.name),
            kind: provider.kind,
            leeway: 0,
            mapped: provider.claim_map.resolve(&claims),
            role: role.role.as_deref(),
        };
        let bounds = ApiKey {
            id: self.id.clone(),
            table: KeyTable::BetterAuth,
            permissions: Some(self.permissions.clone()),
            team: None,
        };
        let identity = Identity::of_api_key(vouched, bounds, claims)
            .map_err(|defect| self.refused(KeyDefect::Malformed(defect)))?;
        Ok(Rc::new(Admitted {
            provider: Some(Rc::clone(provider)),
            identity: Rc::new(identity),
            proof: Proof::ApiKey,
            role,
            has_row: Cell::new(false),
        }))
    }
}

fn is_organization(id: &str) -> Result<bool, Problem> {
    let Some(table) = tables::bound_if_any(What::Organization)? else {
        return Ok(false);
    };
    let found = table.find(table.required("id"), id, |_| Some(()));
    Ok(found.is_some())
}

/// The permissions of a key as the mirror has them, `resource:action`, of Better Auth's
/// `{"resource": ["action"]}`. What is malformed grants nothing, as in Better Auth.
fn permissions(json: &str) -> Vec<String> {
    let resources = claims_object(json).unwrap_or_default();
    let mut granted = Vec::new();
    for (resource, actions) in &resources {
        let Value::Array(actions) = actions else {
            continue;
        };
        let actions = actions.iter().filter_map(Value::as_str);
        granted.extend(actions.map(|action| format!("{resource}:{action}")));
    }
    granted
}
