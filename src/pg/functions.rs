//! Functions of the extension, called without a query.

use std::ffi::CStr;

use pgrx::{IntoDatum, pg_sys};

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
