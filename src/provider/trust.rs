//! What `neon_auth.providers` and `neon_auth.jwks_cache` say, read once per session.
//!
//! A trigger on both tables invalidates their relation cache entries, so that a committed change
//! reaches every session at its next statement, a rolled-back one reaches none, and both work on
//! a standby: the message travels with the commit.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use neon_auth_token::{Algorithm, KeySet, Policy, StackRules};
use pgrx::prelude::*;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::error::Problem;
use crate::{spi, version};

thread_local! {
    static TRUST: RefCell<Option<Rc<Trust>>> = const { RefCell::new(None) };
    /// Set by the invalidation, which may not read tables itself.
    static STALE: Cell<bool> = const { Cell::new(true) };
    /// The tables whose changes count, as they were at the last reading.
    static WATCHED: Cell<[pg_sys::Oid; 2]> = const { Cell::new([pg_sys::InvalidOid; 2]) };
}

/// All providers, by issuer.
pub struct Trust {
    providers: HashMap<String, Rc<Provider>>,
    /// Issuer → the providers that claim it; more than one is refused.
    issuers: HashMap<String, Vec<String>>,
}

/// A trusted issuer with its rules and its keys.
pub struct Provider {
    pub name: String,
    pub policy: Policy,
    pub role_claim: Option<String>,
    pub roles: Vec<String>,
    pub reject_deleted_users: bool,
    pub is_stack: bool,
    pub source: KeySource,
    /// Why the row cannot be used although the table let it in.
    defect: Option<String>,
}

/// Where a provider's keys come from.
pub enum KeySource {
    /// In the provider's row; no network.
    Pinned(Keys),
    /// Fetched, and kept in `neon_auth.jwks_cache`.
    Remote {
        url: String,
        cached: Option<Keys>,
        cache: CacheTimes,
    },
}

/// A JWKS as stored, parsed at its first use.
pub struct Keys {
    json: Box<RawValue>,
    parsed: OnceCell<Result<Rc<KeySet>, String>>,
}

/// When a provider's JWKS was fetched and tried, in microseconds since 1970.
#[derive(Clone, Default)]
pub struct CacheTimes {
    pub fetched_at: Option<i64>,
    pub fresh_until: Option<i64>,
    pub attempted_at: Option<i64>,
    pub last_error: Option<String>,
}

#[derive(Deserialize)]
struct Row {
    name: String,
    kind: String,
    project_id: Option<String>,
    issuers: Vec<String>,
    audiences: Vec<String>,
    jwks_url: Option<String>,
    jwks: Option<Box<RawValue>>,
    algorithms: Vec<String>,
    typ: Option<String>,
    required_claims: Vec<String>,
    leeway_seconds: u64,
    max_lifetime_seconds: Option<u64>,
    allow_anonymous: bool,
    allow_restricted: bool,
    role_claim: Option<String>,
    roles: Vec<String>,
    reject_deleted_users: bool,
    cached_jwks: Option<Box<RawValue>>,
    fetched_at_us: Option<i64>,
    fresh_until_us: Option<i64>,
    attempted_at_us: Option<i64>,
    last_error: Option<String>,
}

const READ: &str = "\
SELECT json_agg(row_to_json(r))::text
  FROM (SELECT p.*,
               extract(epoch FROM p.leeway)::bigint AS leeway_seconds,
               extract(epoch FROM p.max_lifetime)::bigint AS max_lifetime_seconds,
               c.jwks AS cached_jwks,
               (extract(epoch FROM c.fetched_at) * 1000000)::bigint AS fetched_at_us,
               (extract(epoch FROM c.fresh_until) * 1000000)::bigint AS fresh_until_us,
               (extract(epoch FROM c.attempted_at) * 1000000)::bigint AS attempted_at_us,
               c.last_error
          FROM neon_auth.providers p
          LEFT JOIN neon_auth.jwks_cache c
            ON c.provider = p.name AND c.jwks_url = p.jwks_url) r";

/// Registers for the invalidations.
pub fn define() {
    // SAFETY: a guarded callback that touches this process's memory alone.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(invalidated), pg_sys::Datum::from(0)) };
}

/// What the tables say, with all that other sessions have committed until now. Within a
/// transaction PostgreSQL looks for their messages when it locks a table; a token needs none.
pub fn current() -> Result<Rc<Trust>, Problem> {
    // SAFETY: inside a transaction.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    version::agree()?;
    // Marked as fresh before the reading, so that a change that arrives meanwhile counts.
    if !STALE.replace(false)
        && let Some(trust) = TRUST.with_borrow(Clone::clone)
    {
        return Ok(trust);
    }
    TRUST.set(None);
    WATCHED.set([spi::table(spi::PROVIDERS), spi::table(spi::JWKS_CACHE)]);
    let trust = Rc::new(Trust::read()?);
    TRUST.set(Some(Rc::clone(&trust)));
    Ok(trust)
}

#[pg_guard]
unsafe extern "C-unwind" fn invalidated(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    if relation == pg_sys::InvalidOid || WATCHED.get().contains(&relation) {
        STALE.set(true);
    }
}

impl Trust {
    fn read() -> Result<Self, Problem> {
        let Some(json) = spi::read(READ, &[]) else {
            return Ok(Self {
                providers: HashMap::new(),
                issuers: HashMap::new(),
            });
        };
        let rows: Vec<Row> =
            serde_json::from_str(&json).map_err(|error| Problem::UnusableProvider {
                provider: "?".to_owned(),
                reason: format!("The rows of neon_auth.providers do not parse: {error}."),
            })?;
        let mut issuers: HashMap<String, Vec<String>> = HashMap::new();
        for row in &rows {
            for issuer in &row.issuers {
                let claimants = issuers.entry(issuer.clone()).or_default();
                if !claimants.contains(&row.name) {
                    claimants.push(row.name.clone());
                }
            }
        }
        let mut users_of_url: HashMap<String, usize> = HashMap::new();
        for url in rows.iter().filter_map(|row| row.jwks_url.clone()) {
            *users_of_url.entry(url).or_default() += 1;
        }
        let providers = rows
            .into_iter()
            .map(|row| {
                let shares_keys = row
                    .jwks_url
                    .as_ref()
                    .is_some_and(|url| users_of_url[url] > 1);
                let mut provider = Provider::from(row);
                if shares_keys && provider.policy.audiences.is_empty() {
                    provider.defect =
                        Some("It shares its jwks_url and names no audiences.".to_owned());
                }
                (provider.name.clone(), Rc::new(provider))
            })
            .collect();
        Ok(Self { providers, issuers })
    }

    /// The one provider that claims an issuer, compared exactly.
    pub fn provider_for(&self, issuer: &str) -> Result<Rc<Provider>, Problem> {
        if self.providers.is_empty() {
            return Err(Problem::NoProvider);
        }
        match self.issuers.get(issuer).map(Vec::as_slice) {
            None | Some([]) => Err(Problem::UnknownIssuer {
                issuer: issuer.to_owned(),
            }),
            Some([name]) => self.named(name),
            Some(_) => Err(Problem::AmbiguousIssuer {
                issuer: issuer.to_owned(),
            }),
        }
    }

    /// The provider of that name.
    pub fn named(&self, name: &str) -> Result<Rc<Provider>, Problem> {
        let provider = self
            .providers
            .get(name)
            .ok_or_else(|| Problem::NoSuchProvider {
                provider: name.to_owned(),
            })?;
        match &provider.defect {
            None => Ok(Rc::clone(provider)),
            Some(reason) => Err(Problem::UnusableProvider {
                provider: name.to_owned(),
                reason: reason.clone(),
            }),
        }
    }

    /// The names of the providers whose keys are fetched.
    pub fn remote(&self) -> Vec<String> {
        let remote = self
            .providers
            .values()
            .filter(|provider| provider.is_remote());
        let mut names: Vec<String> = remote.map(|provider| provider.name.clone()).collect();
        names.sort();
        names
    }
}

impl Provider {
    /// Whether its keys are fetched.
    pub fn is_remote(&self) -> bool {
        matches!(self.source, KeySource::Remote { .. })
    }
}

impl From<Row> for Provider {
    fn from(row: Row) -> Self {
        let mut defect = None;
        let algorithms = row
            .algorithms
            .iter()
            .filter_map(|name| match name.parse::<Algorithm>() {
                Ok(algorithm) => Some(algorithm),
                Err(_) => {
                    defect = Some("Its algorithms name one that is not supported.".to_owned());
                    None
                }
            })
            .collect();
        let is_stack = row.kind == "stack";
        let stack = is_stack.then(|| {
            if row.project_id.is_none() {
                defect = Some("A provider of kind stack needs a project_id.".to_owned());
            }
            StackRules {
                project_id: row.project_id.clone().unwrap_or_default(),
                allow_anonymous: row.allow_anonymous,
                allow_restricted: row.allow_restricted,
            }
        });
        let source = match (row.jwks, row.jwks_url) {
            (Some(jwks), None) => KeySource::Pinned(Keys::new(jwks)),
            (None, Some(url)) => KeySource::Remote {
                url,
                cached: row.cached_jwks.map(Keys::new),
                cache: CacheTimes {
                    fetched_at: row.fetched_at_us,
                    fresh_until: row.fresh_until_us,
                    attempted_at: row.attempted_at_us,
                    last_error: row.last_error,
                },
            },
            _ => {
                defect = Some("It needs either jwks_url or jwks.".to_owned());
                KeySource::Remote {
                    url: String::new(),
                    cached: None,
                    cache: CacheTimes::default(),
                }
            }
        };
        Self {
            name: row.name,
            policy: Policy {
                issuers: row.issuers,
                audiences: row.audiences,
                algorithms,
                typ: row.typ,
                max_lifetime: row.max_lifetime_seconds,
                leeway: row.leeway_seconds,
                required_claims: row.required_claims,
                stack,
            },
            role_claim: row.role_claim,
            roles: row.roles,
            reject_deleted_users: row.reject_deleted_users,
            is_stack,
            source,
            defect,
        }
    }
}

impl Keys {
    fn new(json: Box<RawValue>) -> Self {
        Self {
            json,
            parsed: OnceCell::new(),
        }
    }

    /// The parsed set, or why it is none.
    pub fn parsed(&self) -> Result<Rc<KeySet>, String> {
        self.parsed
            .get_or_init(|| {
                KeySet::parse(self.json.get().as_bytes())
                    .map(Rc::new)
                    .map_err(|bad| format!("{bad}: {}", bad.detail()))
            })
            .clone()
    }
}
