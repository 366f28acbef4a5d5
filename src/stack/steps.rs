//! Work in many short transactions, with waits between them that hold nothing.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys;

use crate::error::Problem;
use crate::http;

/// Why the work ends early.
pub enum Stop {
    Problem(Problem),
    /// Somebody waits for the database to be left, as CREATE DATABASE … TEMPLATE does.
    GiveWay,
}

impl From<Problem> for Stop {
    fn from(problem: Problem) -> Self {
        Stop::Problem(problem)
    }
}

/// Where the work is done.
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
        match self {
            Steps::Worker => BackgroundWorker::transaction(AssertUnwindSafe(body)),
            // SAFETY: SPI is connected and lets us commit; the snapshot is popped before that.
            Steps::Procedure => unsafe {
                // What came before, if it was only waiting, ends with its snapshot.
                pg_sys::SPI_commit();
                read_committed();
                pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
                let result = body();
                pg_sys::PopActiveSnapshot();
                pg_sys::SPI_commit();
                result
            },
        }
    }

    /// To be called often while waiting.
    pub fn tick(self) -> Result<(), Stop> {
        if self == Steps::Worker && !database_is_free() {
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

/// What another session commits must be seen at the next statement, whatever this session's
/// default is.
unsafe fn read_committed() {
    unsafe {
        pg_sys::XactIsoLevel = pg_sys::XACT_READ_COMMITTED as i32;
    }
}

/// Whether nobody waits for this database to be left: whoever copies, drops or moves it locks it
/// first, in a mode that new connections would wait for, and then waits for all others to go.
fn database_is_free() -> bool {
    let mode = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
    BackgroundWorker::transaction(|| {
        // SAFETY: inside a transaction, which lets go of the lock as it ends.
        unsafe {
            let tag = pg_sys::LOCKTAG {
                locktag_field1: 0,
                locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
                locktag_field3: pg_sys::MyDatabaseId.to_u32(),
                locktag_field4: 0,
                locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
                locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
            };
            pg_sys::LockAcquire(&raw const tag, mode, false, true)
                != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
        }
    })
}
