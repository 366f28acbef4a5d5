//! The tables that a query on a table reads as well.

use pgrx::pg_sys;

use super::raised;

/// The table, and those that inherit from it, such as its partitions. All are locked until the transaction ends.
///
/// # Safety
/// In a transaction.
pub unsafe fn heirs(table: pg_sys::Oid) -> Vec<pg_sys::Oid> {
    unsafe extern "C-unwind" {
        fn find_all_inheritors(
            table: pg_sys::Oid,
            lock: pg_sys::LOCKMODE,
            parents: *mut *mut pg_sys::List,
        ) -> *mut pg_sys::List;
    }
    const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: as the caller promises, in a transaction; the list has OIDs, and each number is below its
    // length.
    unsafe {
        let list =
            raised::caught_as_raised(|| find_all_inheritors(table, LOCK, std::ptr::null_mut()));
        let place = 0..(*list).length;
        place.map(|n| pg_sys::list_nth_oid(list, n)).collect()
    }
}
