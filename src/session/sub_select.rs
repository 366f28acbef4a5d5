//! Sub-selects without FROM: `(SELECT expression)`.

use std::ffi::c_void;

use pgrx::prelude::*;

use crate::pg::nodes::{elements, expression_tree_mutator};

/// The expression of a sub-select that is nothing else: it returns one row, with the expression's
/// value. Columns in it are numbered as from inside the sub-select.
///
/// # Safety
/// It must be a sub-select that is not planned yet.
pub unsafe fn only_expression(link: &pg_sys::SubLink) -> Option<*mut pg_sys::Node> {
    // SAFETY: as the caller promises, a sub-select that is not planned yet, so it has a query, with a
    // jointree.
    unsafe {
        if link.subLinkType != pg_sys::SubLinkType::EXPR_SUBLINK {
            return None;
        }
        let query = &*link.subselect.cast::<pg_sys::Query>();
        let from = &*query.jointree;
        let has_more = query.commandType != pg_sys::CmdType::CMD_SELECT
            || query.hasAggs
            || query.hasWindowFuncs
            || query.hasTargetSRFs
            || !from.fromlist.is_null()
            || !from.quals.is_null()
            || [
                query.rtable,
                query.cteList,
                query.groupClause,
                query.groupingSets,
                query.distinctClause,
                query.sortClause,
                query.rowMarks,
            ]
            .iter()
            .any(|list| !list.is_null())
            || [
                query.havingQual,
                query.limitOffset,
                query.limitCount,
                query.setOperations,
            ]
            .iter()
            .any(|node| !node.is_null());
        if has_more {
            return None;
        }
        let mut columns = elements::<pg_sys::TargetEntry>(query.targetList);
        let (Some(column), None) = (columns.next(), columns.next()) else {
            return None;
        };
        Some((*column).expr.cast())
    }
}

/// `(SELECT expression)`.
///
/// # Safety
/// The expression must be without columns, and the query that will contain the sub-select must be
/// marked as having one.
pub unsafe fn sub_select(expression: *mut pg_sys::Node) -> *mut pg_sys::SubLink {
    // SAFETY: as the caller promises, an expression without columns; the new nodes are in the planner's memory
    // context.
    unsafe {
        // A copy: the planner's node is on its stack.
        let expression = without_sub_selects(expression, std::ptr::null_mut());
        let column =
            pg_sys::makeTargetEntry(expression.cast(), 1, c"reader".as_ptr().cast_mut(), false);
        let mut query = PgBox::<pg_sys::Query>::alloc_node(pg_sys::NodeTag::T_Query);
        query.commandType = pg_sys::CmdType::CMD_SELECT;
        query.canSetTag = true;
        query.jointree = pg_sys::makeFromExpr(std::ptr::null_mut(), std::ptr::null_mut());
        query.hasSubLinks = pg_sys::checkExprHasSubLink(expression);
        query.targetList = pg_sys::lappend(std::ptr::null_mut(), column.cast());
        let mut link = PgBox::<pg_sys::SubLink>::alloc_node(pg_sys::NodeTag::T_SubLink);
        link.subLinkType = pg_sys::SubLinkType::EXPR_SUBLINK;
        link.subselect = query.into_pg().cast();
        link.location = -1;
        link.into_pg()
    }
}

/// A mutator: a copy without sub-selects that are only expressions, each of which would be an InitPlan
/// of its own.
#[pg_guard]
unsafe extern "C-unwind" fn without_sub_selects(
    node: *mut pg_sys::Node,
    nothing: *mut c_void,
) -> *mut pg_sys::Node {
    // SAFETY: PostgreSQL's mutator passes nodes of the expression, each of the type that its tag says.
    unsafe {
        if !node.is_null()
            && (*node).type_ == pg_sys::NodeTag::T_SubLink
            && let Some(expression) = only_expression(&*node.cast())
        {
            return without_sub_selects(expression, nothing);
        }
        expression_tree_mutator(node, without_sub_selects, nothing)
    }
}
