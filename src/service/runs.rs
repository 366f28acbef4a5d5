//! Runs of `CALL neon_auth.sync()`: one at a time, and what becomes of each is recorded.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgTryBuilder, pg_extern};

use crate::background::steps::{Steps, Stop};
use crate::error::{self, Problem};
use crate::http;
use crate::pg::lock::{self, Lock};
use crate::pg::spi;

/// How long a call of `sync()` waits for the end of another run.
const PATIENCE: Duration = Duration::from_secs(2);

/// Does the work of a run, and records the ERROR that ends it.
pub fn recorded<T>(steps: Steps, work: impl FnOnce() -> Result<T, Stop>) -> Result<T, Stop> {
    PgTryBuilder::new(AssertUnwindSafe(work))
        // For example of a user's trigger, or a cancel.
        .catch_others(|error| {
            if steps == Steps::Procedure {
                note_error(steps, &error);
            }
            error.rethrow()
        })
        .execute()
}

/// After an ERROR: records why the run stopped. Call it outside a transaction, or in an idle one.
pub fn note_error(steps: Steps, error: &CaughtError) -> String {
    let reason = error::report_of(error).message().to_owned();
    steps.transaction(|| {
        if spi::is_installed() {
            spi::write(
                "SELECT neon_auth_internal.fail_sync(r.id, $1)::text
                   FROM (SELECT * FROM neon_auth_internal.sync_runs ORDER BY id DESC LIMIT 1) AS r
                  WHERE r.finished_at IS NULL",
                &[&reason],
            );
        }
    });
    reason
}

/// Records the problem that ended a run, if one did.
pub fn note_problem<T>(steps: Steps, run: i64, outcome: &Result<T, Stop>) {
    if let Err(Stop::Problem(problem)) = outcome {
        let fail = "SELECT neon_auth_internal.fail_sync($1::bigint, $2)::text";
        let reason = problem.sentence();
        steps.transaction(|| spi::write(fail, &[&run.to_string(), &reason]));
    }
}

/// The right to be the only synchronisation in this database, until dropped.
pub struct RunLock(Vec<Lock>);

/// The locks in its space: a process that confirms the queue holds the first, a run holds both, and
/// neon_auth.sync_progress checks the second.
const EXCLUSIVE: u32 = 0;
const FULL_RUN: u32 = 1;

impl RunLock {
    pub fn take(steps: Steps) -> Result<Self, Stop> {
        let began = Instant::now();
        loop {
            let lock = steps.transaction(|| Lock::try_for_session(lock::Space::Sync, EXCLUSIVE, 0));
            if let Some(lock) = lock {
                return Ok(Self(vec![lock]));
            }
            // A worker that only confirms the queue is done soon.
            if steps == Steps::Worker || began.elapsed() > PATIENCE {
                return Err(Problem::SyncUnderWay.into());
            }
            steps.pause(http::TICK)?;
        }
    }

    /// Shows that this is a run. Only the holder of the first lock takes the second.
    pub fn of_a_run(mut self, steps: Steps) -> Self {
        let lock = steps.transaction(|| Lock::try_for_session(lock::Space::Sync, FULL_RUN, 0));
        self.0.extend(lock);
        self
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        for lock in self.0.drain(..).rev() {
            lock.release_for_session();
        }
    }
}

/// `neon_auth_internal.lock_sync()`: waits until no process of this database reads the REST API, and
/// keeps them out until the transaction ends.
#[pg_extern(sql = false)]
fn lock_sync() {
    Lock::wait(lock::Space::Sync, EXCLUSIVE, 0);
}
