//! `jsonb` values, from JSON text and to it.

use std::ffi::{CStr, CString};

use pgrx::{AnyElement, direct_function_call_as_datum, pg_sys};

/// A `jsonb` value, kept ready.
pub struct Jsonb(Box<[u8]>);

impl Jsonb {
    /// From JSON text that has been parsed before, and so is good.
    pub fn from_json(json: &str) -> Self {
        let json = CString::new(json).expect("JSON text holds no NUL");
        // SAFETY: jsonb_in takes a C string and answers a varlena, which is copied and freed.
        unsafe {
            let argument = Some(pg_sys::Datum::from(json.as_ptr()));
            let datum = direct_function_call_as_datum(pg_sys::jsonb_in, &[argument])
                .expect("jsonb_in answers no NULL");
            let value = datum.cast_mut_ptr::<pg_sys::varlena>();
            let length = pgrx::varsize_any(value);
            let bytes = std::slice::from_raw_parts(value.cast::<u8>(), length).into();
            pg_sys::pfree(value.cast());
            Self(bytes)
        }
    }

    /// From a `jsonb` datum, however it is stored.
    ///
    /// # Safety
    /// It must be one.
    pub unsafe fn from_datum(datum: pg_sys::Datum) -> Self {
        unsafe {
            let stored = datum.cast_mut_ptr::<pg_sys::varlena>();
            let value = pg_sys::pg_detoast_datum(stored);
            let length = pgrx::varsize_any(value);
            let bytes = std::slice::from_raw_parts(value.cast::<u8>(), length).into();
            if value != stored {
                pg_sys::pfree(value.cast());
            }
            Self(bytes)
        }
    }

    /// As JSON text.
    pub fn to_text(&self) -> String {
        // SAFETY: the copy is a jsonb, and aligned as one.
        unsafe {
            let copy = self.to_datum();
            let text = text_of_datum(copy);
            pg_sys::pfree(copy.cast_mut_ptr());
            text
        }
    }

    /// A copy in the caller's memory context.
    pub fn to_datum(&self) -> pg_sys::Datum {
        // SAFETY: as many bytes as the value has, in memory that is fresh.
        unsafe {
            let copy = pg_sys::palloc(self.0.len()).cast::<u8>();
            copy.copy_from_nonoverlapping(self.0.as_ptr(), self.0.len());
            pg_sys::Datum::from(copy)
        }
    }
}

/// The JSON text of an argument that the SQL declaration says is `jsonb`. What `jsonb` can hold
/// goes beyond what every JSON parser takes, so the text is to be parsed with care.
pub fn text_of(jsonb: &AnyElement) -> String {
    // SAFETY: the argument is a jsonb.
    unsafe { text_of_datum(jsonb.datum()) }
}

unsafe fn text_of_datum(jsonb: pg_sys::Datum) -> String {
    // SAFETY: jsonb_out takes a jsonb and answers a C string in UTF-8, the database's encoding.
    unsafe {
        let datum = direct_function_call_as_datum(pg_sys::jsonb_out, &[Some(jsonb)])
            .expect("jsonb_out answers no NULL");
        let text = datum.cast_mut_ptr();
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        pg_sys::pfree(text.cast());
        owned
    }
}
