//! A `CASE` that only guards a condition is replaced by `AND`.
//!
//! `CASE WHEN auth.user_id() IS NULL THEN false ELSE user_id = auth.user_id() END` says nothing to an
//! index; `(auth.user_id() IS NULL) IS NOT TRUE AND user_id = auth.user_id()` is the same for every value,
//! NULL included. Only `CASE` keeps its branches from being evaluated, so only a condition that raises no
//! error leaves it.

use pgrx::prelude::*;

use super::reader_call::is_reader;
use super::same::{is_harmless, same_for_all_rows};
use crate::pg::nodes::elements;

/// The `AND` that is the same as a `CASE` with one test, which is the same for all rows, and with a branch
/// that is `false`.
///
/// # Safety
/// It must be an expression.
pub unsafe fn without_case(case: &pg_sys::CaseExpr) -> Option<*mut pg_sys::Node> {
    use pg_sys::BoolTestType::{IS_NOT_TRUE, IS_TRUE};
    // SAFETY: as the caller promises, an expression of the planner: its lists have nodes of the types that its
    // kind demands.
    unsafe {
        let mut branches = elements::<pg_sys::CaseWhen>(case.args);
        let (Some(branch), None) = (branches.next(), branches.next()) else {
            return None;
        };
        let (test, then, otherwise) = ((*branch).expr, (*branch).result, case.defresult);
        let (kind, condition) = match (is_false(then.cast()), is_false(otherwise.cast())) {
            (true, false) => (IS_NOT_TRUE, otherwise),
            (false, true) => (IS_TRUE, then),
            _ => return None,
        };
        let is_guard = case.arg.is_null()
            && same_for_all_rows(test.cast(), is_reader)
                .is_some_and(|same| same.has_reader && !same.may_raise)
            && is_harmless(condition.cast(), is_reader);
        is_guard.then(|| {
            let mut guard =
                PgBox::<pg_sys::BooleanTest>::alloc_node(pg_sys::NodeTag::T_BooleanTest);
            guard.arg = test;
            guard.booltesttype = kind;
            guard.location = -1;
            let parts = pg_sys::lappend(std::ptr::null_mut(), guard.into_pg().cast());
            let parts = pg_sys::lappend(parts, condition.cast());
            pg_sys::makeBoolExpr(pg_sys::BoolExprType::AND_EXPR, parts, -1).cast()
        })
    }
}

unsafe fn is_false(node: *mut pg_sys::Node) -> bool {
    // SAFETY: the node is NULL or has the type that its tag says.
    unsafe {
        if node.is_null() || (*node).type_ != pg_sys::NodeTag::T_Const {
            return false;
        }
        let constant = &*node.cast::<pg_sys::Const>();
        constant.consttype == pg_sys::BOOLOID
            && !constant.constisnull
            && constant.constvalue.value() == 0
    }
}
