//! A sub-select that is only an expression is replaced by the expression.
//!
//! drizzle-orm/neon writes policies as `(select auth.user_id() = user_id)`. PostgreSQL executes such
//! a sub-select for each row, and an index on `user_id` cannot be used. The sub-select returns
//! exactly one row, so `auth.user_id() = user_id` is the same, and the planner knows what it is.
//!
//! So is a `CASE` that is only a guard, see `guard`.
//!
//! Only a sub-select with a reader and with a column of a query around it is replaced. Without a
//! column the planner evaluates it once per query anyway. Inside a sub-select `AND` keeps its order, and
//! the planner is free to change it elsewhere; so one with a condition that may raise an error, such as
//! `is_number(payload) AND payload::int > 0`, stays.

use std::ffi::c_void;

use pgrx::prelude::*;

use super::cannot_raise::cannot_raise;
use super::guard::without_case;
use super::reader_call::{finds_reader, is_reader};
use super::same::{is_harmless, same_for_all_rows};
use super::sub_select::only_expression;
use crate::pg::nodes::{
    elements, expression_tree_mutator, mutate_conditions, mutate_query, walk_into,
};

/// Changes the query, and all queries in it, in place.
///
/// # Safety
/// It must be a query that the planner may change.
#[pg_guard]
pub unsafe extern "C-unwind" fn unwrap_sub_selects(query: *mut pg_sys::Query) {
    // SAFETY: as the caller promises, a query that the planner may change.
    unsafe {
        if finds_replaceable(query.cast(), std::ptr::null_mut()) {
            unwrap_in(query);
        }
    }
}

/// A walker that ends at a sub-select, or a `CASE`, that can be replaced. Few queries have one.
unsafe extern "C-unwind" fn finds_replaceable(
    node: *mut pg_sys::Node,
    nothing: *mut c_void,
) -> bool {
    // SAFETY: PostgreSQL's walker passes nodes of the query; each has the type that its tag says.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_SubLink if replacement(&*node.cast()).is_some() => true,
            pg_sys::NodeTag::T_CaseExpr if without_case(&*node.cast()).is_some() => true,
            _ => walk_into(node, finds_replaceable, nothing),
        }
    }
}

/// A query whose expressions are being changed.
struct Level {
    /// Whether they are replaced here.
    replaces: bool,
}

impl Level {
    fn context(&mut self) -> *mut c_void {
        std::ptr::from_mut(self).cast()
    }
}

unsafe fn unwrap_in(query: *mut pg_sys::Query) {
    // SAFETY: the callers pass a query that may be changed, and `unwrap` gets the `Level` that it expects.
    unsafe {
        let mut level = Level { replaces: true };
        if !(*query).groupingSets.is_null() {
            mutate_conditions(query, unwrap, level.context());
            // The expression may be like a grouping expression, which is NULL in some rows.
            level.replaces = false;
        }
        mutate_query(query, unwrap, level.context());
    }
}

/// A mutator of the expressions of a query, and of the queries among them.
#[pg_guard]
unsafe extern "C-unwind" fn unwrap(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> *mut pg_sys::Node {
    // SAFETY: PostgreSQL's mutator passes nodes of the query, each of the type that its tag says, and the
    // context of `unwrap_in`.
    unsafe {
        if node.is_null() {
            return node;
        }
        let level = &*context.cast::<Level>();
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                unwrap_in(node.cast());
                return node;
            }
            pg_sys::NodeTag::T_SubLink if level.replaces => {
                if let Some(expression) = replacement(&*node.cast()) {
                    let expression = pg_sys::copyObjectImpl(expression.cast()).cast();
                    pg_sys::IncrementVarSublevelsUp(expression, -1, 1);
                    // It may be such a sub-select itself.
                    return unwrap(expression, context);
                }
            }
            pg_sys::NodeTag::T_CaseExpr if level.replaces => {
                if let Some(expression) = without_case(&*node.cast()) {
                    return unwrap(expression, context);
                }
            }
            _ => {}
        }
        expression_tree_mutator(node, unwrap, context)
    }
}

/// The expression that can replace a sub-select, with its columns still numbered as in there.
unsafe fn replacement(link: &pg_sys::SubLink) -> Option<*mut pg_sys::Node> {
    // SAFETY: a sub-select of a query that is not planned yet; `finds_outer` gets the `Outer` that it expects.
    unsafe {
        let expression = only_expression(link)?;
        let mut outer = Outer::default();
        finds_outer(expression, std::ptr::from_mut(&mut outer).cast());
        let can_be_replaced = outer.has_column
            && !outer.has_aggregate
            && finds_reader(expression, std::ptr::null_mut())
            && (is_harmless(expression, is_reader) || is_harmless_comparison(expression));
        can_be_replaced.then_some(expression)
    }
}

/// Whether it compares what is harmless with what is the same for all rows, such as `auth.user_id()::uuid`.
unsafe fn is_harmless_comparison(expression: *mut pg_sys::Node) -> bool {
    // SAFETY: an expression of the query; each node has the type that its tag says.
    unsafe {
        (*expression).type_ == pg_sys::NodeTag::T_OpExpr
            && cannot_raise(pg_sys::get_opcode(
                (*expression.cast::<pg_sys::OpExpr>()).opno,
            ))
            && elements::<pg_sys::Node>((*expression.cast::<pg_sys::OpExpr>()).args).all(|side| {
                is_harmless(side, is_reader)
                    || same_for_all_rows(side, is_reader).is_some_and(|same| same.has_reader)
            })
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
    // SAFETY: PostgreSQL's walker passes nodes of the expression, each of the type that its tag says, and the
    // context of `replacement`.
    unsafe {
        if node.is_null() {
            return false;
        }
        let outer = &mut *context.cast::<Outer>();
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                outer.depth += 1;
                walk_into(node, finds_outer, context);
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
        walk_into(node, finds_outer, context)
    }
}
