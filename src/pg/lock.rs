//! The extension's own locks.
//!
//! They are advisory locks in separate key spaces: `pg_advisory_lock()` writes 1 or 2 into the
//! field that contains the space here, so no user can block authentication or webhooks by taking
//! one.

use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::pg_sys;

/// What a lock protects.
#[derive(Clone, Copy)]
pub enum Space {
    Keys = 0x4e41,
    Mirror = 0x4e42,
    /// Held by the process that reads the REST API for the mirror, to synchronise everything or to
    /// confirm the queue; src/service/stack/sync/run.rs distinguishes the two for
    /// neon_auth.sync_progress.
    Sync = 0x4e43,
    /// The right to write a table whose rows are checked against each other.
    Writer = 0x4e44,
}

/// An exclusive lock of this database.
pub struct Lock(pg_sys::LOCKTAG);

impl Lock {
    const MODE: pg_sys::LOCKMODE = pg_sys::ExclusiveLock as pg_sys::LOCKMODE;

    /// Waits for the lock, until it is released or the transaction ends with an ERROR;
    /// `statement_timeout`, `lock_timeout` and a cancel end the wait.
    pub fn wait(space: Space, kind: u32, object: u32) -> Self {
        let lock = Self(tag(space, kind, object));
        lock.acquire(false, false);
        lock
    }

    /// The same, unless another process holds it.
    pub fn try_now(space: Space, kind: u32, object: u32) -> Option<Self> {
        let lock = Self(tag(space, kind, object));
        lock.acquire(false, true).then_some(lock)
    }

    /// Waits for the lock and holds it across transactions, until this process ends.
    pub fn hold_until_exit(space: Space, kind: u32, object: u32) {
        Self(tag(space, kind, object)).acquire(true, false);
    }

    /// Acquires the lock across transactions, unless another process holds it. It must be released
    /// also after an ERROR.
    pub fn try_for_session(space: Space, kind: u32, object: u32) -> Option<Self> {
        let lock = Self(tag(space, kind, object));
        lock.acquire(true, true).then_some(lock)
    }

    pub fn release(self) {
        self.let_go(false);
    }

    pub fn release_for_session(self) {
        self.let_go(true);
    }

    fn acquire(&self, for_session: bool, at_once: bool) -> bool {
        // SAFETY: a lock tag of our own, inside a transaction.
        let got =
            unsafe { pg_sys::LockAcquire(&raw const self.0, Self::MODE, for_session, at_once) };
        got != pg_sys::LockAcquireResult::LOCKACQUIRE_NOT_AVAIL
    }

    fn let_go(&self, for_session: bool) {
        // SAFETY: the lock that `acquire` acquired.
        unsafe {
            pg_sys::LockRelease(&raw const self.0, Self::MODE, for_session);
        }
    }
}

/// The tag of one lock of this database.
pub fn tag(space: Space, kind: u32, object: u32) -> pg_sys::LOCKTAG {
    pg_sys::LOCKTAG {
        // SAFETY: reads a variable of this process.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: object,
        locktag_field3: kind,
        locktag_field4: space as u16,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    }
}

/// A number for a name, the same in every process.
pub fn number(name: &str) -> u32 {
    let mut hasher = DefaultHasher::new();
    name.hash(&mut hasher);
    hasher.finish() as u32
}
