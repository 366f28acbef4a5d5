//! One visit to one database: what is queued, keys that run out, the full comparison when it is
//! time, and then away.

use std::sync::atomic::Ordering;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::prelude::*;
use serde::Deserialize;

use crate::error::Problem;
use crate::shared::{self, Counter, NEVER};
use crate::stack::{self, Steps, Stop};
use crate::{provider, settings, spi};

const SECOND: i64 = 1_000_000;
/// The wait after a first failure; it doubles with each further one.
const FIRST_RETRY: i64 = 30 * SECOND;
const LONGEST_RETRY: i64 = 3600 * SECOND;

/// # Safety
/// PostgreSQL calls it, in a process of its own, with the database's OID.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn neon_auth_visit_main(database: pg_sys::Datum) {
    super::die_on_sigterm();
    let oid = pg_sys::Oid::from(database.value() as u32);
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(oid), None);
    let Some(here) = shared::here() else {
        return;
    };
    if !BackgroundWorker::transaction(spi::is_installed) {
        // A session that configures a provider will tell.
        here.due_at.store(NEVER, Ordering::Release);
        return;
    }
    shared::count(Counter::WorkerVisits);
    here.visited_at
        .store(provider::now_in_microseconds(), Ordering::Relaxed);
    let next = loop {
        let next = look_after(here);
        // What was told meanwhile is done at once, rather than by another process.
        if !here.wanted.swap(false, Ordering::AcqRel) || next == GIVEN_WAY {
            break next;
        }
    };
    let due_at = match next {
        GIVEN_WAY => provider::now_in_microseconds() + SECOND,
        next => next,
    };
    here.due_at.store(due_at, Ordering::Release);
}

/// Instead of a time: somebody waits for the database to be left.
const GIVEN_WAY: i64 = -1;

/// What `neon_auth.worker_plan()` answers; times in microseconds since 1970.
#[derive(Deserialize)]
struct Plan {
    has_queue: bool,
    is_configured: bool,
    finished_at: Option<i64>,
    failed_at: Option<i64>,
}

/// Does what is to be done, and answers when to come back.
fn look_after(here: &shared::Database) -> i64 {
    let keys = BackgroundWorker::transaction(provider::refresh_ahead).unwrap_or(NEVER);
    let plan =
        BackgroundWorker::transaction(|| spi::read("SELECT neon_auth.worker_plan()::text", &[]));
    let plan: Plan = plan
        .and_then(|plan| serde_json::from_str(&plan).ok())
        .expect("worker_plan() answers its own form");
    if !plan.is_configured {
        return keys;
    }
    if plan.has_queue {
        let outcome = stack::drain(Steps::Worker);
        if let Err(wait) = settle(here, outcome) {
            return keys.min(wait);
        }
    }
    let interval = i64::from(settings::SYNC_INTERVAL.get()) * SECOND;
    if interval == 0 {
        return keys;
    }
    let failures = here.failures.load(Ordering::Relaxed);
    let now = provider::now_in_microseconds();
    let due_at = match (plan.finished_at, plan.failed_at) {
        (_, Some(failed_at)) => failed_at + retry_after(failures),
        (Some(finished_at), None) => finished_at + interval,
        (None, None) => 0,
    };
    if due_at > now {
        return keys.min(due_at);
    }
    let outcome = stack::sync(Steps::Worker);
    if let Err(wait) = settle(here, outcome) {
        return keys.min(wait);
    }
    BackgroundWorker::transaction(|| spi::write("SELECT neon_auth.prune()::text", &[]));
    keys.min(provider::now_in_microseconds() + interval)
}

/// Takes note of how it went; the error is when to come back.
fn settle(here: &shared::Database, outcome: Result<(), Stop>) -> Result<(), i64> {
    match outcome {
        Ok(()) => {
            here.failures.store(0, Ordering::Relaxed);
            Ok(())
        }
        Err(Stop::GiveWay) => Err(GIVEN_WAY),
        // Whoever is at it does what we came for.
        Err(Stop::Problem(Problem::SyncUnderWay)) => {
            Err(provider::now_in_microseconds() + 5 * SECOND)
        }
        Err(Stop::Problem(problem)) => {
            let failures = here.failures.fetch_add(1, Ordering::Relaxed);
            pgrx::log!("neon_auth: not synchronised: {}", problem.sentence());
            Err(provider::now_in_microseconds() + retry_after(failures))
        }
    }
}

fn retry_after(failures: u32) -> i64 {
    (FIRST_RETRY << failures.min(10)).min(LONGEST_RETRY)
}
