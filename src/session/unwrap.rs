//! A sub-select that is only an expression is replaced by the expression.
//!
//! drizzle-orm/neon writes policies as `(select auth.user_id() = user_id)`. PostgreSQL executes such
//! a sub-select for each row, and an index on `user_id` cannot be used. The sub-select returns
//! exactly one row, so `auth.user_id() = user_id` is the same, and the planner knows what it is.
//!
//! Only a sub-select with a reader and with a column of a query around it is replaced. Without a
//! column the planner evaluates it once per query anyway.

use std::ffi::c_void;

use pgrx::prelude::*;

use super::reader_call::finds_reader;
use super::sub_select::only_expression;
use crate::pg::nodes::{
    elements, expression_tree_mutator, expression_tree_walker, query_tree_mutator,
    query_tree_walker,
};

unsafe extern "C-unwind" {
    // An ERROR skips frames that own nothing.
    fn contain_volatile_functions(expression: *mut pg_sys::Node) -> bool;
}

/// Changes the query, and all queries in it, in place.
///
/// # Safety
/// It must be a query that the planner may change.
#[pg_guard]
pub unsafe extern "C-unwind" fn unwrap_sub_selects(query: *mut pg_sys::Query) {
    unsafe {
        if may_have_sub_select(&*query) && finds_sub_select(query.cast(), std::ptr::null_mut()) {
            unwrap_in(query);
        }
    }
}

/// Whether sub-selects may be in the expressions of a query, or of a query in its FROM or WITH.
unsafe fn may_have_sub_select(query: &pg_sys::Query) -> bool {
    query.hasSubLinks
        || !query.cteList.is_null()
        || unsafe { elements::<pg_sys::RangeTblEntry>(query.rtable) }
            .any(|entry| unsafe { (*entry).rtekind == pg_sys::RTEKind::RTE_SUBQUERY })
}

/// A walker that ends at a sub-select that can be replaced. Few queries have one.
unsafe extern "C-unwind" fn finds_sub_select(
    node: *mut pg_sys::Node,
    nothing: *mut c_void,
) -> bool {
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                let flags = pg_sys::QTW_IGNORE_JOINALIASES as i32;
                query_tree_walker(node.cast(), finds_sub_select, nothing, flags)
            }
            pg_sys::NodeTag::T_SubLink if replacement(&*node.cast()).is_some() => true,
            _ => expression_tree_walker(node, finds_sub_select, nothing),
        }
    }
}

unsafe fn unwrap_in(query: *mut pg_sys::Query) {
    unsafe {
        let flags = pg_sys::QTW_DONT_COPY_QUERY | pg_sys::QTW_IGNORE_JOINALIASES;
        query_tree_mutator(query, unwrap, std::ptr::null_mut(), flags as i32);
    }
}

/// A mutator of the expressions of a query, and of the queries among them.
#[pg_guard]
unsafe extern "C-unwind" fn unwrap(
    node: *mut pg_sys::Node,
    nothing: *mut c_void,
) -> *mut pg_sys::Node {
    unsafe {
        if node.is_null() {
            return node;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                unwrap_in(node.cast());
                return node;
            }
            pg_sys::NodeTag::T_SubLink => {
                if let Some(expression) = replacement(&*node.cast()) {
                    let expression = pg_sys::copyObjectImpl(expression.cast()).cast();
                    pg_sys::IncrementVarSublevelsUp(expression, -1, 1);
                    // It may be such a sub-select itself.
                    return unwrap(expression, nothing);
                }
            }
            _ => {}
        }
        expression_tree_mutator(node, unwrap, nothing)
    }
}

/// The expression that can replace a sub-select, with its columns still numbered as in there.
unsafe fn replacement(link: &pg_sys::SubLink) -> Option<*mut pg_sys::Node> {
    unsafe {
        let expression = only_expression(link)?;
        let mut outer = Outer::default();
        finds_outer(expression, std::ptr::from_mut(&mut outer).cast());
        let can_be_replaced = outer.has_column
            && !outer.has_aggregate
            && finds_reader(expression, std::ptr::null_mut())
            && !contain_volatile_functions(expression);
        can_be_replaced.then_some(expression)
    }
}

/// What an expression has of the queries around its own.
#[derive(Default)]
struct Outer {
    /// How many queries the walk has entered.
    depth: pg_sys::Index,
    has_column: bool,
    /// An aggregate of a query around it is evaluated there, after grouping.
    has_aggregate: bool,
}

/// A walker of the whole expression.
unsafe extern "C-unwind" fn finds_outer(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    unsafe {
        if node.is_null() {
            return false;
        }
        let outer = &mut *context.cast::<Outer>();
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                outer.depth += 1;
                let flags = pg_sys::QTW_IGNORE_JOINALIASES as i32;
                query_tree_walker(node.cast(), finds_outer, context, flags);
                outer.depth -= 1;
                return false;
            }
            pg_sys::NodeTag::T_Var => {
                outer.has_column |= (*node.cast::<pg_sys::Var>()).varlevelsup > outer.depth;
            }
            pg_sys::NodeTag::T_Aggref => {
                outer.has_aggregate |= (*node.cast::<pg_sys::Aggref>()).agglevelsup > outer.depth;
            }
            pg_sys::NodeTag::T_GroupingFunc => {
                outer.has_aggregate |=
                    (*node.cast::<pg_sys::GroupingFunc>()).agglevelsup > outer.depth;
            }
            _ => {}
        }
        expression_tree_walker(node, finds_outer, context)
    }
}
