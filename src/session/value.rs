//! What readers answer with: PostgreSQL values made straight from the identity, without a Rust
//! value in between.

use std::ffi::CString;

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{IntoDatum, direct_function_call_as_datum, pg_sys};

/// A value in the caller's memory context, of the type that the SQL declaration names.
pub struct Value(pg_sys::Datum);

impl Value {
    /// A `text`.
    pub fn text(text: &str) -> Option<Self> {
        text.into_datum().map(Self)
    }

    /// A `jsonb` from its bytes.
    pub fn jsonb(jsonb: &Jsonb) -> Self {
        // SAFETY: as many bytes as the value has, in memory that is fresh.
        unsafe {
            let copy = pg_sys::palloc(jsonb.0.len()).cast::<u8>();
            copy.copy_from_nonoverlapping(jsonb.0.as_ptr(), jsonb.0.len());
            Self(pg_sys::Datum::from(copy))
        }
    }
}

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
}

// SAFETY: the datum is of the function's declared type and lives in the caller's context.
unsafe impl BoxRet for Value {
    unsafe fn box_into<'fcx>(self, call: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        unsafe { call.return_raw_datum(self.0) }
    }
}

// SAFETY: no SQL is generated from it; sql/session.sql declares the readers.
unsafe impl SqlTranslatable for Value {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Value);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        Err(ArgumentError::NotValidAsArgument("Value"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("any")));
}
