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
use super::same::{are_same_for_all_rows, same_for_all_rows};
use super::sub_select::sub_select;
use crate::pg::nodes::{
    check_functions_in_node, expression_tree_walker, query_tree_walker, reads_a_table,
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
    // SAFETY: the planner passes the request, and nodes that last as long as its query is planned.
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
        sub_select(request.fcall.cast())
    }
}

/// Whether the planner may ask about a call in another query than the one it passes. It simplifies
/// parts of an EXISTS on behalf of the outer query, and does not plan a sub-select in a query that
/// is not marked as having one.
unsafe fn may_stand_in_an_exists(root: &pg_sys::PlannerInfo) -> bool {
    // SAFETY: the planner's own root, whose query it is planning.
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
    // SAFETY: PostgreSQL's walker passes nodes of the query; each has the type that its tag says.
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
/// functions, and not at sub-selects that are the same for all rows, which the planner leaves alone.
unsafe extern "C-unwind" fn finds_function(node: *mut pg_sys::Node, nothing: *mut c_void) -> bool {
    // SAFETY: PostgreSQL's walker passes nodes of the query; each has the type that its tag says.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => query_tree_walker(node.cast(), finds_function, nothing, 0),
            pg_sys::NodeTag::T_SubLink if same_for_all_rows(node, |_| false).is_some() => false,
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
