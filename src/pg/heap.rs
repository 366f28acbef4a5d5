//! All rows of one of the extension's small tables, read without a query.
//!
//! Parsing and planning a query needs catalogs that a new backend has not read yet, which costs
//! more than everything else that its first token needs. A heap scan needs only the table's
//! description.

use pgrx::pg_sys;

use super::row::{Row, slot_for_tuples};
use super::tables::Relation;

/// Passes each row to `read`, with the latest committed state, whatever snapshot the transaction
/// has: a policy decided on an old snapshot would outlive the transaction in this session's cache.
/// Assigns no transaction id, and works in READ ONLY transactions and on a standby.
pub fn each(table: &Relation, mut read: impl FnMut(&Row)) {
    scan(table, &mut |row| {
        read(row);
        true
    });
}

/// Whether there is a row, likewise.
pub fn has_rows(table: &Relation) -> bool {
    let mut has_rows = false;
    scan(table, &mut |_| {
        has_rows = true;
        false
    });
    has_rows
}

/// Passes rows to `read` until it returns false. Compiled once for all of them.
fn scan(table: &Relation, read: &mut dyn FnMut(&Row) -> bool) {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: inside a transaction; what is opened is closed, and after an ERROR the abort closes
    // it.
    unsafe {
        let relation = pg_sys::table_open(table.oid(), lock);
        let slot = slot_for_tuples((*relation).rd_att);
        let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
        let scan = pg_sys::systable_beginscan(
            relation,
            pg_sys::InvalidOid,
            false,
            snapshot,
            0,
            std::ptr::null_mut(),
        );
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            pg_sys::ExecStoreHeapTuple(tuple, slot, false);
            if !read(&Row::in_slot_of_any_version(slot)) {
                break;
            }
        }
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::table_close(relation, lock);
    }
}
