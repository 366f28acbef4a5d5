//! Whether the cached keys may be used: fresh, due for a refresh, or too stale.
//!
//! | age of the set            | what happens                                                |
//! |---------------------------|-------------------------------------------------------------|
//! | fresh                     | it is used                                                  |
//! | last fifth of its time    | it is used, and a refresh starts in the background          |
//! | past its time             | refreshed first; if that fails, it is used for `jwks_max_stale` |
//! | past that too, or no set  | refreshed first; if that fails, tokens are refused          |
//!
//! No attempt is made within `jwks_cooldown` after the last one, successful or not. For a key that
//! is not in the set, only attempts for such a key and failed attempts start the cooldown: a
//! scheduled refresh a moment ago says nothing about a key that is newer.

use std::cell::RefCell;
use std::num::NonZeroUsize;
use std::rc::Rc;

use lru::LruCache;
use neon_auth_token::KeySet;

use super::trust::{CacheTimes, KeySource, Provider};
use crate::clock::SECOND;
use crate::error::Problem;
use crate::process_local::process_local;
use crate::settings;

/// Number of URLs whose keys a session caches itself; the least recently used is evicted.
const CAPACITY: NonZeroUsize = NonZeroUsize::new(256).unwrap();

process_local! {
    /// Keys that this session fetched because they could not be stored, by URL.
    static LOCAL: RefCell<LruCache<String, Local>> = RefCell::new(LruCache::new(CAPACITY));
}

#[derive(Clone, Default)]
struct Local {
    keys: Option<Rc<KeySet>>,
    times: CacheTimes,
    /// Time at which the stored keys that these replace were fetched. These are used until newer
    /// ones are stored; the two times may come from the clocks of two servers.
    instead_of: Option<i64>,
}

/// A provider's keys at one moment.
pub struct KeyFreshness {
    keys: Option<Result<Rc<KeySet>, String>>,
    /// `None` for pinned keys, which do not become stale.
    times: Option<CacheTimes>,
}

impl Provider {
    /// The current keys: pinned, stored, or fetched by this session since.
    pub fn key_freshness(&self, now: i64) -> KeyFreshness {
        let (origin, cached, cache) = match &self.source {
            KeySource::Pinned(keys) => {
                return KeyFreshness {
                    keys: Some(keys.parsed()),
                    times: None,
                };
            }
            // `table_keys` reads them, by the kid of each token.
            KeySource::Table => {
                return KeyFreshness {
                    keys: None,
                    times: None,
                };
            }
            KeySource::Remote {
                origin,
                cached,
                cache,
            } => (origin, cached, cache),
        };
        let local = LOCAL
            .with_borrow_mut(|local| local.get(origin.url()).cloned())
            .unwrap_or_default();
        let last_error = if local.times.attempted_at > cache.attempted_at {
            local.times.last_error
        } else {
            cache.last_error.clone()
        };
        let (keys, newer) = if local.keys.is_some() && local.instead_of == cache.fetched_at {
            (
                local.keys.map(Ok),
                local.times.fetched_at.zip(local.times.fresh_until),
            )
        } else {
            (
                cached.as_ref().map(|keys| keys.parsed()),
                cache.fetched_at.zip(cache.fresh_until),
            )
        };
        // A set from the future was stored with a wrong clock, and is ignored.
        let plausible = newer.filter(|(fetched_at, _)| *fetched_at <= (now + 60) * SECOND);
        KeyFreshness {
            keys: keys.filter(|_| plausible.is_some()),
            times: Some(CacheTimes {
                fetched_at: plausible.map(|(fetched_at, _)| fetched_at),
                fresh_until: plausible.map(|(_, fresh_until)| fresh_until),
                attempted_at: cache.attempted_at.max(local.times.attempted_at),
                missed_at: cache.missed_at.max(local.times.missed_at),
                last_error,
            }),
        }
    }
}

impl KeyFreshness {
    /// Whether keys must be fetched before this set may be used.
    pub fn is_due(&self, now: i64) -> bool {
        let Some(times) = &self.times else {
            return false;
        };
        !matches!(self.keys, Some(Ok(_)))
            || times.fresh_until.is_none_or(|until| until <= now * SECOND)
    }

    /// Whether the last fifth of the set's time has begun.
    pub fn is_due_soon(&self, now: i64) -> bool {
        let Some(times) = &self.times else {
            return false;
        };
        let Some((from, until)) = times.fetched_at.zip(times.fresh_until) else {
            return false;
        };
        self.may_attempt(now) && until - (until - from) / 5 <= now * SECOND
    }

    /// Whether the cooldown after the last attempt is over.
    pub fn may_attempt(&self, now: i64) -> bool {
        self.times
            .as_ref()
            .is_some_and(|times| cooldown_left(times.attempted_at, now) == 0)
    }

    /// Whether keys may be fetched for a key that is not in the set.
    pub fn may_look_for_key(&self, now: i64) -> bool {
        self.times.is_some() && self.until_next_look(now) == 0
    }

    /// Seconds until then.
    fn until_next_look(&self, now: i64) -> i64 {
        let Some(times) = &self.times else {
            return 0;
        };
        let missed = cooldown_left(times.missed_at, now);
        let failed = times.last_error.is_some() || times.fetched_at < times.attempted_at;
        if failed {
            missed.max(cooldown_left(times.attempted_at, now))
        } else {
            missed
        }
    }

    /// DETAIL for a key that is not in a fetched set: how old the set is, and when it may be
    /// fetched again.
    pub fn about_unknown_key(&self, now: i64) -> Option<String> {
        let fetched_at = self.times.as_ref()?.fetched_at?;
        let age = (now - fetched_at / SECOND).max(0);
        let next = match self.until_next_look(now) {
            0 => "now".to_owned(),
            seconds => format!("in {seconds} s"),
        };
        Some(format!(
            "keys fetched {age} s ago; next fetch allowed {next}"
        ))
    }

    /// When to check this set again, in microseconds since 1970: when the last fifth of its time
    /// begins, but not within the cooldown.
    pub fn next_attempt(&self, now: i64) -> i64 {
        let Some(times) = &self.times else {
            return i64::MAX;
        };
        let cooldown = i64::from(settings::JWKS_COOLDOWN.get()) * SECOND;
        let ahead = times.fetched_at.zip(times.fresh_until);
        let ahead = ahead.map_or(0, |(from, until)| until - (until - from) / 5);
        let allowed = times.attempted_at.map_or(0, |at| at + cooldown);
        match ahead.max(allowed) {
            at if at > now * SECOND => at,
            // An attempt has just begun.
            _ => now * SECOND + cooldown,
        }
    }

    /// The outcome of the last attempt to fetch.
    pub fn last_attempt(&self, provider: &str) -> Result<(), Problem> {
        let Some(times) = &self.times else {
            return Ok(());
        };
        let reason = match &times.last_error {
            Some(reason) => reason.clone(),
            None if times.fetched_at < times.attempted_at => "It was interrupted.".to_owned(),
            None => return Ok(()),
        };
        Err(Problem::NoKeys {
            provider: provider.to_owned(),
            reason,
        })
    }

    /// A description of the set.
    pub fn describe(&self, now: i64) -> String {
        let ids = match &self.keys {
            Some(Ok(keys)) => keys.describe(),
            _ => "none".to_owned(),
        };
        let set = match self.times.as_ref().and_then(|times| times.fetched_at) {
            Some(at) => format!("JWKS fetched {} s ago, with kid {ids}.", now - at / SECOND),
            None => format!("JWKS with kid {ids}."),
        };
        match &self.keys {
            Some(Ok(keys)) if !keys.left_out().is_empty() => {
                let left_out: Vec<_> = keys.left_out().iter().map(|key| key.to_string()).collect();
                format!("{set} Skipped: {}.", left_out.join("; "))
            }
            _ => set,
        }
    }

    /// The set, if it may be used.
    pub fn keys(&self, provider: &str, now: i64) -> Result<Rc<KeySet>, Problem> {
        let unusable = |reason| {
            Err(Problem::NoKeys {
                provider: provider.to_owned(),
                reason,
            })
        };
        match (&self.keys, &self.times) {
            (Some(Ok(keys)), None) => Ok(Rc::clone(keys)),
            (Some(Ok(keys)), Some(times)) => {
                let limit = i64::from(settings::JWKS_MAX_STALE.get()) * SECOND;
                let until = times.fresh_until.unwrap_or(0) + limit;
                if now * SECOND < until {
                    return Ok(Rc::clone(keys));
                }
                let over = now - until / SECOND;
                unusable(format!(
                    "The last fetched JWKS exceeds neon_auth.jwks_max_stale by {over} s. {}",
                    times.failure(now)
                ))
            }
            (Some(Err(reason)), Some(_)) => {
                unusable(format!("The stored JWKS is unusable: {reason}."))
            }
            (None, Some(times)) => unusable(times.failure(now)),
            (pinned, None) => Err(Problem::UnusableProvider {
                provider: provider.to_owned(),
                reason: match pinned {
                    Some(Err(reason)) => format!("The jwks cannot be used: {reason}."),
                    _ => "The jwks is missing.".to_owned(),
                },
            }),
        }
    }
}

impl CacheTimes {
    fn failure(&self, now: i64) -> String {
        match (&self.last_error, self.attempted_at) {
            (Some(error), Some(at)) => {
                format!(
                    "The last attempt, {} s ago, failed: {error}",
                    now - at / SECOND
                )
            }
            (None, Some(at)) => format!("A fetch began {} s ago.", now - at / SECOND),
            (_, None) => "No JWKS has been fetched yet.".to_owned(),
        }
    }
}

/// Remaining seconds of the cooldown after an attempt. An attempt in the future means that the
/// clock was set back, and starts no cooldown.
fn cooldown_left(attempted_at: Option<i64>, now: i64) -> i64 {
    let cooldown = i64::from(settings::JWKS_COOLDOWN.get()) * SECOND;
    match attempted_at {
        Some(at) if at <= (now + 1) * SECOND => {
            let left = at.saturating_add(cooldown) - now * SECOND;
            (left.clamp(0, cooldown) + SECOND - 1) / SECOND
        }
        _ => 0,
    }
}

/// An attempt that this session made for itself.
pub struct LocalAttempt {
    /// When, in microseconds since 1970.
    pub at: i64,
    /// Whether it was for a key that is not in the set.
    pub is_miss: bool,
    /// When the stored keys that were insufficient were fetched.
    pub instead_of: Option<i64>,
}

/// Stores the result of an attempt in this session.
pub fn keep_local(url: &str, attempt: LocalAttempt, outcome: Result<(KeySet, i64), String>) {
    LOCAL.with_borrow_mut(|local| {
        let entry = local.get_or_insert_mut(url.to_owned(), Local::default);
        let at = attempt.at;
        entry.times.attempted_at = Some(at);
        if attempt.is_miss {
            entry.times.missed_at = Some(at);
        }
        match outcome {
            Ok((keys, lifetime)) => {
                entry.keys = Some(Rc::new(keys));
                entry.times.fetched_at = Some(at);
                entry.times.fresh_until = Some(at + lifetime * SECOND);
                entry.times.last_error = None;
                entry.instead_of = attempt.instead_of;
            }
            Err(reason) => entry.times.last_error = Some(reason),
        }
    });
}
