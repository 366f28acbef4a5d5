//! Work behind the sessions' backs, for servers that preload the library.
//!
//! `launcher` is one process for the whole server. It holds no connection to any database, and
//! sends short-lived visitors to those that have something to do: `visit`. `wake` is how sessions
//! tell that there is something.

mod launcher;
mod visit;
mod wake;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys;

pub use wake::at_commit as wake_at_commit;

/// Registers the launcher, while the server loads the library.
pub fn define() {
    launcher::register();
}

/// Ends a worker at its next interrupt check, as backends do.
pub fn die_on_sigterm() {
    unsafe extern "C-unwind" {
        fn die(signal: i32);
    }
    // SAFETY: the handler is PostgreSQL's own.
    unsafe {
        handle(pg_sys::SIGTERM, die);
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// Has a signal handled.
///
/// # Safety
/// The handler must do what is safe in one.
unsafe fn handle(signal: u32, handler: unsafe extern "C-unwind" fn(i32)) {
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(signal as i32, Some(handler));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(signal as i32, Some(handler));
    }
}

/// Whether nobody waits for this worker's database to be left: whoever copies, drops or moves it
/// locks it first, in a mode that new connections would wait for, and then waits for all others
/// to go. Outside of transactions.
pub fn database_is_free() -> bool {
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
