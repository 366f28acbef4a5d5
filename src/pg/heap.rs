//! The rows of one of the extension's tables, all of them and without a query.
//!
//! To parse and plan a query over catalogs that a new backend has yet to read costs it more than
//! all else that its first token asks for. A scan of the heap needs the table's description alone.

use pgrx::pg_sys;

use super::row::{Row, slot_for_tuples};
use super::tables::Relation;

/// Passes each row to `read`, by what is committed now, whatever snapshot the transaction holds:
/// a policy decided on an old snapshot would outlive the transaction in this session's memory.
/// Assigns no transaction id, and works in READ ONLY transactions and on a standby.
pub fn each(table: &Relation, mut read: impl FnMut(&Row)) {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: inside a transaction; what is opened is closed, and after an ERROR the abort does it.
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
            read(&Row::in_slot_of_any_version(slot));
        }
        pg_sys::ExecDropSingleTupleTableSlot(slot);
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::table_close(relation, lock);
    }
}
