//! Wraps what is the same for all rows in sub-selects; `once` says why.
//!
//! The largest expression with a reader is wrapped, such as `coalesce(auth.user_id(), '')` or
//! `auth.jwt() ->> 'sub'`, so that it too is evaluated once per query.
//!
//! An InitPlan may be evaluated before it is needed: by a parallel query before its workers start, and
//! when a row was updated concurrently. So an expression that may raise an error, such as
//! `auth.user_id()::uuid`, is wrapped only as the part of a condition that is always evaluated.
//! `auth.provider() = 'x' AND auth.user_id()::uuid = owner` raises no error for the users of another
//! provider; there, only the call is wrapped.

use std::ffi::c_void;

use pgrx::prelude::*;

use super::one_row::looks_at_one_row;
use super::reader_call::{is_reader, is_reader_call};
use super::same::same_for_all_rows;
use super::sub_select::sub_select;
use crate::pg::nodes::{
    elements, expression_tree_mutator, mutate_conditions, mutate_query, walk_into,
};

/// A query whose expressions are being wrapped.
struct Level {
    query: *mut pg_sys::Query,
    /// Whether its expressions may be evaluated many times.
    repeats: bool,
    /// Whether they are wrapped here. With grouping sets only conditions are: another expression may be
    /// a grouping expression, and must be NULL in some rows.
    wraps: bool,
    /// Whether it stands in an expression of another query, which may leave it unevaluated.
    is_in_expression: bool,
}

impl Level {
    fn new(query: *mut pg_sys::Query, repeats: bool, is_in_expression: bool) -> Self {
        Self {
            query,
            repeats,
            wraps: repeats,
            is_in_expression,
        }
    }

    fn context(&mut self) -> *mut c_void {
        std::ptr::from_mut(self).cast()
    }
}

/// Changes the query, and all queries in it, in place.
///
/// # Safety
/// It must be a query that the planner may change, whose tables are locked.
#[pg_guard]
pub unsafe extern "C-unwind" fn wrap_readers(query: *mut pg_sys::Query) {
    // SAFETY: as the caller promises, a query that the planner may change, whose tables are locked.
    unsafe {
        let is_one_row = looks_at_one_row(&*query, true);
        let mut level = Level::new(query, !is_one_row && reads_rows(&*query), false);
        if level.wraps && reads_one_table_without_policies(&*query) {
            let from = (*query).jointree;
            (*from).quals = wrap_always_evaluated((*from).quals, level.context());
        }
        wrap_in(&mut level);
    }
}

unsafe fn wrap_in(level: &mut Level) {
    // SAFETY: the level's query may be changed, and `wrap` gets the `Level` that it expects.
    unsafe {
        if level.wraps && !level.is_in_expression {
            wrap_lone_policies(level);
        }
        if level.wraps && !(*level.query).groupingSets.is_null() {
            mutate_conditions(level.query, wrap, level.context());
            level.wraps = false;
        }
        if !finds_loose_reader(level.query.cast(), std::ptr::null_mut()) {
            return;
        }
        mutate_query(level.query, wrap, level.context());
    }
}

/// A walker that ends at a reader outside of sub-selects that are the same for all rows, which stay as
/// they are. Of most queries only one policy has readers, and it has been wrapped.
unsafe extern "C-unwind" fn finds_loose_reader(
    node: *mut pg_sys::Node,
    nothing: *mut c_void,
) -> bool {
    // SAFETY: PostgreSQL's walker passes nodes of the query; each has the type that its tag says.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_SubLink if same_for_all_rows(node, is_reader).is_some() => false,
            _ => is_reader_call(node) || walk_into(node, finds_loose_reader, nothing),
        }
    }
}

/// A mutator of a level's expressions, and of the queries among them.
#[pg_guard]
unsafe extern "C-unwind" fn wrap(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> *mut pg_sys::Node {
    // SAFETY: PostgreSQL's mutator passes nodes of the query, each of the type that its tag says, and the
    // context of `wrap_in`.
    unsafe {
        if node.is_null() {
            return node;
        }
        let level = &*context.cast::<Level>();
        match (*node).type_ {
            // A query in FROM or WITH; that of a sub-select is below.
            pg_sys::NodeTag::T_Query => {
                wrap_within(node.cast(), level, level.is_in_expression);
                node
            }
            pg_sys::NodeTag::T_SubLink => {
                let link = node.cast::<pg_sys::SubLink>();
                (*link).testexpr = wrap((*link).testexpr, context);
                wrap_within((*link).subselect.cast(), level, true);
                node
            }
            // The conflict target is compared with indexes, which have no sub-selects.
            pg_sys::NodeTag::T_OnConflictExpr => {
                let conflict = node.cast::<pg_sys::OnConflictExpr>();
                (*conflict).onConflictSet = wrap((*conflict).onConflictSet.cast(), context).cast();
                (*conflict).onConflictWhere = wrap((*conflict).onConflictWhere, context);
                node
            }
            // FROM function() is called only once, and PostgreSQL expects a call there.
            pg_sys::NodeTag::T_RangeTblFunction => {
                let function = node.cast::<pg_sys::RangeTblFunction>();
                if !is_reader_call((*function).funcexpr) {
                    (*function).funcexpr =
                        expression_tree_mutator((*function).funcexpr, wrap, context);
                }
                node
            }
            // An aggregate of an outer query is evaluated there.
            pg_sys::NodeTag::T_Aggref if (*node.cast::<pg_sys::Aggref>()).agglevelsup > 0 => node,
            _ if level.wraps && can_be_wrapped(node, false) => wrapped(node, level),
            _ => expression_tree_mutator(node, wrap, context),
        }
    }
}

unsafe fn wrap_within(query: *mut pg_sys::Query, around: &Level, is_in_expression: bool) {
    // SAFETY: the query is a part of one that may be changed, whose tables are locked.
    unsafe {
        let repeats = repeats_within(&*query, around);
        wrap_in(&mut Level::new(query, repeats, is_in_expression));
    }
}

/// Wraps what may raise an error too in policies that are the only condition of their kind. Where there
/// are several, one may keep another from being evaluated.
unsafe fn wrap_lone_policies(level: &mut Level) {
    // SAFETY: the level's query may be changed; the conditions of its entries are lists of expressions.
    unsafe {
        for entry in elements::<pg_sys::RangeTblEntry>((*level.query).rtable) {
            let policies = (*entry).securityQuals;
            if !policies.is_null() && (*policies).length == 1 {
                let policy = &mut (*(*policies).elements).ptr_value;
                *policy = wrap_always_evaluated(policy.cast(), level.context()).cast();
            }
        }
    }
}

/// A mutator of those parts of an expression that are evaluated whenever the expression is.
#[pg_guard]
unsafe extern "C-unwind" fn wrap_always_evaluated(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> *mut pg_sys::Node {
    use pg_sys::NodeTag::*;
    // SAFETY: PostgreSQL's mutator, and `wrap_lone_policies`, pass expressions of the query, and the context
    // of `wrap_in`.
    unsafe {
        if node.is_null() {
            return node;
        }
        let level = &*context.cast::<Level>();
        match (*node).type_ {
            _ if can_be_wrapped(node, true) => wrapped(node, level),
            T_List | T_FuncExpr | T_OpExpr | T_DistinctExpr | T_ScalarArrayOpExpr
            | T_RelabelType | T_CoerceViaIO | T_CollateExpr | T_NullTest | T_BooleanTest => {
                expression_tree_mutator(node, wrap_always_evaluated, context)
            }
            _ => node,
        }
    }
}

/// Whether an expression with a reader is the same for all rows, and can be a column of a sub-select.
unsafe fn can_be_wrapped(node: *mut pg_sys::Node, even_if_it_may_raise: bool) -> bool {
    // SAFETY: an expression of the query; it has the type that its tag says.
    unsafe {
        is_whole((*node).type_)
            && same_for_all_rows(node, is_reader)
                .is_some_and(|same| same.has_reader && (even_if_it_may_raise || !same.may_raise))
            && pg_sys::get_typtype(pg_sys::exprType(node)) as u8 != pg_sys::TYPTYPE_PSEUDO
    }
}

unsafe fn wrapped(node: *mut pg_sys::Node, level: &Level) -> *mut pg_sys::Node {
    // SAFETY: the level's query may be changed, and is marked as having a sub-select; the expression was found
    // to be without columns.
    unsafe {
        (*level.query).hasSubLinks = true;
        sub_select(node).cast()
    }
}

/// Whether a node is a whole expression, that a sub-select may replace. A sub-select is one already.
/// The elements of an array stay apart: the planner estimates the rows of `IN (auth.user_id(), 'bob')`
/// by their number.
fn is_whole(tag: pg_sys::NodeTag) -> bool {
    use pg_sys::NodeTag::*;
    matches!(
        tag,
        T_FuncExpr
            | T_OpExpr
            | T_DistinctExpr
            | T_NullIfExpr
            | T_ScalarArrayOpExpr
            | T_BoolExpr
            | T_NullTest
            | T_BooleanTest
            | T_CaseExpr
            | T_CoalesceExpr
            | T_MinMaxExpr
            | T_RelabelType
            | T_CollateExpr
            | T_CoerceViaIO
            | T_CoerceToDomain
            | T_ArrayCoerceExpr
            | T_FieldSelect
            | T_SubscriptingRef
    )
}

/// Whether a query inside another may evaluate its expressions many times: one that reads tables,
/// or is evaluated for each row of the outer query. `(SELECT auth.user_id())` is neither.
unsafe fn repeats_within(query: &pg_sys::Query, around: &Level) -> bool {
    // SAFETY: a query that is not planned yet.
    unsafe {
        reads_rows(query)
            || around.repeats
                && pg_sys::contain_vars_of_level(std::ptr::from_ref(query).cast_mut().cast(), 1)
    }
}

/// Whether a query selects from a table, or from a query that may do so.
unsafe fn reads_rows(query: &pg_sys::Query) -> bool {
    use pg_sys::RTEKind::{RTE_CTE, RTE_RELATION, RTE_SUBQUERY};
    // SAFETY: a query that is not planned yet; its range table has range table entries.
    unsafe {
        elements::<pg_sys::RangeTblEntry>(query.rtable)
            .any(|entry| matches!((*entry).rtekind, RTE_RELATION | RTE_SUBQUERY | RTE_CTE))
    }
}

/// Whether a query selects from one table only, without policies. Then its condition stands alone.
unsafe fn reads_one_table_without_policies(query: &pg_sys::Query) -> bool {
    // SAFETY: a query that is not planned yet; its range table has range table entries.
    unsafe {
        let mut tables = elements::<pg_sys::RangeTblEntry>(query.rtable);
        let (Some(table), None) = (tables.next(), tables.next()) else {
            return false;
        };
        (*table).rtekind == pg_sys::RTEKind::RTE_RELATION && (*table).securityQuals.is_null()
    }
}
