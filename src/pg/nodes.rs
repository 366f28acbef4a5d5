//! PostgreSQL's own walkers of node trees, without the guard that pgrx puts around each call: a
//! walk makes one call per node, and every query is walked before it is planned.
//!
//! An ERROR skips the frames of the callers, which must own nothing that needs dropping.

use std::ffi::c_void;

use pgrx::pg_sys;

pub use super::compat::{
    expression_tree_mutator, expression_tree_walker, query_tree_mutator, query_tree_walker,
};

unsafe extern "C-unwind" {
    pub fn check_functions_in_node(
        node: *mut pg_sys::Node,
        checker: unsafe extern "C-unwind" fn(pg_sys::Oid, *mut c_void) -> bool,
        context: *mut c_void,
    ) -> bool;
}

/// The pointers of a PostgreSQL list.
///
/// # Safety
/// It must be a list of pointers to this type, or null.
pub unsafe fn elements<T>(list: *mut pg_sys::List) -> impl Iterator<Item = *mut T> {
    let length = if list.is_null() {
        0
    } else {
        unsafe { (*list).length }
    };
    (0..length).map(move |n| unsafe { (*(*list).elements.offset(n as isize)).ptr_value.cast() })
}

/// Whether a table, or a relation like one, is among the entries.
///
/// # Safety
/// It must be the range table of a query or of a plan.
pub unsafe fn reads_a_table(entries: *mut pg_sys::List) -> bool {
    unsafe {
        elements::<pg_sys::RangeTblEntry>(entries)
            .any(|entry| (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION)
    }
}
