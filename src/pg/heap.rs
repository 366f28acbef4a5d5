//! The rows of one of the extension's tables, all of them and without a query.
//!
//! To parse and plan a query over catalogs that a new backend has yet to read costs it more than
//! all else that its first token asks for. A scan of the heap needs the table's description alone.

use std::ffi::CStr;

use pgrx::{FromDatum, IntoDatum, direct_function_call, pg_sys};

use super::jsonb::Jsonb;
use super::spi;
use crate::clock;

/// Passes each row to `read`, by what is committed now, whatever snapshot the transaction holds:
/// a policy decided on an old snapshot would outlive the transaction in this session's memory.
/// Assigns no transaction id, and works in READ ONLY transactions and on a standby.
pub fn each(table: &CStr, mut read: impl FnMut(&Row)) {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: inside a transaction; what is opened is closed, and after an ERROR the abort does it.
    unsafe {
        let relation = pg_sys::table_open(spi::table(table), lock);
        let description = (*relation).rd_att;
        let mut row = Row::of(description);
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
            let (values, nulls) = (row.values.as_mut_ptr(), row.nulls.as_mut_ptr());
            pg_sys::heap_deform_tuple(tuple, description, values, nulls);
            read(&row);
        }
        pg_sys::systable_endscan(scan);
        pg_sys::UnregisterSnapshot(snapshot);
        pg_sys::table_close(relation, lock);
    }
}

/// A row, while its page is held. Each method answers `None` for NULL, and where the table has no
/// such column.
pub struct Row {
    columns: Vec<String>,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

impl Row {
    unsafe fn of(description: pg_sys::TupleDesc) -> Self {
        let length = unsafe { (*description).natts };
        let name = |number| {
            // SAFETY: of the columns from 1 to natts each has a name.
            unsafe {
                let name = pg_sys::SPI_fname(description, number);
                let owned = CStr::from_ptr(name).to_string_lossy().into_owned();
                pg_sys::pfree(name.cast());
                owned
            }
        };
        Self {
            columns: (1..=length).map(name).collect(),
            values: vec![pg_sys::Datum::null(); length as usize],
            nulls: vec![true; length as usize],
        }
    }

    /// The row that a composite value is.
    ///
    /// # Safety
    /// The datum must be of a table's row type.
    pub unsafe fn of_composite(datum: pg_sys::Datum) -> Self {
        // SAFETY: a composite value names its type; the description is a copy in the current
        // memory context, where what is detoasted stays too.
        unsafe {
            let header: pg_sys::HeapTupleHeader =
                pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast();
            let of_type = (*header).t_choice.t_datum;
            let description =
                pg_sys::lookup_rowtype_tupdesc_copy(of_type.datum_typeid, of_type.datum_typmod);
            let mut tuple = pg_sys::HeapTupleData {
                t_len: pgrx::varsize_any(header.cast()) as u32,
                t_data: header,
                ..Default::default()
            };
            let mut row = Self::of(description);
            let (values, nulls) = (row.values.as_mut_ptr(), row.nulls.as_mut_ptr());
            pg_sys::heap_deform_tuple(&raw mut tuple, description, values, nulls);
            row
        }
    }

    fn datum(&self, column: &str) -> Option<pg_sys::Datum> {
        let number = self.columns.iter().position(|name| name == column)?;
        (!self.nulls[number]).then(|| self.values[number])
    }

    pub fn boolean(&self, column: &str) -> Option<bool> {
        Some(self.datum(column)?.value() != 0)
    }

    pub fn is_null(&self, column: &str) -> bool {
        self.datum(column).is_none()
    }

    pub fn text(&self, column: &str) -> Option<&str> {
        let datum = self.datum(column)?;
        // SAFETY: the column is a text.
        unsafe { <&str>::from_datum(datum, false) }
    }

    pub fn text_owned(&self, column: &str) -> Option<String> {
        self.text(column).map(str::to_owned)
    }

    /// The items of a `text[]`, some of which may be NULL.
    pub fn texts(&self, column: &str) -> Option<Vec<Option<String>>> {
        let datum = self.datum(column)?;
        // SAFETY: the column is a text[].
        unsafe { Vec::from_datum(datum, false) }
    }

    pub fn jsonb(&self, column: &str) -> Option<Jsonb> {
        let datum = self.datum(column)?;
        // SAFETY: the column is a jsonb.
        Some(unsafe { Jsonb::from_datum(datum) })
    }

    /// The seconds of an `interval`.
    pub fn seconds(&self, column: &str) -> Option<f64> {
        let arguments = ["epoch".into_datum(), Some(self.datum(column)?)];
        // SAFETY: the column is an interval.
        unsafe { direct_function_call(pg_sys::interval_part, &arguments) }
    }

    /// A `timestamptz`, in microseconds since 1970.
    pub fn microseconds(&self, column: &str) -> Option<i64> {
        let since_2000 = self.datum(column)?.value() as i64;
        Some(clock::microseconds_of(since_2000))
    }
}
