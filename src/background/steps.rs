//! Work in many short transactions, with no lock or snapshot held while waiting between them.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::bgworkers::BackgroundWorker;
use pgrx::{PgTryBuilder, pg_sys};

use super::process;
use crate::error::Problem;
use crate::http;
use crate::pg::raised;

/// Why the work ends early.
pub enum Stop {
    Problem(Problem),
    /// Another session waits for the database, for example CREATE DATABASE … TEMPLATE.
    GiveWay,
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop::Problem(problem)
    }
}

/// Where the work runs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Steps {
    /// In a procedure called outside of a transaction block, connected to SPI as non-atomic.
    Procedure,
    /// In a background worker, outside of transactions.
    Worker,
}

impl Steps {
    /// Runs one transaction.
    pub fn transaction<R>(self, body: impl FnOnce() -> R) -> R {
        let mut body = Some(body);
        let mut result = None;
        self.execute(&mut || result = body.take().map(|body| body()));
        result.expect("the transaction executes its body")
    }

    /// Begin and end of a transaction are much code, which each body would have a copy of.
    fn execute(self, body: &mut dyn FnMut()) {
        match self {
            Steps::Worker => BackgroundWorker::transaction(AssertUnwindSafe(body)),
            // SAFETY: SPI is connected and lets us commit; the snapshot is popped before that.
            Steps::Procedure => unsafe {
                // The transaction before, if it was only waiting, ends with its snapshot.
                commit();
                read_committed();
                pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
                in_subtransaction(body);
                pg_sys::PopActiveSnapshot();
                commit();
            },
        }
    }

    /// Call it often while waiting.
    pub fn tick(self) -> Result<(), Stop> {
        if self == Steps::Worker && !process::database_is_free() {
            return Err(Stop::GiveWay);
        }
        Ok(())
    }

    pub fn pause(self, time: Duration) -> Result<(), Stop> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            http::wait(None, left.min(http::TICK));
            self.tick()?;
        }
    }
}

/// Commits, which fires deferred triggers.
///
/// # Safety
/// SPI must be connected as non-atomic.
unsafe fn commit() {
    unsafe extern "C-unwind" {
        fn SPI_commit();
    }
    // SAFETY: as the caller promises, SPI is connected as non-atomic; an ERROR is caught before it passes
    // Rust's frames.
    unsafe { raised::caught_as_raised(|| SPI_commit()) }
}

/// After an ERROR in the body, everything is as before it, so that the error can be recorded before
/// it is raised again.
///
/// # Safety
/// A transaction must be active, with an active snapshot; the body must leave no subtransaction
/// open.
unsafe fn in_subtransaction(body: &mut dyn FnMut()) {
    // SAFETY: as the caller promises, a transaction is active; context and owner are those that it has now,
    // and outlive the subtransaction.
    unsafe {
        let (context, owner) = (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner);
        let restore = move || {
            pg_sys::MemoryContextSwitchTo(context);
            pg_sys::CurrentResourceOwner = owner;
        };
        pg_sys::BeginInternalSubTransaction(std::ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
        PgTryBuilder::new(AssertUnwindSafe(body))
            .catch_others(|error| {
                pg_sys::RollbackAndReleaseCurrentSubTransaction();
                restore();
                pg_sys::PopActiveSnapshot();
                error.rethrow()
            })
            .execute();
        pg_sys::ReleaseCurrentSubTransaction();
        restore();
    }
}

/// The next statement must see what other sessions commit, whatever this session's default
/// isolation level is.
unsafe fn read_committed() {
    // SAFETY: the process's own variable, which PostgreSQL reads when the transaction takes its next snapshot.
    unsafe {
        pg_sys::XactIsoLevel = pg_sys::XACT_READ_COMMITTED as i32;
    }
}
