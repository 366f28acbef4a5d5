//! Rows that an UPDATE moves to another partition.
//!
//! PostgreSQL fires the triggers for UPDATE on the old partition, and then those for INSERT on the
//! new one. `created_by` of such a row must keep its value. An INSERT trigger is not told that it
//! is part of a move. But PostgreSQL has marked the old row as moved before, which nothing else
//! does. So the place of the row whose trigger for UPDATE ran last is remembered, and an INSERT is
//! part of a move if that row is marked, by this transaction, and no row has arrived since.

use std::cell::Cell;
use std::ffi::{CStr, c_int};

use pgrx::pg_sys;

use crate::pg::compat;

/// The row of the trigger for UPDATE that ran last.
#[derive(Clone, Copy)]
struct Updated {
    partition: pg_sys::Oid,
    place: pg_sys::ItemPointerData,
    /// When the client's statement began.
    statement: pg_sys::TimestampTz,
}

thread_local! {
    static LAST: Cell<Option<Updated>> = const { Cell::new(None) };
}

unsafe extern "C-unwind" {
    fn get_partition_ancestors(relation: pg_sys::Oid) -> *mut pg_sys::List;
    fn datumCopy(value: pg_sys::Datum, by_value: bool, length: c_int) -> pg_sys::Datum;
}

/// A trigger for UPDATE was called for this row, as it is before.
///
/// # Safety
/// They must be those of the trigger.
pub unsafe fn may_leave(relation: pg_sys::Relation, old: pg_sys::HeapTuple) {
    // SAFETY: as asked.
    unsafe {
        // Only a heap's rows are marked in a known way.
        let is_heap = (*relation).rd_tableam == pg_sys::GetHeapamTableAmRoutine();
        let is_partition = (*(*relation).rd_rel).relispartition;
        LAST.set((is_heap && is_partition).then(|| Updated {
            partition: (*relation).rd_id,
            place: (*old).t_self,
            statement: pg_sys::GetCurrentStatementStartTimestamp(),
        }));
    }
}

/// The value that a column had, with the name given, if the row of a trigger for INSERT is moved
/// here by an UPDATE. A row arrives only once.
///
/// # Safety
/// The relation must be that of the trigger.
pub unsafe fn arrives(relation: pg_sys::Relation, column: &CStr) -> Option<Option<pg_sys::Datum>> {
    let last = LAST.get()?;
    // SAFETY: catalog look-ups; the statement that updates the partition holds a lock on it.
    unsafe {
        if !(*(*relation).rd_rel).relispartition
            || last.statement != pg_sys::GetCurrentStatementStartTimestamp()
            || last.partition == (*relation).rd_id
            || root(last.partition) != root((*relation).rd_id)
        {
            return None;
        }
        let from = pg_sys::RelationIdGetRelation(last.partition);
        if from.is_null() {
            return None;
        }
        let value = moved(from, last.place, column);
        pg_sys::RelationClose(from);
        if value.is_some() {
            LAST.set(None);
        }
        value
    }
}

/// The value of a column of a row that this transaction has moved to another partition.
///
/// # Safety
/// The relation must be a heap.
unsafe fn moved(
    from: pg_sys::Relation,
    place: pg_sys::ItemPointerData,
    column: &CStr,
) -> Option<Option<pg_sys::Datum>> {
    let mut row = pg_sys::HeapTupleData {
        t_self: place,
        ..Default::default()
    };
    let mut buffer = pg_sys::InvalidBuffer as pg_sys::Buffer;
    // SAFETY: reads the row in its page, which is pinned until the value is copied.
    unsafe {
        let any = &raw mut pg_sys::SnapshotAnyData;
        if !compat::heap_fetch(from, any, &raw mut row, &raw mut buffer) {
            return None;
        }
        let value = is_moved(row.t_data).then(|| {
            let description = (*from).rd_att;
            let number = pg_sys::SPI_fnumber(description, column.as_ptr());
            if number <= 0 {
                return None;
            }
            let mut is_null = true;
            let value = pg_sys::heap_getattr(&raw mut row, number, description, &mut is_null);
            if is_null {
                return None;
            }
            let attribute = &*compat::attribute(description, number - 1);
            // What was moved out of the old row's page goes with that row.
            let value = match attribute.attlen {
                -1 => pg_sys::Datum::from(pg_sys::pg_detoast_datum(value.cast_mut_ptr())),
                _ => value,
            };
            Some(datumCopy(
                value,
                attribute.attbyval,
                c_int::from(attribute.attlen),
            ))
        });
        pg_sys::ReleaseBuffer(buffer);
        value
    }
}

/// Whether a row is marked as moved to another partition, by this transaction.
unsafe fn is_moved(row: pg_sys::HeapTupleHeader) -> bool {
    // SAFETY: the header of a row in a pinned page.
    unsafe {
        let next = (*row).t_ctid;
        // Of PostgreSQL's itemptr.h: no place in a table.
        let is_marked = next.ip_posid == pg_sys::MovedPartitionsOffsetNumber as u16
            && next.ip_blkid.bi_hi == u16::MAX
            && next.ip_blkid.bi_lo == u16::MAX;
        if !is_marked || u32::from((*row).t_infomask) & pg_sys::HEAP_XMAX_INVALID != 0 {
            return false;
        }
        let by = match u32::from((*row).t_infomask) & pg_sys::HEAP_XMAX_IS_MULTI {
            0 => (*row).t_choice.t_heap.t_xmax,
            _ => pg_sys::HeapTupleGetUpdateXid(row),
        };
        pg_sys::TransactionIdIsCurrentTransactionId(by)
    }
}

/// The table of a partition.
unsafe fn root(partition: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: a list of OIDs.
    unsafe {
        let ancestors = get_partition_ancestors(partition);
        match ancestors.is_null() {
            true => partition,
            false => pg_sys::list_nth_oid(ancestors, (*ancestors).length - 1),
        }
    }
}
