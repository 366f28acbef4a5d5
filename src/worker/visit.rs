//! One run of a worker in one database: confirms the queue, refreshes keys, prunes old records,
//! synchronises when due, and ends.

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys::panic::CaughtError;
use pgrx::prelude::*;
use serde::Deserialize;

use super::retry::{FIRST_RETRY, retry_after};
use crate::background::process;
use crate::background::steps::{Steps, Stop};
use crate::clock::{self, SECOND};
use crate::error::{self, Problem};
use crate::pg::spi;
use crate::service;
use crate::shared::{self, Counter, NEVER};
use crate::{provider, settings};

/// The longest time between two runs, in case the clock is set or a notification is lost.
const LONGEST_ABSENCE: i64 = 3600 * SECOND;
/// When to retry if another process is synchronising.
const BUSY_INTERVAL: i64 = 5 * SECOND;
/// When to check again while a prepared transaction may have queued something.
const PREPARED_INTERVAL: i64 = 5 * SECOND;
/// After that long, new work is left to the next run: other databases have their turn.
const LONGEST_STAY: Duration = Duration::from_secs(10);
/// How often old records are pruned.
const PRUNE_INTERVAL: i64 = 24 * 3600 * SECOND;

/// Another session waits for the database.
struct GivenWay;

/// # Safety
/// PostgreSQL calls it, in a process of its own, with the database's OID.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn neon_auth_visit_main(database: pg_sys::Datum) {
    // A row that is locked for longer delays its own changes, but not those of all others.
    process::settle_in(c"5s");
    let oid = pg_sys::Oid::from(database.value() as u32);
    let Some(here) = shared::database(oid) else {
        return;
    };
    // Before connecting, because connecting reads the settings.
    let is_reset = here.reset.swap(false, Ordering::AcqRel);
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(oid), None);
    if is_reset {
        here.sync_failures.store(0, Ordering::Relaxed);
        here.retry_at.store(0, Ordering::Relaxed);
        here.pruned_at.store(0, Ordering::Relaxed);
    }
    let began = Instant::now();
    let mut next = look_after(here, is_reset);
    // Work that arrived meanwhile is done at once instead of by another process, unless settings
    // have changed, which this process has not read.
    while next.is_ok()
        && !here.reset.load(Ordering::Acquire)
        && here.next_visit() <= now()
        && began.elapsed() < LONGEST_STAY
    {
        here.wanted.store(false, Ordering::Release);
        next = look_after(here, false);
    }
    here.due_at.store(
        // At least a second later, also if another session waits for the database.
        next.unwrap_or(0).max(now() + SECOND),
        Ordering::Release,
    );
}

/// The row that `neon_auth_internal.worker_plan()` returns; times in microseconds since 1970.
#[derive(Deserialize)]
struct Plan {
    has_queue: bool,
    is_configured: bool,
    finished_at: Option<i64>,
    failed_at: Option<i64>,
}

/// Does the work that is due, and returns when the next run is due.
fn look_after(here: &shared::Database, is_reset: bool) -> Result<i64, GivenWay> {
    if !Steps::Worker.transaction(spi::is_installed) {
        // A session that configures a provider wakes a worker.
        succeeded(here);
        return Ok(NEVER);
    }
    shared::count(Counter::WorkerVisits);
    here.visited_at.store(now(), Ordering::Relaxed);
    show(c"refreshing keys");
    let keys = Steps::Worker
        .transaction(provider::refresh_ahead)
        .unwrap_or(NEVER);
    let mut next = keys.min(now() + LONGEST_ABSENCE);

    // Before the plan, which then sees everything that is committed by then.
    let awaits = "SELECT nullif(neon_auth_internal.awaits_prepared(), false)::text";
    if Steps::Worker
        .transaction(|| spi::read(awaits, &[]))
        .is_some()
    {
        next = next.min(now() + PREPARED_INTERVAL);
    }
    let plan = Steps::Worker
        .transaction(|| spi::read("SELECT neon_auth_internal.worker_plan()::text", &[]));
    let plan: Plan = plan
        .and_then(|plan| serde_json::from_str(&plan).ok())
        .expect("worker_plan() returns valid JSON");
    let visit = Visit {
        here,
        plan,
        is_reset,
    };
    for task in [Visit::confirm_queue, Visit::forget_old, Visit::compare] {
        next = next.min(task(&visit)?);
    }
    Ok(next)
}

/// The tasks of one run. Each returns when it is due again.
struct Visit<'a> {
    here: &'a shared::Database,
    plan: Plan,
    is_reset: bool,
}

impl Visit<'_> {
    /// Confirms the queue, if it is due.
    fn confirm_queue(&self) -> Result<i64, GivenWay> {
        let Self { here, plan, .. } = self;
        let mut next = NEVER;
        if !plan.is_configured || !plan.has_queue {
            succeeded(here);
        } else if here.retry_at.load(Ordering::Relaxed) <= now() {
            show(c"confirming the sync queue");
            match attempt(here, || service::drain(Steps::Worker)) {
                Outcome::Done => succeeded(here),
                Outcome::GivenWay => return Err(GivenWay),
                Outcome::Busy => next = now() + BUSY_INTERVAL,
                Outcome::Failed(reason) => {
                    let wait = wait_after(&here.failures);
                    here.retry_at.store(now() + wait, Ordering::Release);
                    log("confirming the sync queue failed", &reason, wait);
                }
            }
        }
        Ok(match here.retry_at.load(Ordering::Relaxed) {
            0 => next,
            retry_at => next.min(retry_at),
        })
    }

    /// Prunes old records, once a day. No run is planned for it: there is one every hour.
    fn forget_old(&self) -> Result<i64, GivenWay> {
        let here = self.here;
        let pruned_at = here.pruned_at.load(Ordering::Relaxed);
        if (pruned_at..pruned_at + PRUNE_INTERVAL).contains(&now()) {
            return Ok(NEVER);
        }
        // Also if it fails: pruning can wait.
        here.pruned_at.store(now(), Ordering::Relaxed);
        show(c"pruning old records");
        match attempt(here, prune) {
            Outcome::GivenWay => {
                here.pruned_at.store(pruned_at, Ordering::Relaxed);
                return Err(GivenWay);
            }
            Outcome::Failed(reason) => log("pruning old records failed", &reason, PRUNE_INTERVAL),
            Outcome::Done | Outcome::Busy => {}
        }
        Ok(NEVER)
    }

    /// Synchronises everything with the auth service, if it is due.
    fn compare(&self) -> Result<i64, GivenWay> {
        let Self {
            here,
            plan,
            is_reset,
        } = self;
        let interval = i64::from(settings::SYNC_INTERVAL.get()) * SECOND;
        if !plan.is_configured || interval == 0 {
            return Ok(NEVER);
        }
        // The wait after a failure is not longer than after a success.
        let longest = interval.max(FIRST_RETRY);
        let failures = here.sync_failures.load(Ordering::Relaxed);
        let due_at = match (plan.finished_at, plan.failed_at) {
            (_, Some(_)) if *is_reset => 0,
            // A time in the future: the clock was set.
            (_, Some(at)) | (Some(at), None) if at > now() => 0,
            (_, Some(failed_at)) => failed_at + retry_after(failures).min(longest),
            (Some(finished_at), None) => finished_at + interval,
            (None, None) => 0,
        };
        if due_at > now() {
            return Ok(due_at);
        }
        show(c"synchronising the mirror");
        let wait = match attempt(here, || service::sync(Steps::Worker)) {
            Outcome::Done => {
                succeeded(here);
                here.sync_failures.store(0, Ordering::Relaxed);
                interval
            }
            Outcome::GivenWay => return Err(GivenWay),
            Outcome::Busy => BUSY_INTERVAL,
            Outcome::Failed(reason) => {
                let wait = wait_after(&here.sync_failures).min(longest);
                log("synchronisation failed", &reason, wait);
                wait
            }
        };
        Ok(now() + wait)
    }
}

fn prune() -> Result<(), Stop> {
    Steps::Worker.transaction(|| spi::write("SELECT neon_auth_internal.prune()::text", &[]));
    service::erase_deleted(Steps::Worker)
}

/// Why work ended before it was done.
enum Interruption {
    Stopped(Stop),
    Raised(CaughtError),
}

/// The outcome of an attempt.
enum Outcome {
    Done,
    GivenWay,
    /// Another process is synchronising.
    Busy,
    Failed(String),
}

/// Runs the work to its end, and catches an ERROR, for example of a user's trigger.
fn attempt(here: &shared::Database, work: fn() -> Result<(), Stop>) -> Outcome {
    // SAFETY: reads a variable of this process.
    here.visitor
        .store(unsafe { pg_sys::MyProcPid }, Ordering::Release);
    let outcome = PgTryBuilder::new(AssertUnwindSafe(|| work().map_err(Interruption::Stopped)))
        .catch_others(|error| Err(Interruption::Raised(error)))
        .catch_rust_panic(|error| Err(Interruption::Raised(error)))
        .execute();
    here.visitor.store(0, Ordering::Release);
    match outcome {
        Ok(()) => Outcome::Done,
        Err(Interruption::Stopped(Stop::GiveWay)) => Outcome::GivenWay,
        Err(Interruption::Stopped(Stop::Problem(Problem::SyncUnderWay))) => Outcome::Busy,
        Err(Interruption::Stopped(Stop::Problem(problem))) => Outcome::Failed(problem.sentence()),
        Err(Interruption::Raised(error)) => broken_off(&error),
    }
}

/// After an ERROR.
fn broken_off(error: &CaughtError) -> Outcome {
    // SAFETY: as the server does after an ERROR; the ERROR was removed from its stack.
    unsafe { pg_sys::AbortOutOfAnyTransaction() };
    // The launcher cancels statements that block other sessions.
    let is_cancelled =
        error::report_of(error).sql_error_code() == PgSqlErrorCode::ERRCODE_QUERY_CANCELED;
    if is_cancelled && !process::database_is_free() {
        return Outcome::GivenWay;
    }
    Outcome::Failed(service::note_error(Steps::Worker, error))
}

/// The queue is confirmed, or there is none: clears the back-off.
fn succeeded(here: &shared::Database) {
    here.failures.store(0, Ordering::Relaxed);
    here.retry_at.store(0, Ordering::Relaxed);
}

/// Counts one more failure, and returns how long to wait.
fn wait_after(failures: &AtomicU32) -> i64 {
    retry_after(failures.fetch_add(1, Ordering::Relaxed).saturating_add(1))
}

fn log(what: &str, reason: &str, wait: i64) {
    let database = Steps::Worker.transaction(|| {
        // SAFETY: a catalog look-up inside a transaction; the name is copied.
        unsafe {
            let name = pg_sys::get_database_name(pg_sys::MyDatabaseId);
            (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().into_owned())
        }
    });
    pgrx::log!(
        "neon_auth: database \"{}\": {what}: {reason} Next attempt in {} s.",
        database.unwrap_or_default(),
        wait / SECOND
    );
}

/// Shows the current task in pg_stat_activity.
fn show(what: &'static CStr) {
    // SAFETY: the text is copied.
    unsafe { pg_sys::pgstat_report_activity(pg_sys::BackendState::STATE_RUNNING, what.as_ptr()) };
}

fn now() -> i64 {
    clock::microseconds()
}
