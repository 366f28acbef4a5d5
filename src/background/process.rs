//! Signals and settings of a background process, and when it must leave its database.

use std::ffi::CStr;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys;

use crate::pg::compat;

/// Makes a worker end at its next interrupt check, as backends do, and independent of the settings
/// that the server or the database has for sessions. Call it before connecting, with the longest
/// time to wait for a lock.
pub fn settle_in(lock_timeout: &CStr) {
    unsafe extern "C-unwind" {
        fn die(signal: i32);
    }
    let settings = [
        (c"default_transaction_isolation", c"read committed"),
        (c"default_transaction_read_only", c"off"),
        (c"default_transaction_deferrable", c"off"),
        (c"lock_timeout", lock_timeout),
        // In a deadlock with a worker, the other side should win: the worker retries.
        (c"deadlock_timeout", c"100ms"),
    ];
    // SAFETY: the handler is PostgreSQL's own, and so are the settings.
    unsafe {
        compat::handle_signal(pg_sys::SIGTERM, die);
        pg_sys::BackgroundWorkerUnblockSignals();
        for (name, value) in settings {
            pg_sys::SetConfigOption(
                name.as_ptr(),
                value.as_ptr(),
                pg_sys::GucContext::PGC_SUSET,
                pg_sys::GucSource::PGC_S_OVERRIDE,
            );
        }
    }
}

/// Whether no session waits for this worker's database. Call it outside of transactions.
pub fn database_is_free() -> bool {
    // SAFETY: reads a variable of this process.
    is_free(unsafe { pg_sys::MyDatabaseId })
}

/// Whether no session waits for a database. A session that copies, drops or moves it first locks
/// it, in a mode that blocks new connections, and then waits until all others have left. Call it
/// outside of transactions.
pub fn is_free(database: pg_sys::Oid) -> bool {
    let mode = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
    let tag = pg_sys::LOCKTAG {
        locktag_field1: 0,
        locktag_field2: pg_sys::DatabaseRelationId.to_u32(),
        locktag_field3: database.to_u32(),
        locktag_field4: 0,
        locktag_type: pg_sys::LockTagType::LOCKTAG_OBJECT as u8,
        locktag_lockmethodid: pg_sys::DEFAULT_LOCKMETHOD as u8,
    };
    BackgroundWorker::transaction(|| {
        // SAFETY: inside a transaction, which releases the lock at its end.
        let got = unsafe { pg_sys::LockAcquire(&raw const tag, mode, false, true) };
        got != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    })
}
