//! Adds rows to a table without indexes, triggers and generated columns, without a query.
//!
//! The executor takes several times as long for a row, and writes each to the log by itself.

use pgrx::{IntoDatum, pg_sys};

use super::tables::Relation;

/// Rows that are written at once.
const BATCH: usize = 100;

/// Appends rows of texts, a value for each column.
pub fn append<const COLUMNS: usize>(table: &Relation, rows: &[[&str; COLUMNS]]) {
    let lock = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
    // SAFETY: inside a transaction; what is opened is closed, and after an ERROR the abort closes it. A
    // slot has as many columns as the table.
    unsafe {
        let relation = pg_sys::table_open(table.oid(), lock);
        assert_eq!((*(*relation).rd_att).natts as usize, COLUMNS);
        let mut slots: Vec<*mut pg_sys::TupleTableSlot> = (0..rows.len().min(BATCH))
            .map(|_| pg_sys::table_slot_create(relation, std::ptr::null_mut()))
            .collect();
        let command = pg_sys::GetCurrentCommandId(true);
        for batch in rows.chunks(BATCH) {
            pgrx::check_for_interrupts!();
            for (row, &slot) in batch.iter().zip(&slots) {
                pg_sys::ExecClearTuple(slot);
                for (column, value) in row.iter().enumerate() {
                    let value = value.into_datum().expect("a text is not NULL");
                    (*slot).tts_values.add(column).write(value);
                    (*slot).tts_isnull.add(column).write(false);
                }
                pg_sys::ExecStoreVirtualTuple(slot);
            }
            pg_sys::table_multi_insert(
                relation,
                slots.as_mut_ptr(),
                batch.len() as i32,
                command,
                0,
                std::ptr::null_mut(),
            );
        }
        for slot in slots {
            pg_sys::ExecDropSingleTupleTableSlot(slot);
        }
        // The lock is held until the transaction ends, as that of any statement.
        pg_sys::table_close(relation, pg_sys::NoLock as pg_sys::LOCKMODE);
    }
}
