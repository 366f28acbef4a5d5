//! Results of readers: PostgreSQL values built directly from the identity, without a Rust value in
//! between.

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::pgrx_sql_entity_graph::metadata::{
    ArgumentError, ReturnsError, ReturnsRef, SqlMappingRef, SqlTranslatable, TypeOrigin,
};
use pgrx::{IntoDatum, pg_sys};

use super::jsonb::Jsonb;

/// A value in the caller's memory context, of the type that the SQL declaration names.
pub struct Value(pg_sys::Datum);

impl Value {
    /// A `text`.
    pub fn text(text: &str) -> Option<Self> {
        text.into_datum().map(Self)
    }

    /// A `jsonb`.
    pub fn jsonb(jsonb: &Jsonb) -> Self {
        Self(jsonb.to_datum())
    }
}

// SAFETY: the datum is of the function's declared type and lives in the caller's context.
unsafe impl BoxRet for Value {
    unsafe fn box_into<'fcx>(self, call: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: the datum is of the type that the SQL declares for the function, in the caller's memory
        // context.
        unsafe { call.return_raw_datum(self.0) }
    }
}

// SAFETY: no SQL is generated from it; sql/identity.sql declares the readers.
unsafe impl SqlTranslatable for Value {
    const TYPE_IDENT: &'static str = pgrx::pgrx_resolved_type!(Value);
    const TYPE_ORIGIN: TypeOrigin = TypeOrigin::External;
    const ARGUMENT_SQL: Result<SqlMappingRef, ArgumentError> =
        Err(ArgumentError::NotValidAsArgument("Value"));
    const RETURN_SQL: Result<ReturnsRef, ReturnsError> =
        Ok(ReturnsRef::One(SqlMappingRef::literal("any")));
}
