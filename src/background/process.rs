//! How a background process behaves: its signals and settings, and when it leaves its database.

use std::ffi::CStr;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys;

use crate::pg::compat;

/// Makes a worker end at its next interrupt check, as backends do, and independent of what the
/// server or the database sets for its sessions. To be called before connecting, with the longest
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
        // Whoever else is in a deadlock with a worker should win: the worker comes again.
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

/// Whether nobody waits for this worker's database to be left. Outside of transactions.
pub fn database_is_free() -> bool {
    // SAFETY: reads a variable of this process.
    is_free(unsafe { pg_sys::MyDatabaseId })
}

/// Whether nobody waits for a database to be left: whoever copies, drops or moves it locks it
/// first, in a mode that new connections would wait for, and then waits for all others to go.
/// Outside of transactions.
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
        // SAFETY: inside a transaction, which lets go of the lock as it ends.
        let got = unsafe { pg_sys::LockAcquire(&raw const tag, mode, false, true) };
        got != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    })
}
