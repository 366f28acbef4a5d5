//! The order among those who write the mirror; its tables and rules are SQL.

use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::prelude::*;

/// Takes part in the lock's tag: `pg_advisory_lock()` writes 1 or 2 there, so no user can hold up
/// webhooks by taking one of these locks.
const SPACE: u16 = 0x4e42;

/// How many locks there are of each kind. A transaction may apply any number of events, and the
/// server's table of locks is finite; that two ids share a lock only makes one wait at times.
const SLOTS: u64 = 1024;

/// `neon_auth.lock_mirror(kind, id, exclusive)`: locks until the transaction ends.
#[pg_extern(sql = false)]
fn lock_mirror(kind: &str, id: &str, exclusive: bool) {
    let tag = pg_sys::LOCKTAG {
        // SAFETY: reads a variable of this process.
        locktag_field1: unsafe { pg_sys::MyDatabaseId }.to_u32(),
        locktag_field2: (hash(id) % SLOTS) as u32,
        locktag_field3: hash(kind) as u32,
        locktag_field4: SPACE,
        locktag_type: pg_sys::LockTagType::LOCKTAG_ADVISORY as u8,
        locktag_lockmethodid: pg_sys::USER_LOCKMETHOD as u8,
    };
    let mode = if exclusive {
        pg_sys::ExclusiveLock
    } else {
        pg_sys::ShareLock
    };
    // SAFETY: a lock tag of our own, inside a transaction.
    unsafe { pg_sys::LockAcquire(&raw const tag, mode as pg_sys::LOCKMODE, false, false) };
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
