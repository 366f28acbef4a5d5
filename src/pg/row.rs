//! A row of one of the extension's tables, by the names of its columns.

use std::ffi::CStr;

use pgrx::{FromDatum, IntoDatum, direct_function_call, pg_sys};

use super::jsonb::{Jsonb, JsonbPart};
use crate::clock;

/// A row, while its page is pinned. Each method returns `None` for NULL.
pub struct Row {
    slot: *mut pg_sys::TupleTableSlot,
    /// Whether a missing column is an error instead of NULL.
    is_complete: bool,
}

impl Row {
    /// The row in a slot, of a table that has all columns of sql/.
    ///
    /// # Safety
    /// The slot must hold a row for as long as this is used.
    pub unsafe fn in_slot(slot: *mut pg_sys::TupleTableSlot) -> Self {
        Self {
            slot,
            is_complete: true,
        }
    }

    /// The same, for a table to which an update of the extension may still have to add columns.
    ///
    /// # Safety
    /// As above.
    pub unsafe fn in_slot_of_any_version(slot: *mut pg_sys::TupleTableSlot) -> Self {
        Self {
            slot,
            is_complete: false,
        }
    }

    /// The row that a composite value contains, likewise.
    ///
    /// # Safety
    /// The datum must be of a table's row type.
    pub unsafe fn of_composite(datum: pg_sys::Datum) -> Self {
        // SAFETY: a composite value names its type; the description is copied into the current
        // memory context, where the slot, its tuple and detoasted values live too.
        unsafe {
            let header: pg_sys::HeapTupleHeader =
                pg_sys::pg_detoast_datum(datum.cast_mut_ptr()).cast();
            let of_type = (*header).t_choice.t_datum;
            let description =
                pg_sys::lookup_rowtype_tupdesc_copy(of_type.datum_typeid, of_type.datum_typmod);
            let tuple: *mut pg_sys::HeapTupleData =
                pg_sys::palloc0(size_of::<pg_sys::HeapTupleData>()).cast();
            (*tuple).t_len = pgrx::varsize_any(header.cast()) as u32;
            (*tuple).t_data = header;
            let slot = slot_for_tuples(description);
            pg_sys::ExecStoreHeapTuple(tuple, slot, false);
            Self::in_slot_of_any_version(slot)
        }
    }

    pub fn is_null(&self, column: &CStr) -> bool {
        self.datum(column).is_none()
    }

    pub fn boolean(&self, column: &CStr) -> Option<bool> {
        Some(self.datum(column)?.value() != 0)
    }

    /// An `oid` or a `regclass`.
    pub fn oid(&self, column: &CStr) -> Option<pg_sys::Oid> {
        let datum = self.datum(column)?;
        // SAFETY: the column is an OID.
        unsafe { pg_sys::Oid::from_datum(datum, false) }
    }

    pub fn text(&self, column: &CStr) -> Option<&str> {
        let datum = self.datum(column)?;
        // SAFETY: the column is a text.
        unsafe { <&str>::from_datum(datum, false) }
    }

    pub fn text_owned(&self, column: &CStr) -> Option<String> {
        self.text(column).map(str::to_owned)
    }

    /// The items of a `text[]`, which may contain NULL.
    pub fn texts(&self, column: &CStr) -> Option<Vec<Option<String>>> {
        let datum = self.datum(column)?;
        // SAFETY: the column is a text[].
        unsafe { Vec::from_datum(datum, false) }
    }

    pub fn jsonb(&self, column: &CStr) -> Option<Jsonb> {
        let datum = self.datum(column)?;
        // SAFETY: the column is a jsonb.
        Some(unsafe { Jsonb::from_datum(datum) })
    }

    /// A column of type jsonb, for reading in place.
    pub fn part(&self, column: &CStr) -> Option<JsonbPart> {
        let datum = self.datum(column)?;
        // SAFETY: the same; the part is used while the page is pinned.
        Some(unsafe { JsonbPart::of_datum(datum) })
    }

    /// Reads a column of type jsonb in place, and frees what that has copied.
    pub fn read_part<T>(&self, column: &CStr, read: impl FnOnce(&JsonbPart) -> T) -> Option<T> {
        let datum = self.datum(column)?;
        // SAFETY: the same.
        Some(unsafe { JsonbPart::read(datum, read) })
    }

    /// Whether a column of type jsonb equals the given object.
    pub fn equals(&self, column: &CStr, object: &JsonbPart) -> bool {
        // SAFETY: the same.
        self.datum(column)
            .is_some_and(|datum| unsafe { object.equals(datum) })
    }

    /// Whether a column of type jsonb has the members of the given object, each equal or `alike`.
    pub fn resembles(
        &self,
        column: &CStr,
        object: &JsonbPart,
        alike: impl Fn(&str, &JsonbPart, &JsonbPart) -> bool,
    ) -> bool {
        // SAFETY: the same.
        self.datum(column)
            .is_some_and(|datum| unsafe { object.resembles(datum, alike) })
    }

    /// The seconds of an `interval`.
    pub fn seconds(&self, column: &CStr) -> Option<f64> {
        let arguments = ["epoch".into_datum(), Some(self.datum(column)?)];
        // SAFETY: the column is an interval.
        unsafe { direct_function_call(pg_sys::interval_part, &arguments) }
    }

    /// A `timestamptz`, in microseconds since 1970.
    pub fn microseconds(&self, column: &CStr) -> Option<i64> {
        self.timestamp(column).map(clock::microseconds_of)
    }

    /// A `timestamptz`, as PostgreSQL stores it.
    pub fn timestamp(&self, column: &CStr) -> Option<i64> {
        Some(self.datum(column)?.value() as i64)
    }

    fn datum(&self, column: &CStr) -> Option<pg_sys::Datum> {
        unsafe extern "C-unwind" {
            // Without pgrx's guard: it only compares names.
            fn SPI_fnumber(description: pg_sys::TupleDesc, name: *const std::ffi::c_char) -> i32;
        }
        // SAFETY: the slot holds a row of the table that it describes.
        unsafe {
            let number = SPI_fnumber((*self.slot).tts_tupleDescriptor, column.as_ptr());
            if number <= 0 {
                assert!(!self.is_complete, "the table has the columns of sql/");
                return None;
            }
            let mut is_null = true;
            let datum = pg_sys::slot_getattr(self.slot, number, &raw mut is_null);
            (!is_null).then_some(datum)
        }
    }
}

/// A slot for tuples that are stored elsewhere.
///
/// # Safety
/// The description must last as long as the slot.
pub unsafe fn slot_for_tuples(description: pg_sys::TupleDesc) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: as the caller promises, the description outlives the slot.
    unsafe { pg_sys::MakeSingleTupleTableSlot(description, &raw const pg_sys::TTSOpsHeapTuple) }
}
