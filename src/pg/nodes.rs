//! PostgreSQL's own ways through a tree of nodes, without the guard that pgrx puts around each
//! call: a walk makes one call for each node, and every query is walked before it is planned.
//!
//! An ERROR passes over the frames of whoever calls these, which must own nothing that needs
//! dropping.

use std::ffi::{c_int, c_void};

use pgrx::pg_sys;

/// What a walk does with a node: true ends the walk.
pub type Walker = unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut c_void) -> bool;
/// What a mutation puts in the place of a node.
pub type Mutator = unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut c_void) -> *mut pg_sys::Node;

unsafe extern "C-unwind" {
    #[cfg_attr(
        not(any(feature = "pg14", feature = "pg15")),
        link_name = "expression_tree_walker_impl"
    )]
    pub fn expression_tree_walker(
        node: *mut pg_sys::Node,
        walker: Walker,
        context: *mut c_void,
    ) -> bool;

    #[cfg_attr(
        not(any(feature = "pg14", feature = "pg15")),
        link_name = "query_tree_walker_impl"
    )]
    pub fn query_tree_walker(
        query: *mut pg_sys::Query,
        walker: Walker,
        context: *mut c_void,
        flags: c_int,
    ) -> bool;

    #[cfg_attr(
        not(any(feature = "pg14", feature = "pg15")),
        link_name = "expression_tree_mutator_impl"
    )]
    pub fn expression_tree_mutator(
        node: *mut pg_sys::Node,
        mutator: Mutator,
        context: *mut c_void,
    ) -> *mut pg_sys::Node;

    #[cfg_attr(
        not(any(feature = "pg14", feature = "pg15")),
        link_name = "query_tree_mutator_impl"
    )]
    pub fn query_tree_mutator(
        query: *mut pg_sys::Query,
        mutator: Mutator,
        context: *mut c_void,
        flags: c_int,
    ) -> *mut pg_sys::Query;

    pub fn check_functions_in_node(
        node: *mut pg_sys::Node,
        checker: unsafe extern "C-unwind" fn(pg_sys::Oid, *mut c_void) -> bool,
        context: *mut c_void,
    ) -> bool;
}

/// The pointers of a PostgreSQL list.
///
/// # Safety
/// It must be a list of pointers to such things, or null.
pub unsafe fn elements<T>(list: *mut pg_sys::List) -> impl Iterator<Item = *mut T> {
    let length = if list.is_null() {
        0
    } else {
        unsafe { (*list).length }
    };
    (0..length).map(move |n| unsafe { (*(*list).elements.offset(n as isize)).ptr_value.cast() })
}

/// Whether a table, or what is like one, is among the entries.
///
/// # Safety
/// It must be the range table of a query or of a plan.
pub unsafe fn reads_a_table(entries: *mut pg_sys::List) -> bool {
    unsafe {
        elements::<pg_sys::RangeTblEntry>(entries)
            .any(|entry| (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION)
    }
}
