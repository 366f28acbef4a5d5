//! Refreshes keys, with one fetch for many waiting sessions.
//!
//! A session that needs keys cannot store them itself: a refused token aborts its transaction, a
//! READ ONLY transaction may not write, and a row that it wrote would block every other session
//! until it commits. So a short-lived background worker fetches and stores the keys in its own
//! transactions. Sessions wait for a lock, and all but the first find the new keys. The attempt is
//! committed before the request is sent, so a failure starts the cooldown even if the requesting
//! session has ended.
//!
//! If no worker can store keys (on a standby, without a free worker slot, or for an uncommitted
//! provider), the session fetches the keys itself and caches them in its memory.

use neon_auth_token::KeySet;
use neon_auth_wire::discovery::Origin;
use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder};
use pgrx::prelude::*;
use serde::Deserialize;

use super::fetch::{self, KeyRequest, KeyResponse};
use super::freshness;
use super::trust::{self, KeySource, Provider};
use crate::background::process;
use crate::clock::{self, SECOND};
use crate::error::quoted;
use crate::kind::Kind;
use crate::pg::lock::{self, Lock, Space};
use crate::pg::spi;

/// The reason for a refresh.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// There are no keys, or they are stale or soon will be.
    Age,
    /// A user requested it.
    Request,
    /// A token has a key that is not in the set.
    UnknownKey,
}

impl Cause {
    const fn name(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::Request => "request",
            Self::UnknownKey => "unknown_key",
        }
    }
}

/// An attempt to refresh one provider's keys.
struct Attempt<'a> {
    provider: &'a str,
    kind: Kind,
    origin: &'a Origin,
    cause: Cause,
    /// Time of the last attempt that this session knows; it identifies the state of the cache that
    /// this attempt replaces.
    seen: Option<i64>,
    /// Time at which the stored keys were fetched.
    fetched_at: Option<i64>,
}

/// Makes one attempt to refresh a provider's keys, or waits for another session's. `trust::current`
/// and `Provider::key_freshness` then return the result.
pub fn fetch_once(provider: &Provider, cause: Cause) {
    let Some(attempt) = Attempt::of(provider, cause) else {
        return;
    };
    if !in_recovery() {
        let lock = RefreshLock::Sessions.wait(attempt.provider);
        let made = attempt.is_made() || {
            attempt.run_worker();
            attempt.is_made()
        };
        lock.release();
        if made {
            wait_for_worker(provider);
            return;
        }
    }
    attempt.fetch_locally();
}

/// Waits for a running attempt, also one of a session that was cancelled meanwhile.
/// `trust::current` then returns the result.
pub fn wait_for_worker(provider: &Provider) {
    RefreshLock::Workers.wait(&provider.name).release();
}

/// Starts a refresh in the background, unless one is running.
pub fn fetch_behind(provider: &Provider) {
    if in_recovery() {
        return;
    }
    if let Some(attempt) = Attempt::of(provider, Cause::Age)
        && let Some(lock) = RefreshLock::Sessions.try_now(attempt.provider)
    {
        // Without a free slot, the next session retries.
        let _ = attempt.worker().load_dynamic();
        lock.release();
    }
}

/// Starts the refreshes that are due. Returns when to check again, in microseconds since 1970: at a
/// full second, because the age of keys is counted in seconds.
pub fn refresh_ahead() -> Option<i64> {
    let now = clock::seconds();
    let trust = trust::current().ok()?;
    let providers = trust
        .remote()
        .into_iter()
        .filter_map(|name| trust.named(&name).ok());
    providers
        .map(|provider| {
            let freshness = provider.key_freshness(now);
            if freshness.may_attempt(now) && (freshness.is_due(now) || freshness.is_due_soon(now)) {
                fetch_behind(&provider);
            }
            freshness.next_attempt(now)
        })
        .min()
        .map(|at| at.saturating_add(SECOND - 1) / SECOND * SECOND)
}

fn in_recovery() -> bool {
    // SAFETY: reads shared state.
    unsafe { pg_sys::RecoveryInProgress() }
}

impl<'a> Attempt<'a> {
    fn of(provider: &'a Provider, cause: Cause) -> Option<Self> {
        match &provider.source {
            KeySource::Remote { origin, cache, .. } => Some(Self {
                provider: &provider.name,
                kind: provider.kind,
                origin,
                cause,
                seen: cache.attempted_at,
                fetched_at: cache.fetched_at,
            }),
            KeySource::Pinned(_) | KeySource::Table => None,
        }
    }

    /// Whether the stored state has changed since this attempt was planned.
    fn is_made(&self) -> bool {
        match trust::current().and_then(|trust| trust.named(self.provider)) {
            Ok(provider) => {
                Attempt::of(&provider, self.cause).is_none_or(|now| now.seen != self.seen)
            }
            // The provider was dropped or changed: the next caller sees that.
            Err(_) => true,
        }
    }

    fn run_worker(&self) {
        // SAFETY: reads a variable of this process.
        let me = unsafe { pg_sys::MyProcPid };
        if let Ok(worker) = self.worker().set_notify_pid(me).load_dynamic() {
            // The table shows whether it succeeded.
            let _ = worker.wait_for_shutdown();
        }
    }

    fn worker(&self) -> BackgroundWorkerBuilder {
        // SAFETY: reads a variable of this process.
        let database = unsafe { pg_sys::MyDatabaseId };
        let seen = self.seen.map(|at| at.to_string()).unwrap_or_default();
        BackgroundWorkerBuilder::new("neon_auth JWKS refresh")
            .set_type("neon_auth JWKS refresh")
            .set_library("neon_auth")
            .set_function("neon_auth_refresh_main")
            .set_argument(Some(pg_sys::Datum::from(database)))
            .set_extra(&format!("{seen}:{}:{}", self.cause.name(), self.provider))
            .enable_spi_access()
    }

    fn fetch_locally(&self) {
        let request = KeyRequest {
            origin: self.origin.clone(),
            may_reduce: self.kind == Kind::Stack,
            reduced_url: None,
            at_hand: None,
        };
        let outcome = fetch::get(request, || true).and_then(|answer| match answer {
            KeyResponse::Keys {
                url,
                keys,
                lifetime,
                ..
            } => {
                if let Origin::Issuer { .. } = self.origin
                    && let Ok(trust) = trust::current()
                    && let Some(defect) = trust.discovery_defect(self.provider, &url)
                {
                    return Err(defect);
                }
                log_exposed(self.provider, &keys);
                Ok((keys, lifetime))
            }
            KeyResponse::Unchanged { .. } => {
                Err("The key server returned status 304 although no ETag was sent.".to_owned())
            }
        });
        let attempt = freshness::LocalAttempt {
            at: clock::microseconds(),
            is_miss: self.cause == Cause::UnknownKey,
            instead_of: self.fetched_at,
        };
        freshness::keep_local(self.origin.url(), attempt, outcome);
    }
}

/// Logs that an issuer publishes a key that must be secret.
fn log_exposed(provider: &str, keys: &KeySet) {
    for key in keys.left_out().iter().filter(|key| key.exposes_secret()) {
        pgrx::log!(
            "neon_auth: JWKS of provider {}: {key}. The issuer must replace it: anybody can sign tokens with it. It is left out",
            quoted(provider)
        );
    }
}

/// The two locks of a provider: for sessions that need its keys, and for the worker that fetches
/// them.
#[derive(Clone, Copy)]
enum RefreshLock {
    Sessions = 1,
    Workers = 2,
}

impl RefreshLock {
    fn wait(self, provider: &str) -> Lock {
        Lock::wait(Space::Keys, self as u32, lock::number(provider))
    }

    fn try_now(self, provider: &str) -> Option<Lock> {
        Lock::try_now(Space::Keys, self as u32, lock::number(provider))
    }

    fn hold_until_exit(self, provider: &str) {
        Lock::hold_until_exit(Space::Keys, self as u32, lock::number(provider));
    }
}

/// Records the attempt, unless the cache has changed or the provider was dropped.
const BEGIN: &str = "SELECT neon_auth_internal.begin_jwks($1, $2, $3)";

/// Stores a response; with an empty `$4` the cached set remains, which the server confirmed.
/// Returns why it could not.
const STORE: &str = "\
SELECT neon_auth_internal.store_jwks($1, $2, $3, nullif($4, ''), nullif($5, ''), $6::bigint, nullif($7, ''),
                                     $8::boolean)";

const FAIL: &str = "SELECT neon_auth_internal.fail_jwks($1, $2, $3)::text";

/// The worker: one attempt for one provider of one database, then it ends.
///
/// # Safety
/// PostgreSQL calls it, in a process of its own, with the database's OID.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn neon_auth_refresh_main(database: pg_sys::Datum) {
    #[derive(Deserialize)]
    struct Begun {
        jwks_url: Option<String>,
        /// The issuer, if the URL is to be discovered.
        issuer: Option<String>,
        kind: String,
        /// The URL to begin with, instead of `jwks_url`.
        reduced_url: Option<String>,
        /// The URL that the cached set is from, and its ETag.
        etag_url: Option<String>,
        etag: Option<String>,
    }

    // The open transaction of a session may hold a lock that we need, while the session waits for
    // us.
    process::settle_in(c"1s");
    let database = pg_sys::Oid::from(database.value() as u32);
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(database), None);
    let mut extra = BackgroundWorker::get_extra().splitn(3, ':');
    let (Some(seen), Some(cause), Some(provider)) = (extra.next(), extra.next(), extra.next())
    else {
        return;
    };

    in_transaction(|| RefreshLock::Workers.hold_until_exit(provider));
    let begun = in_transaction(|| spi::write(BEGIN, &[provider, seen, cause]));
    let begun = begun.and_then(|json| serde_json::from_str::<Begun>(&json).ok());
    if let Some(begun) = begun
        && let Some(origin) = match begun.issuer {
            Some(issuer) => Origin::discovered(&issuer),
            None => begun.jwks_url.clone().map(Origin::Url),
        }
    {
        let start = origin.url().to_owned();
        let request = KeyRequest {
            origin,
            may_reduce: begun.kind == Kind::Stack.name(),
            reduced_url: begun.reduced_url,
            at_hand: begun.etag_url.zip(begun.etag),
        };
        let outcome = fetch::get(request, process::database_is_free);
        let failure = in_transaction(|| match outcome {
            // Dropped meanwhile.
            _ if !spi::is_installed() => None,
            Ok(answer) => {
                let (url, reduced, json, etag, lifetime) = match answer {
                    KeyResponse::Keys {
                        url,
                        reduced,
                        json,
                        keys,
                        etag,
                        lifetime,
                    } => {
                        log_exposed(provider, &keys);
                        (url, reduced, json, etag.unwrap_or_default(), lifetime)
                    }
                    KeyResponse::Unchanged {
                        url,
                        reduced,
                        lifetime,
                    } => (url, reduced, String::new(), String::new(), lifetime),
                };
                let lifetime = lifetime.to_string();
                let (reduced, is_new) = match reduced {
                    Some(reduced) => (reduced.url, reduced.is_new.to_string()),
                    None => (String::new(), false.to_string()),
                };
                let response = [&start, &url, &json, &etag, &lifetime, &reduced, &is_new];
                let response = response.map(String::as_str);
                spi::write(STORE, &[&[provider][..], &response].concat())
            }
            Err(reason) => {
                spi::write(FAIL, &[provider, &start, &reason]);
                Some(reason)
            }
        });
        if let Some(reason) = failure {
            pgrx::log!(
                "neon_auth: JWKS of provider {} not refreshed: {reason}",
                quoted(provider)
            );
        }
    }
}

/// Runs one transaction of the worker; an ERROR ends the worker.
fn in_transaction<R>(body: impl FnOnce() -> R) -> R {
    BackgroundWorker::transaction(std::panic::AssertUnwindSafe(body))
}
