//! The contents of `neon_auth.providers` and `neon_auth.jwks_cache`, which a session caches until
//! one of them changes.
//!
//! A trigger on both tables invalidates their relation cache entries, so that a committed change
//! reaches every session at its next statement, and a rolled-back one reaches none. This also works
//! on a standby, because the message is replicated with the commit.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use neon_auth_token::{ClaimPath, KeySet, Policy};
use neon_auth_wire::discovery::{self, Origin};
use pgrx::prelude::*;

use super::claim_map::ClaimMap;
use super::defects::{Defect, Defects};
use super::role_map::RoleMap;
use super::rules::{Rules, issuers_of};
use crate::error::{Problem, quoted};
use crate::kind::Kind;
use crate::pg::heap;
use crate::pg::jsonb::Jsonb;
use crate::pg::row::Row;
use crate::pg::tables::{JWKS_CACHE, PROVIDERS};
use crate::process_local::process_local;
use crate::relcache;
use crate::version;

process_local! {
    static TRUST: RefCell<Option<Rc<Trust>>> = const { RefCell::new(None) };
    /// Set by the invalidation callback, which may not read tables itself.
    static STALE: Cell<bool> = const { Cell::new(true) };
    /// The OIDs of the tables at the last reading.
    static WATCHED: Cell<[pg_sys::Oid; 2]> = const { Cell::new([pg_sys::InvalidOid; 2]) };
}

/// The trusted providers, by name and by issuer.
pub struct Trust {
    providers: HashMap<String, Listed>,
    /// Issuer → the providers that have it; if there are several, the audience chooses.
    issuers: HashMap<String, Vec<String>>,
    /// The provider of Better Auth, whose tables are in this database.
    better_auth: Option<String>,
    /// The provider of Stack Auth.
    stack: Option<String>,
}

/// A provider with only the columns that every token needs. Its rules and keys are read for the
/// first of its own tokens: a session rarely uses more than one of many providers.
struct Listed {
    /// `jwks_url`.
    url: Option<String>,
    /// For a provider without `jwks_url`: the keys' URL from its issuer's discovery document, if
    /// known.
    discovered: Option<String>,
    is_remote: bool,
    names_audiences: bool,
    provider: OnceCell<Rc<Provider>>,
}

/// A trusted issuer with its rules and its keys.
pub struct Provider {
    pub name: String,
    pub kind: Kind,
    pub policy: Policy,
    pub role_claim: Option<ClaimPath>,
    pub role_map: Option<RoleMap>,
    pub allowed_roles: Vec<String>,
    pub default_role: Option<String>,
    pub claim_map: ClaimMap,
    pub reject_deleted_users: bool,
    pub reject_banned_users: bool,
    pub create_users: bool,
    pub source: KeySource,
    /// Why the row cannot be used although it is in the table.
    defect: Option<Defect>,
}

/// The source of a provider's keys.
pub enum KeySource {
    /// Pinned in the provider's row; no network.
    Pinned(Keys),
    /// Rows of Better Auth's table `jwks`, read at each verification.
    Table,
    /// Fetched, and cached in `neon_auth.jwks_cache`.
    Remote {
        origin: Origin,
        cached: Option<Keys>,
        cache: CacheTimes,
    },
}

/// A stored JWKS, parsed at its first use.
pub struct Keys {
    stored: Jsonb,
    parsed: OnceCell<Result<Rc<KeySet>, String>>,
}

/// When a provider's JWKS was fetched, and when that was attempted, in microseconds since 1970.
#[derive(Clone, Default)]
pub struct CacheTimes {
    pub fetched_at: Option<i64>,
    pub fresh_until: Option<i64>,
    pub attempted_at: Option<i64>,
    /// The last attempt for an unknown key.
    pub missed_at: Option<i64>,
    pub last_error: Option<String>,
}

/// The row of `neon_auth.jwks_cache` for a provider.
struct Cached {
    url: Option<String>,
    /// The discovery document that contained the URL, if any.
    document: Option<String>,
    keys: Option<Keys>,
    times: CacheTimes,
}

/// Registers for changes of tables.
pub fn define() {
    relcache::on_change(invalidated);
}

/// The current contents of the tables, with everything that other sessions have committed. Within a
/// transaction PostgreSQL receives invalidation messages when it locks a table; verifying a token
/// locks none.
pub fn current() -> Result<Rc<Trust>, Problem> {
    // SAFETY: inside a transaction.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    version::agree()?;
    // Marked as fresh before the reading, so that a change during the reading is not missed.
    if !STALE.replace(false)
        && let Some(trust) = TRUST.with_borrow(Clone::clone)
    {
        return Ok(trust);
    }
    TRUST.set(None);
    WATCHED.set([PROVIDERS.oid(), JWKS_CACHE.oid()]);
    let trust = Rc::new(Trust::read());
    TRUST.set(Some(Rc::clone(&trust)));
    Ok(trust)
}

fn invalidated(relation: pg_sys::Oid) {
    if relation == pg_sys::InvalidOid || WATCHED.get().contains(&relation) {
        STALE.set(true);
    }
}

impl Trust {
    fn read() -> Self {
        let mut providers = HashMap::new();
        let mut issuers: HashMap<String, Vec<String>> = HashMap::new();
        let mut discovered = HashMap::new();
        let mut better_auth = None;
        let mut stack = None;
        heap::each(&JWKS_CACHE, |row| {
            let names = row
                .text_owned(c"provider")
                .zip(row.text_owned(c"discovery_url"));
            if let (Some((provider, document)), Some(url)) = (names, row.text_owned(c"jwks_url")) {
                discovered.insert(provider, (document, url));
            }
        });
        heap::each(&PROVIDERS, |row| {
            let Some(name) = row.text(c"name") else {
                return;
            };
            let own_issuers = row.texts(c"issuers").unwrap_or_default();
            let first = own_issuers.into_iter().next().flatten();
            for issuer in issuers_of(row) {
                let claimants = issuers.entry(issuer).or_default();
                if !claimants.iter().any(|claimant| claimant == name) {
                    claimants.push(name.to_owned());
                }
            }
            let kind = row.text(c"kind").and_then(Kind::named);
            let is_better_auth = kind == Some(Kind::BetterAuth);
            match kind {
                Some(Kind::BetterAuth) => better_auth = Some(name.to_owned()),
                Some(Kind::Stack) => stack = Some(name.to_owned()),
                Some(Kind::Oidc) | None => {}
            }
            let url = row.text_owned(c"jwks_url");
            let document = first.as_deref().and_then(discovery::url);
            let discovered = discovered.remove(name).filter(|(asked, _)| {
                url.is_none() && row.is_null(c"jwks") && document.as_ref() == Some(asked)
            });
            let named = Listed {
                is_remote: !is_better_auth && (url.is_some() || row.is_null(c"jwks")),
                url,
                discovered: discovered.map(|(_, url)| url),
                names_audiences: row.texts(c"audiences").is_some_and(|own| !own.is_empty()),
                provider: OnceCell::new(),
            };
            providers.insert(name.to_owned(), named);
        });
        Self {
            providers,
            issuers,
            better_auth,
            stack,
        }
    }

    /// The provider of Better Auth, if there is one.
    pub fn better_auth(&self) -> Result<Option<Rc<Provider>>, Problem> {
        let named = self.better_auth.as_deref().map(|name| self.named(name));
        named.transpose()
    }

    /// The provider that fills the mirror, if there is one.
    pub fn mirrored(&self) -> Result<Option<Rc<Provider>>, Problem> {
        let name = self.better_auth.as_deref().or(self.stack.as_deref());
        name.map(|name| self.named(name)).transpose()
    }

    /// The names of all providers, sorted.
    pub fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.providers.keys().cloned().collect();
        names.sort();
        names
    }

    /// An error if there is no provider.
    pub fn demand_any(&self) -> Result<(), Problem> {
        if self.providers.is_empty() {
            return Err(Problem::NoProvider);
        }
        Ok(())
    }

    /// The one provider that has an issuer, compared exactly; of several, the one that has one of
    /// the token's audiences.
    pub fn provider_for<'t>(
        &self,
        issuer: &str,
        audiences: impl Iterator<Item = &'t str>,
    ) -> Result<Rc<Provider>, Problem> {
        self.demand_any()?;
        match self.issuers.get(issuer).map(Vec::as_slice) {
            None | Some([]) => Err(Problem::UnknownIssuer {
                issuer: issuer.to_owned(),
                near: self.near(issuer),
            }),
            Some([name]) => self.named(name),
            Some(names) => self.among(names, issuer, &audiences.collect::<Vec<_>>()),
        }
    }

    /// The provider that has the issuer except for case and a slash at its end, and the issuer as
    /// the provider has it.
    fn near(&self, issuer: &str) -> Option<(String, String)> {
        let bare = |issuer: &str| issuer.trim_end_matches('/').to_ascii_lowercase();
        let sought = bare(issuer);
        let mut near = self
            .issuers
            .iter()
            .filter(|(known, _)| bare(known) == sought)
            .filter_map(|(known, names)| Some((names.first()?.clone(), known.clone())));
        near.next().filter(|_| near.next().is_none())
    }

    /// The one of several providers of an issuer that a token is for. A provider without audiences
    /// would accept every token, so with such a provider the choice is ambiguous.
    fn among(
        &self,
        names: &[String],
        issuer: &str,
        audiences: &[&str],
    ) -> Result<Rc<Provider>, Problem> {
        let ambiguous = || Problem::AmbiguousIssuer {
            issuer: issuer.to_owned(),
        };
        let mut chosen = None;
        for name in names {
            let provider = self.look_up(name)?;
            let own = &provider.policy.audiences;
            if own.is_empty() {
                return Err(ambiguous());
            }
            let fits = audiences
                .iter()
                .any(|found| own.iter().any(|own| own == found));
            if fits && chosen.replace(provider).is_some() {
                return Err(ambiguous());
            }
        }
        let chosen = chosen.ok_or_else(|| Problem::NoSuchAudience {
            issuer: issuer.to_owned(),
            audiences: audiences.iter().map(|found| quoted(found)).collect(),
        })?;
        chosen.demand_sound()?;
        Ok(chosen)
    }

    /// The provider with this name.
    pub fn named(&self, name: &str) -> Result<Rc<Provider>, Problem> {
        let provider = self.look_up(name)?;
        provider.demand_sound()?;
        Ok(provider)
    }

    /// The provider with this name, valid or not.
    fn look_up(&self, name: &str) -> Result<Rc<Provider>, Problem> {
        let unknown = || Problem::NoSuchProvider {
            provider: name.to_owned(),
        };
        let named = self.providers.get(name).ok_or_else(unknown)?;
        let provider = match named.provider.get() {
            Some(provider) => provider,
            None => {
                // A row that was committed just now may be newer than `self`, or deleted: then the
                // tables' invalidation message is pending, and the next statement reads everything
                // again.
                let sharing = self.sharing_defect(name, named);
                let read = Provider::read(name, sharing).ok_or_else(unknown)?;
                named.provider.get_or_init(|| Rc::new(read))
            }
        };
        Ok(Rc::clone(provider))
    }

    /// Why a provider may not use the keys that it shares with another: providers with the same key
    /// server must be distinguished by their audiences.
    fn sharing_defect(&self, name: &str, named: &Listed) -> Option<String> {
        match (&named.url, &named.discovered) {
            (Some(url), _) => {
                let mut others = self.others(name);
                let shares = others.any(|(_, other)| other.url.as_ref() == Some(url));
                (shares && !named.names_audiences).then(|| {
                    "Another provider has the same jwks_url, and this one has no audiences."
                        .to_owned()
                })
            }
            (None, Some(url)) => self.discovery_defect(name, url),
            (None, None) => None,
        }
    }

    /// The same for keys that the issuer's discovery document names. The document can affect only
    /// its own provider, never the one whose `jwks_url` it names.
    pub fn discovery_defect(&self, name: &str, url: &str) -> Option<String> {
        let own = self.providers.get(name)?;
        let (other, _) = self.others(name).find(|(_, other)| {
            if other.url.as_deref() == Some(url) {
                return !(own.names_audiences && other.names_audiences);
            }
            other.discovered.as_deref() == Some(url) && !own.names_audiences
        })?;
        Some(format!(
            "The jwks_uri of its issuer is that of provider {}, and their audiences do not distinguish them.",
            quoted(other)
        ))
    }

    fn others(&self, name: &str) -> impl Iterator<Item = (&String, &Listed)> {
        let own = name.to_owned();
        self.providers.iter().filter(move |(name, _)| **name != own)
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
    /// Why no keys are fetched for it, as a clause; `None` if they are.
    pub fn why_not_fetched(&self) -> Option<&'static str> {
        match self.source {
            KeySource::Pinned(_) => Some("the keys of the provider are pinned"),
            KeySource::Table => Some("the keys of the provider are in a table of this database"),
            KeySource::Remote { .. } => None,
        }
    }

    fn read(name: &str, sharing: Option<String>) -> Option<Self> {
        let mut cached = None;
        heap::each(&JWKS_CACHE, |row| {
            if row.text(c"provider") == Some(name) {
                cached = Cached::read(row);
            }
        });
        let mut provider = None;
        heap::each(&PROVIDERS, |row| {
            if row.text(c"name") == Some(name) {
                let mut defects = Defects::default();
                if let Some(sharing) = &sharing {
                    defects.add("audiences", sharing, "Set audiences for both, or, if they are one service, make it one provider: issuers => '{first,second}'.");
                }
                provider = Some(Self::from_row(row, name, defects, cached.take()));
            }
        });
        provider
    }

    fn demand_sound(&self) -> Result<(), Problem> {
        match &self.defect {
            None => Ok(()),
            Some(defect) => Err(Problem::UnusableProvider {
                provider: self.name.clone(),
                reason: defect.detail.clone(),
            }),
        }
    }

    /// The rules in its row. If they are invalid, only this provider's tokens are refused.
    fn from_row(row: &Row, name: &str, mut defects: Defects, cached: Option<Cached>) -> Self {
        let rules = Rules::read(row, &mut defects);
        let source = match (rules.kind, row.jsonb(c"jwks")) {
            (Kind::BetterAuth, _) => KeySource::Table,
            (_, Some(jwks)) => KeySource::Pinned(Keys::new(jwks)),
            (_, None) => {
                let origin = rules.origin.unwrap_or(Origin::Url(String::new()));
                let cached = cached.filter(|cached| cached.is_of(&origin));
                let (keys, times) = cached.map(|c| (c.keys, c.times)).unwrap_or_default();
                KeySource::Remote {
                    origin,
                    cached: keys,
                    cache: times,
                }
            }
        };
        Self {
            name: name.to_owned(),
            kind: rules.kind,
            policy: rules.policy,
            role_claim: rules.role_claim,
            role_map: rules.role_map,
            allowed_roles: rules.allowed_roles,
            default_role: rules.default_role,
            claim_map: rules.claim_map,
            reject_deleted_users: rules.reject_deleted_users,
            reject_banned_users: rules.reject_banned_users,
            create_users: rules.create_users,
            source,
            defect: defects.first(),
        }
    }
}

impl Cached {
    fn read(row: &Row) -> Option<Self> {
        Some(Self {
            url: row.text_owned(c"jwks_url"),
            document: row.text_owned(c"discovery_url"),
            keys: row.jsonb(c"jwks").map(Keys::new),
            times: CacheTimes {
                fetched_at: row.microseconds(c"fetched_at"),
                fresh_until: row.microseconds(c"fresh_until"),
                attempted_at: row.microseconds(c"attempted_at"),
                missed_at: row.microseconds(c"missed_at"),
                last_error: row.text_owned(c"last_error"),
            },
        })
    }

    /// Whether these keys belong to a provider whose keys come from there.
    fn is_of(&self, origin: &Origin) -> bool {
        match origin {
            Origin::Url(url) => self.document.is_none() && self.url.as_ref() == Some(url),
            Origin::Issuer { document, .. } => self.document.as_ref() == Some(document),
        }
    }
}

impl Keys {
    fn new(stored: Jsonb) -> Self {
        Self {
            stored,
            parsed: OnceCell::new(),
        }
    }

    /// The parsed set, or why it is invalid.
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
