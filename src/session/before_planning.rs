//! Before a query is planned, and after its policies have been added, its readers are wrapped in
//! sub-selects; `once` says why. Each call is found in the query that contains it, be it of a view,
//! a policy, a WITH or an EXISTS.
//!
//! Every query is searched for readers, and only a query with readers is changed.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};

use pgrx::prelude::*;

use super::once::{are_same_for_all_rows, sub_select, support_address};
use super::one_row::looks_at_one_row;
use crate::pg::nodes::{
    elements, expression_tree_mutator, expression_tree_walker, query_tree_mutator,
    query_tree_walker,
};

static mut PREVIOUS: pg_sys::planner_hook_type = None;

unsafe extern "C-unwind" {
    // Without pgrx's guard: an ERROR of the planner skips our frame as it would without us.
    fn standard_planner(
        query: *mut pg_sys::Query,
        text: *const c_char,
        options: c_int,
        parameters: pg_sys::ParamListInfo,
    ) -> *mut pg_sys::PlannedStmt;
    safe fn get_func_support(function: pg_sys::Oid) -> pg_sys::Oid;
    safe fn fmgr_info(function: pg_sys::Oid, info: &mut pg_sys::FmgrInfo);
}

/// Joins the hook's chain.
pub fn define() {
    // SAFETY: on the one thread that plans queries.
    unsafe {
        PREVIOUS = pg_sys::planner_hook;
        pg_sys::planner_hook = Some(plan);
    }
}

unsafe extern "C-unwind" fn plan(
    query: *mut pg_sys::Query,
    text: *const c_char,
    options: c_int,
    parameters: pg_sys::ParamListInfo,
) -> *mut pg_sys::PlannedStmt {
    // SAFETY: a query of PostgreSQL's, which the planner may change; the next hook is called as
    // PostgreSQL calls it.
    unsafe {
        if finds_reader(query.cast(), std::ptr::null_mut()) {
            wrap_readers(query);
        }
        match PREVIOUS {
            Some(previous) => previous(query, text, options, parameters),
            None => standard_planner(query, text, options, parameters),
        }
    }
}

/// A walker that ends at a reader.
unsafe extern "C-unwind" fn finds_reader(node: *mut pg_sys::Node, nothing: *mut c_void) -> bool {
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                let flags = pg_sys::QTW_IGNORE_JOINALIASES as i32;
                query_tree_walker(node.cast(), finds_reader, nothing, flags)
            }
            pg_sys::NodeTag::T_FuncExpr if is_reader(&*node.cast()) => true,
            _ => expression_tree_walker(node, finds_reader, nothing),
        }
    }
}

/// Whether a call is of a function with our support function.
fn is_reader(call: &pg_sys::FuncExpr) -> bool {
    thread_local! {
        /// The most recently seen support functions: ours, and one that is not ours.
        static OURS: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
        static OTHER: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
    }
    // Most calls are of PostgreSQL's own functions.
    if call.funcid.to_u32() < pg_sys::FirstNormalObjectId {
        return false;
    }
    let support = get_func_support(call.funcid);
    if support.to_u32() < pg_sys::FirstNormalObjectId || support == OTHER.get() {
        return false;
    }
    if support == OURS.get() {
        return true;
    }
    let mut info = pg_sys::FmgrInfo::default();
    fmgr_info(support, &mut info);
    let is_ours = info
        .fn_addr
        .is_some_and(|address| address as *const () as usize == support_address());
    let met = if is_ours { &OURS } else { &OTHER };
    met.set(support);
    is_ours
}

/// A query whose readers are being wrapped.
struct Level {
    query: *mut pg_sys::Query,
    /// Whether its expressions may be evaluated many times.
    repeats: bool,
    /// Whether readers are wrapped here.
    wraps: bool,
}

#[pg_guard]
unsafe extern "C-unwind" fn wrap_readers(query: *mut pg_sys::Query) {
    unsafe {
        let is_one_row = looks_at_one_row(&*query, true);
        wrap_in(query, !is_one_row && reads_rows(&*query));
    }
}

/// Changes the query in place.
unsafe fn wrap_in(query: *mut pg_sys::Query, repeats: bool) {
    unsafe {
        let mut level = Level {
            query,
            repeats,
            // With grouping sets, the call may be a grouping expression, and must be NULL in some
            // rows.
            wraps: repeats && (*query).groupingSets.is_null(),
        };
        let flags = pg_sys::QTW_DONT_COPY_QUERY | pg_sys::QTW_IGNORE_JOINALIASES;
        let level = std::ptr::from_mut(&mut level).cast();
        query_tree_mutator(query, wrap, level, flags as i32);
    }
}

/// A mutator of a level's expressions, and of the queries among them.
#[pg_guard]
unsafe extern "C-unwind" fn wrap(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> *mut pg_sys::Node {
    unsafe {
        if node.is_null() {
            return node;
        }
        let level = &*context.cast::<Level>();
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                wrap_in(node.cast(), repeats_within(&*node.cast(), level));
                node
            }
            // The conflict target is compared with indexes, which have no sub-selects.
            pg_sys::NodeTag::T_OnConflictExpr => {
                let conflict = node.cast::<pg_sys::OnConflictExpr>();
                (*conflict).onConflictSet = wrap((*conflict).onConflictSet.cast(), context).cast();
                (*conflict).onConflictWhere = wrap((*conflict).onConflictWhere, context);
                node
            }
            // FROM reader() is called only once.
            pg_sys::NodeTag::T_RangeTblFunction
                if is_reader_call((*node.cast::<pg_sys::RangeTblFunction>()).funcexpr) =>
            {
                node
            }
            // An aggregate of an outer query is evaluated there.
            pg_sys::NodeTag::T_Aggref if (*node.cast::<pg_sys::Aggref>()).agglevelsup > 0 => node,
            pg_sys::NodeTag::T_FuncExpr if level.wraps && is_reader_call(node) => {
                let call = expression_tree_mutator(node, wrap, context).cast::<pg_sys::FuncExpr>();
                if !are_same_for_all_rows((*call).args) {
                    return call.cast();
                }
                (*level.query).hasSubLinks = true;
                sub_select(call).cast()
            }
            _ => expression_tree_mutator(node, wrap, context),
        }
    }
}

unsafe fn is_reader_call(node: *mut pg_sys::Node) -> bool {
    unsafe {
        !node.is_null()
            && (*node).type_ == pg_sys::NodeTag::T_FuncExpr
            && is_reader(&*node.cast::<pg_sys::FuncExpr>())
    }
}

/// Whether a query inside another may evaluate its expressions many times: one that reads tables,
/// or is evaluated for each row of the outer query. `(SELECT auth.user_id())` is neither.
unsafe fn repeats_within(query: &pg_sys::Query, around: &Level) -> bool {
    unsafe {
        reads_rows(query)
            || around.repeats
                && pg_sys::contain_vars_of_level(std::ptr::from_ref(query).cast_mut().cast(), 1)
    }
}

/// Whether a query selects from a table, or from a query that may do so.
unsafe fn reads_rows(query: &pg_sys::Query) -> bool {
    use pg_sys::RTEKind::{RTE_CTE, RTE_RELATION, RTE_SUBQUERY};
    unsafe {
        elements::<pg_sys::RangeTblEntry>(query.rtable)
            .any(|entry| matches!((*entry).rtekind, RTE_RELATION | RTE_SUBQUERY | RTE_CTE))
    }
}
