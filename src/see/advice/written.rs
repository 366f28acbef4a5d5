//! A condition as SQL.

use std::ffi::CStr;

use pgrx::pg_sys;

/// A condition of the table, as text; `None` if there is no such table.
///
/// # Safety
/// It must be a condition of a policy of the table.
pub unsafe fn written(condition: *mut pg_sys::Node, table: pg_sys::Oid) -> Option<String> {
    // SAFETY: as the caller promises, a condition of a policy of the table; names are NULL or C strings in
    // this memory context.
    unsafe {
        let name = pg_sys::get_rel_name(table);
        if name.is_null() {
            return None;
        }
        let context = pg_sys::deparse_context_for(name, table);
        let text = pg_sys::deparse_expression(condition, context, false, false);
        Some(CStr::from_ptr(text).to_string_lossy().into_owned())
    }
}
