//! Functions of the extension, called without a query.

use std::ffi::CStr;

use pgrx::{IntoDatum, pg_sys};

use super::raised;

/// The OID of a function of neon_auth_internal, if it exists.
pub fn internal(name: &CStr, arguments: &[pg_sys::Oid]) -> Option<pg_sys::Oid> {
    // SAFETY: catalog look-ups inside a transaction.
    unsafe {
        let schema = pg_sys::get_namespace_oid(c"neon_auth_internal".as_ptr(), true);
        let types = pg_sys::buildoidvector(arguments.as_ptr(), arguments.len() as i32);
        let function = pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as pg_sys::AttrNumber,
            name.into_datum()?,
            pg_sys::Datum::from(types),
            schema.into_datum()?,
            pg_sys::Datum::from(0),
        );
        pg_sys::pfree(types.cast());
        (function != pg_sys::InvalidOid).then_some(function)
    }
}

/// Calls a function of neon_auth_internal, in the rights and the search_path that are in force. Neither
/// the arguments nor what it returns are NULL.
///
/// A query that calls it would be parsed and planned each time; PL/pgSQL keeps the plans of its own.
pub fn call(
    name: &CStr,
    types: &[pg_sys::Oid],
    arguments: &[Option<pg_sys::Datum>],
) -> pg_sys::Datum {
    let Some(function) = internal(name, types) else {
        pgrx::ereport!(
            ERROR,
            pgrx::PgSqlErrorCode::ERRCODE_UNDEFINED_FUNCTION,
            format!(
                "function neon_auth_internal.{} is missing",
                name.to_string_lossy()
            )
        );
    };
    let none = pg_sys::InvalidOid;
    let given: Vec<pg_sys::Datum> = arguments.iter().copied().flatten().collect();
    assert_eq!(given.len(), types.len(), "arguments are not NULL");
    // SAFETY: the arguments are of the types by which the function was found; it may run other
    // people's code, such as triggers.
    unsafe {
        raised::caught_as_raised(|| match given[..] {
            [one] => OidFunctionCall1Coll(function, none, one),
            [one, two] => OidFunctionCall2Coll(function, none, one, two),
            [one, two, three] => OidFunctionCall3Coll(function, none, one, two, three),
            _ => unreachable!("a function of one to three arguments"),
        })
    }
}

unsafe extern "C-unwind" {
    // Without pgrx's guard: `caught_as_raised` is one.
    fn OidFunctionCall1Coll(
        function: pg_sys::Oid,
        collation: pg_sys::Oid,
        one: pg_sys::Datum,
    ) -> pg_sys::Datum;
    fn OidFunctionCall2Coll(
        function: pg_sys::Oid,
        collation: pg_sys::Oid,
        one: pg_sys::Datum,
        two: pg_sys::Datum,
    ) -> pg_sys::Datum;
    fn OidFunctionCall3Coll(
        function: pg_sys::Oid,
        collation: pg_sys::Oid,
        one: pg_sys::Datum,
        two: pg_sys::Datum,
        three: pg_sys::Datum,
    ) -> pg_sys::Datum;
}
