//! Rows of the mirror by their primary key, straight from the index.
//!
//! A query through SPI costs 4 to 20 µs, most of it to start and end the executor; this costs
//! about one. It reads as the tables' owner, by the snapshot of the statement that asks, takes no
//! transaction id, and works in parallel workers and on a standby.

use std::ffi::CStr;

use pgrx::{FromDatum, IntoDatum, pg_sys};

use crate::spi;

/// A table and the index of its primary key, whose columns are the table's `key` columns.
pub struct Table {
    pub name: &'static CStr,
    pub primary_key: &'static CStr,
    /// Columns of the primary key, by name: all of type text.
    pub key: &'static [&'static CStr],
}

impl Table {
    /// Whether there is a row with this key.
    pub fn has(&self, key: &[&str]) -> bool {
        self.find(key, |_| Some(())).is_some()
    }

    /// The first answer that `read` gives to a row with this key, or with these first columns of
    /// one.
    pub fn find<T>(&self, key: &[&str], mut read: impl FnMut(&Row) -> Option<T>) -> Option<T> {
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        // SAFETY: inside a statement, which has a snapshot; what is opened is closed, and after an
        // ERROR the abort does it.
        unsafe {
            let relation = pg_sys::table_open(spi::table(self.name), lock);
            let description = (*relation).rd_att;
            let mut keys: Vec<pg_sys::ScanKeyData> = self
                .key
                .iter()
                .zip(key)
                .map(|(column, value)| equals(description, column, value))
                .collect();
            let scan = pg_sys::systable_beginscan(
                relation,
                spi::table(self.primary_key),
                true,
                pg_sys::GetActiveSnapshot(),
                keys.len() as i32,
                keys.as_mut_ptr(),
            );
            let mut answer = None;
            while answer.is_none() {
                let tuple = pg_sys::systable_getnext(scan);
                if tuple.is_null() {
                    break;
                }
                answer = read(&Row { tuple, description });
            }
            pg_sys::systable_endscan(scan);
            pg_sys::table_close(relation, lock);
            answer
        }
    }
}

/// A row, while its page is held.
pub struct Row {
    tuple: pg_sys::HeapTuple,
    description: pg_sys::TupleDesc,
}

impl Row {
    pub fn is_null(&self, column: &CStr) -> bool {
        // SAFETY: a tuple of the table that the description is of.
        unsafe { self.datum(column).1 }
    }

    pub fn text(&self, column: &CStr) -> Option<&str> {
        // SAFETY: the same; the column is a text.
        unsafe {
            let (datum, is_null) = self.datum(column);
            <&str>::from_datum(datum, is_null)
        }
    }

    pub fn texts(&self, column: &CStr) -> Option<Vec<String>> {
        // SAFETY: the same; the column is a text[].
        unsafe {
            let (datum, is_null) = self.datum(column);
            Vec::<String>::from_datum(datum, is_null)
        }
    }

    unsafe fn datum(&self, column: &CStr) -> (pg_sys::Datum, bool) {
        unsafe {
            let number = pg_sys::SPI_fnumber(self.description, column.as_ptr());
            let mut is_null = true;
            let datum =
                pg_sys::SPI_getbinval(self.tuple, self.description, number, &raw mut is_null);
            (datum, is_null)
        }
    }
}

unsafe fn equals(
    description: pg_sys::TupleDesc,
    column: &CStr,
    value: &str,
) -> pg_sys::ScanKeyData {
    let mut key = pg_sys::ScanKeyData::default();
    unsafe {
        pg_sys::ScanKeyEntryInitialize(
            &raw mut key,
            0,
            pg_sys::SPI_fnumber(description, column.as_ptr()) as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::InvalidOid,
            pg_sys::DEFAULT_COLLATION_OID,
            pg_sys::Oid::from(pg_sys::F_TEXTEQ),
            value.into_datum().expect("text is never NULL"),
        );
    }
    key
}
