//! What `neon_auth.providers` and `neon_auth.jwks_cache` say, which a session reads once and keeps
//! until one of them changes.
//!
//! A trigger on both tables invalidates their relation cache entries, so that a committed change
//! reaches every session at its next statement, a rolled-back one reaches none, and both work on
//! a standby: the message travels with the commit.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use neon_auth_token::{Algorithm, KeySet, Policy, StackRules};
use pgrx::prelude::*;

use super::rows::{self, Row};
use crate::error::Problem;
use crate::jsonb::Jsonb;
use crate::{spi, version};

thread_local! {
    static TRUST: RefCell<Option<Rc<Trust>>> = const { RefCell::new(None) };
    /// Set by the invalidation, which may not read tables itself.
    static STALE: Cell<bool> = const { Cell::new(true) };
    /// The tables whose changes count, as they were at the last reading.
    static WATCHED: Cell<[pg_sys::Oid; 2]> = const { Cell::new([pg_sys::InvalidOid; 2]) };
}

/// Who is trusted, by name and by issuer.
pub struct Trust {
    providers: HashMap<String, Named>,
    /// Issuer → the providers that claim it; more than one is refused.
    issuers: HashMap<String, Vec<String>>,
}

/// A provider of which no more is known than all tokens need. Its rules and keys are read when
/// one of its own tokens asks: of many providers a session rarely meets more than one.
struct Named {
    url: Option<String>,
    is_remote: bool,
    shares_keys: bool,
    provider: OnceCell<Rc<Provider>>,
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
    stored: Jsonb,
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

/// What `neon_auth.jwks_cache` holds for a provider.
struct Cached {
    url: String,
    keys: Option<Keys>,
    times: CacheTimes,
}

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
    let trust = Rc::new(Trust::read());
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
    fn read() -> Self {
        let mut providers = HashMap::new();
        let mut issuers: HashMap<String, Vec<String>> = HashMap::new();
        let mut users_of_url: HashMap<String, usize> = HashMap::new();
        rows::each(spi::PROVIDERS, |row| {
            let Some(name) = row.text("name") else {
                return;
            };
            for issuer in row.texts("issuers").into_iter().flatten().flatten() {
                let claimants = issuers.entry(issuer).or_default();
                if !claimants.iter().any(|claimant| claimant == name) {
                    claimants.push(name.to_owned());
                }
            }
            let url = row.text("jwks_url").map(str::to_owned);
            if let Some(url) = &url {
                *users_of_url.entry(url.clone()).or_default() += 1;
            }
            let named = Named {
                is_remote: url.is_some() || row.is_null("jwks"),
                url,
                shares_keys: false,
                provider: OnceCell::new(),
            };
            providers.insert(name.to_owned(), named);
        });
        for named in providers.values_mut() {
            named.shares_keys = named.url.as_ref().is_some_and(|url| users_of_url[url] > 1);
        }
        Self { providers, issuers }
    }

    /// An error where there is no provider at all.
    pub fn demand_any(&self) -> Result<(), Problem> {
        if self.providers.is_empty() {
            return Err(Problem::NoProvider);
        }
        Ok(())
    }

    /// The one provider that claims an issuer, compared exactly.
    pub fn provider_for(&self, issuer: &str) -> Result<Rc<Provider>, Problem> {
        self.demand_any()?;
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
        let unknown = || Problem::NoSuchProvider {
            provider: name.to_owned(),
        };
        let named = self.providers.get(name).ok_or_else(unknown)?;
        let provider = match named.provider.get() {
            Some(provider) => provider,
            None => {
                // What is committed just now may be newer than `self`, or gone: then the tables'
                // invalidation is on its way, and the next statement reads all again.
                let read = Provider::read(name, named.shares_keys).ok_or_else(unknown)?;
                named.provider.get_or_init(|| Rc::new(read))
            }
        };
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
        let remote = self.providers.iter().filter(|(_, named)| named.is_remote);
        let mut names: Vec<String> = remote.map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }
}

impl Provider {
    fn read(name: &str, shares_keys: bool) -> Option<Self> {
        let mut cached = None;
        rows::each(spi::JWKS_CACHE, |row| {
            if row.text("provider") == Some(name) {
                cached = Cached::read(row);
            }
        });
        let mut provider = None;
        rows::each(spi::PROVIDERS, |row| {
            if row.text("name") == Some(name) {
                provider = Some(Self::from_row(row, name, shares_keys, cached.take()));
            }
        });
        provider
    }

    /// What its row says. Where that makes no sense the row is a defect of this provider alone:
    /// its tokens are refused, and nobody else's.
    fn from_row(row: &Row, name: &str, shares_keys: bool, cached: Option<Cached>) -> Self {
        let mut defects = Defects::default();
        let kind: String = defects.value("kind", row.text_owned("kind"));
        let is_stack = kind == "stack";
        let project_id = row.text_owned("project_id");
        if is_stack && project_id.is_none() {
            defects.add("A provider of kind stack needs a project_id.");
        }
        let stack = StackRules {
            project_id: project_id.unwrap_or_default(),
            allow_anonymous: defects.value("allow_anonymous", row.boolean("allow_anonymous")),
            allow_restricted: defects.value("allow_restricted", row.boolean("allow_restricted")),
        };
        let mut algorithms: Vec<Algorithm> = Vec::new();
        for algorithm in defects.texts("algorithms", row.texts("algorithms")) {
            match algorithm.parse() {
                Ok(algorithm) => algorithms.push(algorithm),
                Err(_) => defects.add("Its algorithms name one that is not supported."),
            }
        }
        let source = match (row.jsonb("jwks"), row.text_owned("jwks_url")) {
            (Some(jwks), None) => KeySource::Pinned(Keys::new(jwks)),
            (None, Some(url)) => {
                let cached = cached.filter(|cached| cached.url == url);
                let (keys, times) = cached.map(|c| (c.keys, c.times)).unwrap_or_default();
                KeySource::Remote {
                    url,
                    cached: keys,
                    cache: times,
                }
            }
            (_, url) => {
                defects.add("It needs either jwks_url or jwks.");
                KeySource::Remote {
                    url: url.unwrap_or_default(),
                    cached: None,
                    cache: CacheTimes::default(),
                }
            }
        };
        let policy = Policy {
            issuers: defects.texts("issuers", row.texts("issuers")),
            audiences: defects.texts("audiences", row.texts("audiences")),
            algorithms,
            typ: row.text_owned("typ"),
            max_lifetime: row
                .seconds("max_lifetime")
                .map(|seconds| defects.not_negative("max_lifetime", seconds)),
            leeway: {
                let seconds = defects.value("leeway", row.seconds("leeway"));
                defects.not_negative("leeway", seconds)
            },
            required_claims: defects.texts("required_claims", row.texts("required_claims")),
            stack: is_stack.then_some(stack),
        };
        if shares_keys && policy.audiences.is_empty() {
            defects.add("It shares its jwks_url and names no audiences.");
        }
        Self {
            name: name.to_owned(),
            policy,
            role_claim: row.text_owned("role_claim"),
            roles: defects.texts("roles", row.texts("roles")),
            reject_deleted_users: defects
                .value("reject_deleted_users", row.boolean("reject_deleted_users")),
            is_stack,
            source,
            defect: defects.0,
        }
    }
}

/// What is wrong with a row: the first thing found.
#[derive(Default)]
struct Defects(Option<String>);

impl Defects {
    fn add(&mut self, defect: impl Into<String>) {
        self.0.get_or_insert(defect.into());
    }

    /// A value that must be there.
    fn value<T: Default>(&mut self, column: &str, value: Option<T>) -> T {
        value.unwrap_or_else(|| {
            self.add(format!("Its column {column} is NULL, or holds one."));
            T::default()
        })
    }

    /// Texts, none of which may be NULL.
    fn texts(&mut self, column: &str, texts: Option<Vec<Option<String>>>) -> Vec<String> {
        let texts = self.value(column, texts);
        texts
            .into_iter()
            .map(|text| self.value(column, text))
            .collect()
    }

    fn not_negative(&mut self, column: &str, seconds: i64) -> u64 {
        seconds.try_into().unwrap_or_else(|_| {
            self.add(format!("Its {column} is negative."));
            0
        })
    }
}

impl Cached {
    fn read(row: &Row) -> Option<Self> {
        Some(Self {
            url: row.text_owned("jwks_url")?,
            keys: row.jsonb("jwks").map(Keys::new),
            times: CacheTimes {
                fetched_at: row.microseconds("fetched_at"),
                fresh_until: row.microseconds("fresh_until"),
                attempted_at: row.microseconds("attempted_at"),
                last_error: row.text_owned("last_error"),
            },
        })
    }
}

impl Keys {
    fn new(stored: Jsonb) -> Self {
        Self {
            stored,
            parsed: OnceCell::new(),
        }
    }

    /// The parsed set, or why it is none.
    pub fn parsed(&self) -> Result<Rc<KeySet>, String> {
        self.parsed
            .get_or_init(|| {
                KeySet::parse(self.stored.to_text().as_bytes())
                    .map(Rc::new)
                    .map_err(|bad| format!("{bad}: {}", bad.detail()))
            })
            .clone()
    }
}
