//! Rows that an UPDATE moves to another partition.
//!
//! PostgreSQL fires the triggers for UPDATE on the old partition, and then those for INSERT on the
//! new one. `created_by` of such a row must keep its value. An INSERT trigger is not told that it
//! is part of a move. It is part of one if the trigger for UPDATE that `auth.stamp()` served last,
//! in the same command and on another partition of the same table, returned the same row: a row
//! that stayed in its partition does not fit into another one.

use std::cell::Cell;
use std::ffi::c_void;

use pgrx::pg_sys;

use crate::pg::compat::attribute;

/// A row that the trigger for UPDATE returned, in the memory of the transaction.
#[derive(Clone, Copy)]
struct Updated {
    command: pg_sys::CommandId,
    partition: pg_sys::Oid,
    tuple: pg_sys::HeapTuple,
}

thread_local! {
    static LAST: Cell<Option<Updated>> = const { Cell::new(None) };
}

unsafe extern "C-unwind" {
    fn get_partition_ancestors(relation: pg_sys::Oid) -> *mut pg_sys::List;
    fn datum_image_eq(
        one: pg_sys::Datum,
        other: pg_sys::Datum,
        by_value: bool,
        length: std::ffi::c_int,
    ) -> bool;
}

/// Registers for the ends of transactions.
pub fn define() {
    // SAFETY: a callback that touches this process's memory only.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) };
}

unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(
        event,
        XACT_EVENT_ABORT | XACT_EVENT_COMMIT | XACT_EVENT_PREPARE
    ) {
        // Its memory ends with the transaction.
        LAST.set(None);
    }
}

/// A trigger for UPDATE returns this row.
pub unsafe fn may_leave(relation: pg_sys::Relation, tuple: pg_sys::HeapTuple) {
    unsafe {
        forget();
        if !(*(*relation).rd_rel).relispartition {
            return;
        }
        let context = pg_sys::MemoryContextSwitchTo(pg_sys::TopTransactionContext);
        let tuple = pg_sys::heap_copytuple(tuple);
        pg_sys::MemoryContextSwitchTo(context);
        LAST.set(Some(Updated {
            command: pg_sys::GetCurrentCommandId(false),
            partition: (*relation).rd_id,
            tuple,
        }));
    }
}

/// Whether the row of a trigger for INSERT is moved here by an UPDATE. A row arrives only once.
pub unsafe fn arrives(relation: pg_sys::Relation, tuple: pg_sys::HeapTuple) -> bool {
    let Some(last) = LAST.get() else {
        return false;
    };
    unsafe {
        let arrives = (*(*relation).rd_rel).relispartition
            && last.command == pg_sys::GetCurrentCommandId(false)
            && last.partition != (*relation).rd_id
            && root(last.partition) == root((*relation).rd_id)
            && is_same(&last, relation, tuple);
        forget();
        arrives
    }
}

unsafe fn forget() {
    if let Some(last) = LAST.take() {
        // SAFETY: the transaction that allocated it is still running.
        unsafe { pg_sys::heap_freetuple(last.tuple) };
    }
}

/// The table of a partition.
unsafe fn root(partition: pg_sys::Oid) -> pg_sys::Oid {
    unsafe {
        let ancestors = get_partition_ancestors(partition);
        match ancestors.is_null() {
            true => partition,
            false => pg_sys::list_nth_oid(ancestors, (*ancestors).length - 1),
        }
    }
}

/// Whether the row has the same values, by the names of columns: partitions may have them in
/// another order. Generated columns follow from the others.
unsafe fn is_same(last: &Updated, relation: pg_sys::Relation, tuple: pg_sys::HeapTuple) -> bool {
    unsafe {
        let from = pg_sys::RelationIdGetRelation(last.partition);
        if from.is_null() {
            return false;
        }
        let here = (*relation).rd_att;
        let map = pg_sys::convert_tuples_by_name((*from).rd_att, here);
        let moved = match map.is_null() {
            true => last.tuple,
            false => pg_sys::execute_attr_map_tuple(last.tuple, map),
        };
        let is_same = (0..(*here).natts).all(|place| {
            let column = &*attribute(here, place);
            if column.attisdropped || column.attgenerated != 0 {
                return true;
            }
            let (mut one_null, mut other_null) = (true, true);
            let one = pg_sys::heap_getattr(moved, place + 1, here, &mut one_null);
            let other = pg_sys::heap_getattr(tuple, place + 1, here, &mut other_null);
            one_null == other_null
                && (one_null
                    || datum_image_eq(one, other, column.attbyval, i32::from(column.attlen)))
        });
        pg_sys::RelationClose(from);
        is_same
    }
}
