//! Locks that order the writers of the mirror; the tables and rules are SQL.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use crate::pg::lock;
use crate::version;

/// Number of locks of each kind. A transaction may apply any number of events, and the server's
/// lock table is finite. Two ids may share a lock, which only makes one transaction wait sometimes.
const SLOTS: u32 = 1024;

/// `neon_auth_internal.lock_mirror(kind, id, exclusive)`: locks until the transaction ends. It
/// returns true, because PL/pgSQL can assign a value without running a query.
#[pg_extern(sql = false)]
pub fn lock_mirror(kind: &str, id: &str, exclusive: bool) -> Result<bool, ErrorReport> {
    version::agree()?;
    let slot = lock::number(id) % SLOTS;
    let tag = lock::tag(lock::Space::Mirror, lock::number(kind), slot);
    let mode = if exclusive {
        pg_sys::ExclusiveLock
    } else {
        pg_sys::ShareLock
    };
    // SAFETY: a lock tag of our own, inside a transaction.
    unsafe { pg_sys::LockAcquire(&raw const tag, mode as pg_sys::LOCKMODE, false, false) };
    Ok(true)
}
