//! New keys, with one fetch for many waiting sessions.
//!
//! A session that needs keys cannot store them itself: a refused token aborts its transaction,
//! a READ ONLY one may not write, and a row that it wrote would block every other session until
//! it commits. So a short-lived background worker fetches and stores in transactions of its own;
//! sessions queue on a lock, and all but the first find the work done. The attempt is committed
//! before the request is made, so failures count towards the cooldown whatever becomes of the
//! session that asked.
//!
//! Where no worker can store (a standby, no free worker slot, a provider that is not committed
//! yet) the session fetches for itself and keeps the keys in its memory.

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder};
use pgrx::prelude::*;
use serde::Deserialize;

use super::fetch::{self, Answer, Request};
use super::supply;
use super::trust::{self, KeySource, Provider};
use crate::error::quoted;
use crate::lock::{self, Lock, Space};
use crate::{spi, worker};

/// An attempt to refresh one provider's keys.
struct Attempt<'a> {
    provider: &'a str,
    url: &'a str,
    /// When the last attempt was made, as far as this session knows; it identifies the state of
    /// the cache that this attempt is to replace.
    seen: Option<i64>,
    /// When the keys were fetched that are stored.
    fetched_at: Option<i64>,
}

/// Makes one attempt to refresh a provider's keys, or waits for another session's. Its outcome
/// is what `trust::current` and `Provider::supply` answer next.
pub fn fetch_once(provider: &Provider) {
    let Some(attempt) = Attempt::of(provider) else {
        return;
    };
    if !in_recovery() {
        let turn = Queue::Sessions.wait(attempt.provider);
        let made = attempt.is_made() || {
            attempt.run_worker();
            attempt.is_made()
        };
        turn.release();
        if made {
            wait_for_worker(provider);
            return;
        }
    }
    attempt.fetch_locally();
}

/// Waits for an attempt that is under way, also that of a session which has been cancelled since.
/// Its outcome is what `trust::current` answers next.
pub fn wait_for_worker(provider: &Provider) {
    Queue::Workers.wait(&provider.name).release();
}

/// Starts a refresh behind the session's back, unless another session is at it.
pub fn fetch_behind(provider: &Provider) {
    if in_recovery() {
        return;
    }
    if let Some(attempt) = Attempt::of(provider)
        && let Some(turn) = Queue::Sessions.try_now(attempt.provider)
    {
        // Without a free slot the next session tries again.
        let _ = attempt.worker().load_dynamic();
        turn.release();
    }
}

/// Starts the refreshes that are due; answers when, in microseconds since 1970, to look again: at
/// a full second, because that is how the age of keys is counted.
pub fn refresh_ahead() -> Option<i64> {
    const SECOND: i64 = 1_000_000;
    let now = super::now();
    let trust = trust::current().ok()?;
    let providers = trust
        .remote()
        .into_iter()
        .filter_map(|name| trust.named(&name).ok());
    providers
        .map(|provider| {
            let supply = provider.supply(now);
            if supply.may_attempt(now) && (supply.is_due(now) || supply.is_due_soon(now)) {
                fetch_behind(&provider);
            }
            supply.next_attempt(now)
        })
        .min()
        .map(|at| at.saturating_add(SECOND - 1) / SECOND * SECOND)
}

fn in_recovery() -> bool {
    // SAFETY: reads shared state.
    unsafe { pg_sys::RecoveryInProgress() }
}

impl<'a> Attempt<'a> {
    fn of(provider: &'a Provider) -> Option<Self> {
        match &provider.source {
            KeySource::Remote { url, cache, .. } => Some(Self {
                provider: &provider.name,
                url,
                seen: cache.attempted_at,
                fetched_at: cache.fetched_at,
            }),
            KeySource::Pinned(_) => None,
        }
    }

    /// Whether the stored state has moved on since this attempt was thought of.
    fn is_made(&self) -> bool {
        match trust::current().and_then(|trust| trust.named(self.provider)) {
            Ok(provider) => Attempt::of(&provider).is_none_or(|now| now.seen != self.seen),
            // The provider is gone or changed: whoever asks next is told.
            Err(_) => true,
        }
    }

    fn run_worker(&self) {
        // SAFETY: reads a variable of this process.
        let me = unsafe { pg_sys::MyProcPid };
        if let Ok(worker) = self.worker().set_notify_pid(me).load_dynamic() {
            // Whether it did its work is seen in the table.
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
            .set_extra(&format!("{seen}:{}", self.provider))
            .enable_spi_access()
    }

    fn fetch_locally(&self) {
        let request = Request {
            url: self.url.to_owned(),
            etag: None,
        };
        let outcome = fetch::get(request, || true);
        let outcome = outcome.and_then(|answer| match answer {
            Answer::Keys { keys, lifetime, .. } => Ok((keys, lifetime)),
            Answer::Unchanged { .. } => Err("The key server answered 304 to no ETag.".to_owned()),
        });
        supply::keep_local(
            self.url,
            self.fetched_at,
            outcome,
            super::now_in_microseconds(),
        );
    }
}

/// The two queues of a provider: sessions that need its keys, and the worker that gets them.
#[derive(Clone, Copy)]
enum Queue {
    Sessions = 1,
    Workers = 2,
}

impl Queue {
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

/// Records the attempt, unless the cache has moved on or the provider is gone. The lock on the
/// provider's row keeps a row from being left behind by a provider that is dropped meanwhile.
const BEGIN: &str = "\
INSERT INTO neon_auth.jwks_cache AS c (provider, jwks_url, attempted_at)
SELECT name, jwks_url, clock_timestamp()
  FROM neon_auth.providers
 WHERE name = $1 AND jwks_url IS NOT NULL
   FOR KEY SHARE
ON CONFLICT (provider) DO UPDATE
   SET jwks_url = EXCLUDED.jwks_url,
       attempted_at = EXCLUDED.attempted_at,
       jwks = CASE WHEN c.jwks_url = EXCLUDED.jwks_url THEN c.jwks END,
       fetched_at = CASE WHEN c.jwks_url = EXCLUDED.jwks_url THEN c.fetched_at END,
       fresh_until = CASE WHEN c.jwks_url = EXCLUDED.jwks_url THEN c.fresh_until END,
       etag = CASE WHEN c.jwks_url = EXCLUDED.jwks_url THEN c.etag END
 WHERE c.jwks_url <> EXCLUDED.jwks_url
    OR (extract(epoch FROM c.attempted_at) * 1000000)::bigint::text = $2
RETURNING json_build_object('url', jwks_url, 'etag', etag)::text";

/// Stores an answer; an empty `$3` keeps the set at hand, which the server confirmed. Answers why
/// it could not.
const STORE: &str = "\
SELECT neon_auth.store_jwks($1, $2, nullif($3, ''), nullif($4, ''), $5::bigint)";

const FAIL: &str = "SELECT neon_auth.fail_jwks($1, $2, $3)::text";

/// The worker: one attempt for one provider of one database, then it is gone.
///
/// # Safety
/// PostgreSQL calls it, in a process of its own, with the database's OID.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn neon_auth_refresh_main(database: pg_sys::Datum) {
    #[derive(Deserialize)]
    struct Begun {
        url: String,
        etag: Option<String>,
    }

    // A session's open transaction may hold what we need while it waits for us.
    worker::settle_in(c"1s");
    let database = pg_sys::Oid::from(database.value() as u32);
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(database), None);
    let Some((seen, provider)) = BackgroundWorker::get_extra().split_once(':') else {
        return;
    };

    in_transaction(|| Queue::Workers.hold_until_exit(provider));
    let begun = in_transaction(|| spi::write(BEGIN, &[provider, seen]));
    if let Some(begun) = begun.and_then(|json| serde_json::from_str::<Begun>(&json).ok()) {
        let url = begun.url.clone();
        let request = Request {
            url: begun.url,
            etag: begun.etag,
        };
        let outcome = fetch::get(request, worker::database_is_free);
        let failure = in_transaction(|| match outcome {
            // Dropped meanwhile.
            _ if !spi::is_installed() => None,
            Ok(answer) => {
                let (json, etag, lifetime) = match answer {
                    Answer::Keys {
                        json,
                        etag,
                        lifetime,
                        ..
                    } => (json, etag.unwrap_or_default(), lifetime),
                    Answer::Unchanged { lifetime } => (String::new(), String::new(), lifetime),
                };
                spi::write(
                    STORE,
                    &[provider, &url, &json, &etag, &lifetime.to_string()],
                )
            }
            Err(reason) => {
                spi::write(FAIL, &[provider, &url, &reason]);
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
