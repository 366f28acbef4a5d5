//! PostgreSQL's own walkers of node trees, without the guard that pgrx puts around each call: a
//! walk makes one call per node, and every query is walked before it is planned.
//!
//! An ERROR skips the frames of the callers, which must own nothing that needs dropping.

use std::ffi::c_void;

use pgrx::pg_sys;

use super::compat::{Mutator, Walker};
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

/// Goes on with a walk inside an expression, or inside a query, whose names of joined columns are left out.
///
/// # Safety
/// It must be an expression, a query or null, and the context what the walker expects.
pub unsafe fn walk_into(node: *mut pg_sys::Node, walker: Walker, context: *mut c_void) -> bool {
    // SAFETY: the node has the type that its tag says, and the caller promises what the walker expects.
    unsafe {
        if !node.is_null() && (*node).type_ == pg_sys::NodeTag::T_Query {
            let flags = pg_sys::QTW_IGNORE_JOINALIASES as i32;
            return query_tree_walker(node.cast(), walker, context, flags);
        }
        expression_tree_walker(node, walker, context)
    }
}

/// Mutates the expressions of a query, and the queries in it, in place.
///
/// # Safety
/// It must be a query that may be changed, and the context what the mutator expects.
pub unsafe fn mutate_query(query: *mut pg_sys::Query, mutator: Mutator, context: *mut c_void) {
    let flags = pg_sys::QTW_DONT_COPY_QUERY | pg_sys::QTW_IGNORE_JOINALIASES;
    // SAFETY: the caller promises a query that may be changed, and what the mutator expects.
    unsafe { query_tree_mutator(query, mutator, context, flags as i32) };
}

/// Mutates only the conditions of a query, which choose its rows before they are grouped.
///
/// # Safety
/// As `mutate_query`.
pub unsafe fn mutate_conditions(query: *mut pg_sys::Query, mutator: Mutator, context: *mut c_void) {
    // SAFETY: as the caller promises for `mutate_query`; the entries of a range table are range table entries.
    unsafe {
        (*query).jointree = mutator((*query).jointree.cast(), context).cast();
        for entry in elements::<pg_sys::RangeTblEntry>((*query).rtable) {
            (*entry).securityQuals = mutator((*entry).securityQuals.cast(), context).cast();
        }
    }
}

/// A list of nodes.
///
/// # Safety
/// They must be nodes.
pub unsafe fn list_of<T>(nodes: impl IntoIterator<Item = *mut T>) -> *mut pg_sys::List {
    nodes.into_iter().fold(std::ptr::null_mut(), |list, node| {
        // SAFETY: a list, and a node.
        unsafe { pg_sys::lappend(list, node.cast()) }
    })
}

/// The pointers of a PostgreSQL list.
///
/// # Safety
/// It must be a list of pointers to this type, or null.
pub unsafe fn elements<T>(list: *mut pg_sys::List) -> impl Iterator<Item = *mut T> {
    let length = if list.is_null() {
        0
    } else {
        // SAFETY: as the caller promises, a list that is not null.
        unsafe { (*list).length }
    };
    // SAFETY: as the caller promises, a list of pointers to this type; the number is below its length.
    (0..length).map(move |n| unsafe { (*(*list).elements.offset(n as isize)).ptr_value.cast() })
}

/// Whether a table, or a relation like one, is among the entries.
///
/// # Safety
/// It must be the range table of a query or of a plan.
pub unsafe fn reads_a_table(entries: *mut pg_sys::List) -> bool {
    // SAFETY: as the caller promises, the list is a range table.
    unsafe {
        elements::<pg_sys::RangeTblEntry>(entries)
            .any(|entry| (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION)
    }
}
