//! Readers are evaluated once per query, although nobody wrote `(select auth.user_id())`.
//!
//! A policy's `user_id = auth.user_id()` would call the reader for each row, and a stable
//! function's call is no constant to an index or to partition pruning until it runs. When the
//! planner asks whether a reader's call can be simplified, the answer is an uncorrelated
//! sub-select around the same call. The planner makes an InitPlan of it: one evaluation for each
//! execution, whose result serves every row, every parallel worker and every index condition.

use pgrx::Internal;
use pgrx::prelude::*;

use super::one_row::looks_at_one_row;

/// `neon_auth.once_per_query(internal)`: the planner support function of the readers.
#[pg_extern(sql = false)]
fn once_per_query(request: Internal) -> Internal {
    let request: Option<pg_sys::Datum> = request.unwrap();
    // SAFETY: the planner passes a pointer to a request node of the type that its tag says.
    let answer = unsafe {
        let node: *mut pg_sys::Node =
            request.map_or(std::ptr::null_mut(), |datum| datum.cast_mut_ptr());
        if node.is_null() || (*node).type_ != pg_sys::NodeTag::T_SupportRequestSimplify {
            std::ptr::null_mut()
        } else {
            simplify(&*node.cast())
        }
    };
    // To the planner, a null pointer says "no"; an SQL NULL would be an error.
    Internal::from(Some(pg_sys::Datum::from(answer)))
}

unsafe fn simplify(request: &pg_sys::SupportRequestSimplify) -> *mut pg_sys::SubLink {
    unsafe {
        // Without a query there is nobody to make the InitPlan, and once the planner looks at
        // single tables it makes no more of them: a branch of a UNION ALL may have put a constant
        // in the place of a column by then. Without a table there is nothing to repeat the call;
        // the sub-select itself is such a query. With grouping sets the call may be what is
        // grouped by, to be NULL in some rows.
        if request.root.is_null()
            || (*request.root).parse.is_null()
            || !(*request.root).simple_rel_array.is_null()
            || !reads_a_table((*(*request.root).parse).rtable)
            || looks_at_one_row(&*request.root)
            || !(*(*request.root).parse).groupingSets.is_null()
            || !are_same_for_all_rows((*request.fcall).args)
        {
            return std::ptr::null_mut();
        }
        (*(*request.root).parse).hasSubLinks = true;
        sub_select(request.fcall)
    }
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

/// Whether all expressions are constants, parameters of the statement, or calls of functions with
/// such arguments that stand in a sub-select of their own, as readers do by now.
unsafe fn are_same_for_all_rows(expressions: *mut pg_sys::List) -> bool {
    unsafe {
        elements(expressions).all(|expression: *mut pg_sys::Node| is_same_for_all_rows(expression))
    }
}

unsafe fn is_same_for_all_rows(expression: *mut pg_sys::Node) -> bool {
    unsafe {
        match (*expression).type_ {
            pg_sys::NodeTag::T_Const => true,
            pg_sys::NodeTag::T_Param => {
                (*expression.cast::<pg_sys::Param>()).paramkind == pg_sys::ParamKind::PARAM_EXTERN
            }
            // What VARIADIC makes of several.
            pg_sys::NodeTag::T_ArrayExpr => {
                are_same_for_all_rows((*expression.cast::<pg_sys::ArrayExpr>()).elements)
            }
            pg_sys::NodeTag::T_RelabelType => {
                is_same_for_all_rows((*expression.cast::<pg_sys::RelabelType>()).arg.cast())
            }
            pg_sys::NodeTag::T_SubLink => is_lone_call(&*expression.cast()),
            _ => false,
        }
    }
}

/// Whether it is `(SELECT function(…))`, the same for all rows.
unsafe fn is_lone_call(link: &pg_sys::SubLink) -> bool {
    unsafe {
        let query = &*link.subselect.cast::<pg_sys::Query>();
        let mut columns = elements::<pg_sys::TargetEntry>(query.targetList);
        let (Some(column), None) = (columns.next(), columns.next()) else {
            return false;
        };
        let call = (*column).expr;
        link.subLinkType == pg_sys::SubLinkType::EXPR_SUBLINK
            && elements::<pg_sys::Node>(query.rtable).next().is_none()
            && query.cteList.is_null()
            && (*query.jointree).quals.is_null()
            && !query.hasTargetSRFs
            && query.havingQual.is_null()
            && query.limitCount.is_null()
            && query.limitOffset.is_null()
            && (*call).type_ == pg_sys::NodeTag::T_FuncExpr
            && are_same_for_all_rows((*call.cast::<pg_sys::FuncExpr>()).args)
    }
}

/// `(SELECT call)`.
unsafe fn sub_select(call: *mut pg_sys::FuncExpr) -> *mut pg_sys::SubLink {
    unsafe {
        // The planner's node lives on its stack.
        let call = pg_sys::copyObjectImpl(call.cast()).cast();
        let column = pg_sys::makeTargetEntry(call, 1, c"reader".as_ptr().cast_mut(), false);
        let mut query = PgBox::<pg_sys::Query>::alloc_node(pg_sys::NodeTag::T_Query);
        query.commandType = pg_sys::CmdType::CMD_SELECT;
        query.canSetTag = true;
        query.jointree = pg_sys::makeFromExpr(std::ptr::null_mut(), std::ptr::null_mut());
        query.hasSubLinks = pg_sys::checkExprHasSubLink(call.cast());
        query.targetList = pg_sys::lappend(std::ptr::null_mut(), column.cast());
        let mut link = PgBox::<pg_sys::SubLink>::alloc_node(pg_sys::NodeTag::T_SubLink);
        link.subLinkType = pg_sys::SubLinkType::EXPR_SUBLINK;
        link.subselect = query.into_pg().cast();
        link.location = -1;
        link.into_pg()
    }
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
