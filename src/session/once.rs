//! Readers are evaluated once per query, without writing `(select auth.user_id())`.
//!
//! A policy's `user_id = auth.user_id()` would call the reader for each row, and a call of a stable
//! function is not a constant for an index or for partition pruning until it runs. So the call is
//! replaced by an uncorrelated sub-select around it. The planner makes an InitPlan of the
//! sub-select: one evaluation per execution, whose result is used for every row, every parallel
//! worker and every index condition.
//!
//! This is done before planning, see `before_planning`, in the query that contains each call. For
//! calls that appear only while the planner simplifies expressions (the body of an SQL function,
//! arguments that become constants), and for queries that are planned while the library is being
//! loaded, the planner calls the support function, which returns the same sub-select.

use std::ffi::c_void;

use pgrx::Internal;
use pgrx::prelude::*;

use super::one_row::looks_at_one_row;
use crate::pg::nodes::{
    check_functions_in_node, elements, expression_tree_walker, query_tree_walker, reads_a_table,
};

/// `neon_auth_internal.once_per_query(internal)`: the planner support function of the readers.
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

/// The address by which PostgreSQL knows this support function.
pub fn support_address() -> usize {
    once_per_query_wrapper as *const () as usize
}

unsafe fn simplify(request: &pg_sys::SupportRequestSimplify) -> *mut pg_sys::SubLink {
    unsafe {
        // Without a query, no InitPlan can be made, nor once the planner processes single tables: a
        // branch of a UNION ALL may have replaced a column by a constant by then. Without a table
        // the call is not repeated; the sub-select itself is such a query. With grouping sets the
        // call may be a grouping expression, and must be NULL in some rows.
        if request.root.is_null()
            || (*request.root).parse.is_null()
            || !(*request.root).simple_rel_array.is_null()
            || !reads_a_table((*(*request.root).parse).rtable)
            || looks_at_one_row(
                &*(*request.root).parse,
                (*request.root).parent_root.is_null(),
            )
            || !(*(*request.root).parse).groupingSets.is_null()
            || !are_same_for_all_rows((*request.fcall).args)
            || may_stand_in_an_exists(&*request.root)
        {
            return std::ptr::null_mut();
        }
        (*(*request.root).parse).hasSubLinks = true;
        sub_select(request.fcall)
    }
}

/// Whether the planner may ask about a call in another query than the one it passes. It simplifies
/// parts of an EXISTS on behalf of the outer query, and does not plan a sub-select in a query that
/// is not marked as having one.
unsafe fn may_stand_in_an_exists(root: &pg_sys::PlannerInfo) -> bool {
    unsafe {
        if !(*root.parse).hasSubLinks {
            return false;
        }
        let flags = pg_sys::QTW_IGNORE_RC_SUBQUERIES | pg_sys::QTW_IGNORE_JOINALIASES;
        let nothing = std::ptr::null_mut();
        // Conditions from the branches of a UNION ALL are in the second list.
        query_tree_walker(root.parse, finds_unsure_exists, nothing, flags as i32)
            || finds_unsure_exists(root.append_rel_list.cast(), nothing)
    }
}

/// A walker of one query, without those inside it.
unsafe extern "C-unwind" fn finds_unsure_exists(
    node: *mut pg_sys::Node,
    nothing: *mut c_void,
) -> bool {
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => false,
            pg_sys::NodeTag::T_SubLink
                if (*node.cast::<pg_sys::SubLink>()).subLinkType
                    == pg_sys::SubLinkType::EXISTS_SUBLINK =>
            {
                finds_function((*node.cast::<pg_sys::SubLink>()).subselect, nothing)
            }
            _ => expression_tree_walker(node, finds_unsure_exists, nothing),
        }
    }
}

/// A walker that ends at a function that is a reader, or may become one: not at PostgreSQL's own
/// functions, and not at readers inside a sub-select.
unsafe extern "C-unwind" fn finds_function(node: *mut pg_sys::Node, nothing: *mut c_void) -> bool {
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => query_tree_walker(node.cast(), finds_function, nothing, 0),
            pg_sys::NodeTag::T_SubLink if is_lone_call(&*node.cast()) => false,
            _ => {
                check_functions_in_node(node, is_not_built_in, nothing)
                    || expression_tree_walker(node, finds_function, nothing)
            }
        }
    }
}

unsafe extern "C-unwind" fn is_not_built_in(function: pg_sys::Oid, _: *mut c_void) -> bool {
    function.to_u32() >= pg_sys::FirstNormalObjectId
}

/// Whether all expressions are the same for all rows of their query: constants, parameters of the
/// statement, readers in their own sub-select, and non-volatile functions of those. Any other
/// expression counts as different.
///
/// # Safety
/// It must be a list of expressions.
pub unsafe fn are_same_for_all_rows(expressions: *mut pg_sys::List) -> bool {
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
            // The array that VARIADIC builds from several arguments.
            pg_sys::NodeTag::T_ArrayExpr => {
                are_same_for_all_rows((*expression.cast::<pg_sys::ArrayExpr>()).elements)
            }
            pg_sys::NodeTag::T_NamedArgExpr => {
                is_same_for_all_rows((*expression.cast::<pg_sys::NamedArgExpr>()).arg.cast())
            }
            pg_sys::NodeTag::T_RelabelType => {
                is_same_for_all_rows((*expression.cast::<pg_sys::RelabelType>()).arg.cast())
            }
            pg_sys::NodeTag::T_CollateExpr => {
                is_same_for_all_rows((*expression.cast::<pg_sys::CollateExpr>()).arg.cast())
            }
            pg_sys::NodeTag::T_CoerceViaIO => {
                is_same_for_all_rows((*expression.cast::<pg_sys::CoerceViaIO>()).arg.cast())
            }
            pg_sys::NodeTag::T_FuncExpr => {
                let call = &*expression.cast::<pg_sys::FuncExpr>();
                !call.funcretset && is_steady(call.funcid) && are_same_for_all_rows(call.args)
            }
            pg_sys::NodeTag::T_OpExpr => {
                let operation = &*expression.cast::<pg_sys::OpExpr>();
                !operation.opretset
                    && is_steady(pg_sys::get_opcode(operation.opno))
                    && are_same_for_all_rows(operation.args)
            }
            pg_sys::NodeTag::T_SubLink => is_lone_call(&*expression.cast()),
            _ => false,
        }
    }
}

/// Whether a function returns the same result throughout a statement.
unsafe fn is_steady(function: pg_sys::Oid) -> bool {
    unsafe { pg_sys::func_volatile(function) as u8 != pg_sys::PROVOLATILE_VOLATILE }
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
///
/// # Safety
/// The query that will contain it must be marked as having sub-selects.
pub unsafe fn sub_select(call: *mut pg_sys::FuncExpr) -> *mut pg_sys::SubLink {
    unsafe {
        // The planner's node is on its stack.
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
