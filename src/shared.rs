//! Shared memory about the databases that use the extension: counters, and when a worker is due. It
//! exists only with preloading; only workers and statistics need it.
//!
//! Everything is atomic, and read without locks. One lock is for allocating and freeing slots,
//! which happens once for a database.

use std::cell::Cell;
use std::sync::atomic::{
    AtomicBool, AtomicI32, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering,
};

use pgrx::prelude::*;
use pgrx::{PGRXSharedMemory, PgAtomic, PgLwLock, pg_shmem_init};

/// Number of databases with a slot; further ones are neither counted nor served by workers.
const DATABASES: usize = 1024;
/// The time of a run that is not planned.
pub const NEVER: i64 = i64::MAX;

// SAFETY: the only atomic of this name, and initialised in _PG_init before a process uses it.
static SHARED: PgAtomic<Shared> = unsafe { PgAtomic::new(c"neon_auth") };
/// Held to allocate or free a slot; without it two sessions could allocate two for one database.
// SAFETY: the only lock of this name, and initialised in _PG_init before a process uses it.
static PLACES: PgLwLock<u32> = unsafe { PgLwLock::new(c"neon_auth_places") };

thread_local! {
    static IS_PRELOADED: Cell<bool> = const { Cell::new(false) };
}

pub struct Shared {
    /// The latch of the launcher, or null. Latches keep their address as long as the server runs.
    launcher: AtomicPtr<pg_sys::Latch>,
    databases: [Database; DATABASES],
}

// SAFETY: only atomics; the pointer is into shared memory, the same in every process.
unsafe impl PGRXSharedMemory for Shared {}

/// The state of one database.
pub struct Database {
    /// Its OID, or 0 while the slot is free.
    oid: AtomicU32,
    /// A session has work for a worker.
    pub wanted: AtomicBool,
    /// A session has changed settings, so earlier failures are obsolete.
    pub reset: AtomicBool,
    /// When a worker is due, in microseconds since 1970.
    pub due_at: AtomicI64,
    /// After failures: the end of the back-off, likewise. No session can wake a worker earlier.
    pub retry_at: AtomicI64,
    /// When a worker was last running, likewise; 0 for never.
    pub visited_at: AtomicI64,
    /// When old records were last pruned, likewise; 0 for never.
    pub pruned_at: AtomicI64,
    /// PID of a worker that may be asked to leave by cancelling its statement; 0 for none.
    pub visitor: AtomicI32,
    /// Number of consecutive worker runs that failed, or that failed to confirm the queue.
    pub failures: AtomicU32,
    /// Number of consecutive full synchronisations that failed.
    pub sync_failures: AtomicU32,
    counters: [AtomicU64; Counter::ALL.len()],
}

/// The counters.
#[derive(Clone, Copy)]
pub enum Counter {
    TokensAccepted,
    TokensRemembered,
    TokensShared,
    SignaturesChecked,
    TokensRefused,
    ApiKeysAccepted,
    ApiKeysRefused,
    RefusedForm,
    RefusedIssuer,
    RefusedKey,
    RefusedSignature,
    RefusedExpired,
    RefusedRule,
    RefusedEnded,
    RefusedUnknown,
    RefusedOther,
    KeyFetches,
    KeyFetchFailures,
    DeliveriesVerified,
    DeliveriesRefused,
    RestRequests,
    RestFailures,
    WorkerVisits,
}

impl Counter {
    pub const ALL: [(Counter, &str, &str); 23] = [
        (
            Counter::TokensAccepted,
            "tokens_accepted",
            "Tokens accepted",
        ),
        (
            Counter::TokensRemembered,
            "tokens_remembered",
            "Tokens accepted from the session's cache: this session had verified them earlier",
        ),
        (
            Counter::TokensShared,
            "tokens_shared",
            "Tokens accepted whose signature was in the server's cache and was not checked again",
        ),
        (
            Counter::SignaturesChecked,
            "signatures_checked",
            "Tokens accepted after a check of their signature",
        ),
        (
            Counter::TokensRefused,
            "tokens_refused",
            "Tokens refused, for any reason",
        ),
        (
            Counter::ApiKeysAccepted,
            "api_keys_accepted",
            "API keys accepted, of those that begin with nak_",
        ),
        (
            Counter::ApiKeysRefused,
            "api_keys_refused",
            "API keys refused, for any reason, of those that begin with nak_",
        ),
        (
            Counter::RefusedForm,
            "refused_form",
            "Tokens and API keys refused because they are malformed",
        ),
        (
            Counter::RefusedIssuer,
            "refused_issuer",
            "Tokens refused because no provider trusts their issuer and audience",
        ),
        (
            Counter::RefusedKey,
            "refused_key",
            "Tokens refused because their key is unknown or unusable, or no keys could be fetched",
        ),
        (
            Counter::RefusedSignature,
            "refused_signature",
            "Tokens refused because their signature is wrong or missing",
        ),
        (
            Counter::RefusedExpired,
            "refused_expired",
            "Tokens and API keys refused because they have expired",
        ),
        (
            Counter::RefusedRule,
            "refused_rule",
            "Tokens and API keys refused by a rule of the provider: claims, times, algorithm, role",
        ),
        (
            Counter::RefusedEnded,
            "refused_ended",
            "Tokens and API keys refused because they were revoked, or their user is deleted or banned",
        ),
        (
            Counter::RefusedUnknown,
            "refused_unknown",
            "Session tokens and API keys refused because there is no such session or key",
        ),
        (
            Counter::RefusedOther,
            "refused_other",
            "Tokens and API keys refused for another reason, such as an unusable configuration",
        ),
        (
            Counter::KeyFetches,
            "key_fetches",
            "Requests to key servers",
        ),
        (
            Counter::KeyFetchFailures,
            "key_fetch_failures",
            "Requests to key servers that returned no usable keys",
        ),
        (
            Counter::DeliveriesVerified,
            "deliveries_verified",
            "Webhooks with a valid signature",
        ),
        (
            Counter::DeliveriesRefused,
            "deliveries_refused",
            "Webhooks refused because of their headers, timestamp or signature",
        ),
        (
            Counter::RestRequests,
            "rest_requests",
            "Requests to the REST API of the auth service",
        ),
        (
            Counter::RestFailures,
            "rest_failures",
            "Requests to the REST API without a valid response",
        ),
        (
            Counter::WorkerVisits,
            "worker_visits",
            "Runs of a background worker in this database",
        ),
    ];
}

impl Shared {
    #[expect(
        clippy::declare_interior_mutable_const,
        reason = "each place gets its own"
    )]
    const fn new() -> Self {
        const ZERO: AtomicU64 = AtomicU64::new(0);
        const FREE: Database = Database {
            oid: AtomicU32::new(0),
            wanted: AtomicBool::new(false),
            reset: AtomicBool::new(false),
            due_at: AtomicI64::new(NEVER),
            retry_at: AtomicI64::new(0),
            visited_at: AtomicI64::new(0),
            pruned_at: AtomicI64::new(0),
            visitor: AtomicI32::new(0),
            failures: AtomicU32::new(0),
            sync_failures: AtomicU32::new(0),
            counters: [ZERO; Counter::ALL.len()],
        };
        Self {
            launcher: AtomicPtr::new(std::ptr::null_mut()),
            databases: [FREE; DATABASES],
        }
    }
}

/// Requests the memory, while the server loads the library.
pub fn define() {
    IS_PRELOADED.set(true);
    pg_shmem_init!(SHARED = Shared::new());
    pg_shmem_init!(PLACES);
}

/// Whether the server has loaded the library at its start.
pub fn is_preloaded() -> bool {
    IS_PRELOADED.get()
}

/// The slot of a database, allocated if it has none. `None` for no database, and if all slots are
/// used.
pub fn database(oid: pg_sys::Oid) -> Option<&'static Database> {
    if oid == pg_sys::InvalidOid {
        return None;
    }
    find(oid).or_else(|| {
        let shared = shared()?;
        let _places = PLACES.exclusive();
        find(oid).or_else(|| {
            let place = shared.databases.iter().find(|place| place.is_of(0))?;
            place.oid.store(oid.to_u32(), Ordering::Release);
            Some(place)
        })
    })
}

fn find(oid: pg_sys::Oid) -> Option<&'static Database> {
    let oid = oid.to_u32();
    shared()?.databases.iter().find(|place| place.is_of(oid))
}

fn shared() -> Option<&'static Shared> {
    is_preloaded().then(|| SHARED.get())
}

/// The slot of this session's database.
pub fn here() -> Option<&'static Database> {
    thread_local! {
        static HERE: Cell<Option<&'static Database>> = const { Cell::new(None) };
    }
    if HERE.get().is_none() && is_preloaded() {
        // SAFETY: reads a variable of this process, which never changes its database.
        HERE.set(database(unsafe { pg_sys::MyDatabaseId }));
    }
    HERE.get()
}

/// Increments a counter.
pub fn count(counter: Counter) {
    if let Some(here) = here() {
        here.counters[counter as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// The databases that have a slot, with their OIDs.
pub fn databases() -> impl Iterator<Item = (pg_sys::Oid, &'static Database)> {
    shared()
        .into_iter()
        .flat_map(|shared| &shared.databases)
        .filter_map(|place| match place.oid.load(Ordering::Acquire) {
            0 => None,
            oid => Some((pg_sys::Oid::from(oid), place)),
        })
}

impl Database {
    fn is_of(&self, oid: u32) -> bool {
        self.oid.load(Ordering::Acquire) == oid
    }

    /// Whether this is still the slot of a database.
    pub fn belongs_to(&self, oid: pg_sys::Oid) -> bool {
        self.is_of(oid.to_u32())
    }

    /// When a worker is due, everything considered.
    pub fn next_visit(&self) -> i64 {
        if self.reset.load(Ordering::Acquire) {
            return 0;
        }
        let due_at = self.due_at.load(Ordering::Acquire);
        if self.wanted.load(Ordering::Acquire) {
            due_at.min(self.retry_at.load(Ordering::Acquire))
        } else {
            due_at
        }
    }

    /// Records that settings have changed.
    pub fn request_reset(&self) {
        self.reset.store(true, Ordering::Release);
        self.wanted.store(true, Ordering::Release);
    }

    /// Frees the slot of a database that does not exist any more, and so has no sessions.
    pub fn free(&self) {
        let _places = PLACES.exclusive();
        self.wanted.store(false, Ordering::Relaxed);
        self.reset.store(false, Ordering::Relaxed);
        self.due_at.store(NEVER, Ordering::Relaxed);
        self.retry_at.store(0, Ordering::Relaxed);
        self.visited_at.store(0, Ordering::Relaxed);
        self.pruned_at.store(0, Ordering::Relaxed);
        self.visitor.store(0, Ordering::Relaxed);
        self.failures.store(0, Ordering::Relaxed);
        self.sync_failures.store(0, Ordering::Relaxed);
        for counter in &self.counters {
            counter.store(0, Ordering::Relaxed);
        }
        self.oid.store(0, Ordering::Release);
    }
}

/// Registers this process as the launcher.
pub fn become_launcher() {
    if let Some(shared) = shared() {
        // SAFETY: reads a variable of this process.
        let latch = unsafe { pg_sys::MyLatch };
        shared.launcher.store(latch, Ordering::Release);
    }
}

/// Wakes the launcher, if there is one. If its latch now belongs to another process, that one wakes
/// up for nothing, which is harmless.
pub fn wake_launcher() {
    if let Some(shared) = shared() {
        let latch = shared.launcher.load(Ordering::Acquire);
        if !latch.is_null() {
            // SAFETY: latches in shared memory last as long as the server.
            unsafe { pg_sys::SetLatch(latch) };
        }
    }
}

/// `neon_auth_internal.counters()`: the rows of `neon_auth.stats`.
#[pg_extern(sql = false)]
fn counters() -> TableIterator<
    'static,
    (
        name!(counter, &'static str),
        name!(value, i64),
        name!(description, &'static str),
    ),
> {
    let rows = here().into_iter().flat_map(|here| {
        Counter::ALL.iter().map(|(counter, name, description)| {
            let value = here.counters[*counter as usize].load(Ordering::Relaxed);
            (*name, value as i64, *description)
        })
    });
    TableIterator::new(rows)
}

/// `neon_auth_internal.worker_state()`: whether workers serve this database, and when.
#[pg_extern(sql = false)]
fn worker_state() -> TableIterator<
    'static,
    (
        name!(preloaded, bool),
        name!(visited_at, Option<i64>),
        name!(due_at, Option<i64>),
        name!(failures, i64),
    ),
> {
    let time = |at: i64| (at != 0 && at != NEVER).then_some(at);
    let (visited_at, due_at, failures) = here().map_or((None, None, 0), |here| {
        // A running worker has not set the next time yet.
        let is_visited = here.visitor.load(Ordering::Relaxed) != 0;
        (
            time(here.visited_at.load(Ordering::Relaxed)),
            time(here.due_at.load(Ordering::Relaxed)).filter(|_| !is_visited),
            here.failures.load(Ordering::Relaxed),
        )
    });
    TableIterator::once((is_preloaded(), visited_at, due_at, failures.into()))
}
