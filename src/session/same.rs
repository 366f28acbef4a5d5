//! Expressions that are the same for all rows of their query: constants, parameters of the
//! statement, readers, sub-selects that are only such an expression, and non-volatile functions of
//! those. Any other expression counts as different.

use std::ffi::{c_char, c_int, c_void};

use pgrx::prelude::*;

use super::cannot_raise::cannot_raise;
use super::sub_select::only_expression;
use crate::pg::nodes::{check_functions_in_node, elements, expression_tree_walker};

unsafe extern "C-unwind" {
    // An ERROR skips frames that own nothing.
    safe fn func_volatile(function: pg_sys::Oid) -> c_char;
    safe fn get_element_type(array: pg_sys::Oid) -> pg_sys::Oid;
    safe fn get_func_nargs(function: pg_sys::Oid) -> c_int;
}

/// What is known of an expression that is the same for all rows.
#[derive(Default)]
pub struct Same {
    /// Whether a reader is in it.
    pub has_reader: bool,
    /// Whether its evaluation may raise an error that the readers in it do not raise.
    pub may_raise: bool,
}

/// Whether an expression is the same for all rows.
///
/// # Safety
/// It must be an expression.
pub unsafe fn same_for_all_rows(
    expression: *mut pg_sys::Node,
    is_reader: fn(&pg_sys::FuncExpr) -> bool,
) -> Option<Same> {
    // SAFETY: as the caller promises, an expression.
    unsafe { Walk::over(expression, is_reader, false) }
}

/// Whether an expression, which may differ from row to row, certainly raises no error that the readers
/// in it do not raise, and returns the same whenever it is evaluated for a row.
///
/// # Safety
/// It must be an expression.
pub unsafe fn is_harmless(
    expression: *mut pg_sys::Node,
    is_reader: fn(&pg_sys::FuncExpr) -> bool,
) -> bool {
    // SAFETY: as the caller promises, an expression.
    unsafe { Walk::over(expression, is_reader, true) }.is_some_and(|same| !same.may_raise)
}

/// Whether all expressions are the same for all rows.
///
/// # Safety
/// It must be a list of expressions.
pub unsafe fn are_same_for_all_rows(expressions: *mut pg_sys::List) -> bool {
    // SAFETY: as the caller promises, a list of expressions.
    unsafe {
        elements(expressions).all(|expression| same_for_all_rows(expression, |_| false).is_some())
    }
}

struct Walk {
    is_reader: fn(&pg_sys::FuncExpr) -> bool,
    same: Same,
    /// Whether a `CASE value WHEN …`, or the cast of an array's elements, is around: they have a node for the value.
    has_case_value: bool,
    /// Whether columns are no difference.
    allows_columns: bool,
}

impl Walk {
    unsafe fn over(
        expression: *mut pg_sys::Node,
        is_reader: fn(&pg_sys::FuncExpr) -> bool,
        allows_columns: bool,
    ) -> Option<Same> {
        let mut walk = Self {
            is_reader,
            same: Same::default(),
            has_case_value: false,
            allows_columns,
        };
        // SAFETY: the callers promise an expression, and the walker gets the `Walk` that it expects, which
        // nothing else uses meanwhile.
        let differs = unsafe { finds_difference(expression, std::ptr::from_mut(&mut walk).cast()) };
        (!differs).then_some(walk.same)
    }
}

/// A walker that ends where rows may differ.
unsafe extern "C-unwind" fn finds_difference(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> bool {
    use pg_sys::NodeTag::*;
    // SAFETY: PostgreSQL's walker passes nodes of the expression, each of the type that its tag says, and the
    // context of `Walk::over`.
    unsafe {
        if node.is_null() {
            return false;
        }
        let walk = &mut *context.cast::<Walk>();
        match (*node).type_ {
            T_Const | T_SQLValueFunction => false,
            T_Var => !walk.allows_columns,
            T_Param => (*node.cast::<pg_sys::Param>()).paramkind != pg_sys::ParamKind::PARAM_EXTERN,
            T_FuncExpr => {
                let call = &*node.cast::<pg_sys::FuncExpr>();
                if (walk.is_reader)(call) {
                    walk.same.has_reader = true;
                    // Errors of a reader's arguments are those of the call.
                    let may_raise = walk.same.may_raise;
                    let differs = expression_tree_walker(node, finds_difference, context);
                    walk.same.may_raise = may_raise;
                    return differs;
                }
                // Defaults of arguments are added when the query is planned, and may be volatile.
                let arguments = elements::<pg_sys::Node>(call.args).count();
                call.funcretset
                    || usize::try_from(get_func_nargs(call.funcid)) != Ok(arguments)
                    || finds_difference_in(node, walk)
            }
            T_OpExpr | T_DistinctExpr | T_NullIfExpr => {
                (*node.cast::<pg_sys::OpExpr>()).opretset || finds_difference_in(node, walk)
            }
            T_ScalarArrayOpExpr | T_CoerceViaIO => finds_difference_in(node, walk),
            T_CoerceToDomain => {
                walk.same.may_raise = true;
                expression_tree_walker(node, finds_difference, context)
            }
            T_CaseExpr => {
                let case = &*node.cast::<pg_sys::CaseExpr>();
                if finds_difference(case.arg.cast(), context) {
                    return true;
                }
                let had_case_value = walk.has_case_value;
                walk.has_case_value |= !case.arg.is_null();
                let differs = finds_difference(case.args.cast(), context)
                    || finds_difference(case.defresult.cast(), context);
                walk.has_case_value = had_case_value;
                differs
            }
            T_CaseWhen => {
                let when = &*node.cast::<pg_sys::CaseWhen>();
                finds_difference(when.expr.cast(), context)
                    || finds_difference(when.result.cast(), context)
            }
            T_ArrayCoerceExpr => {
                let cast = &*node.cast::<pg_sys::ArrayCoerceExpr>();
                if finds_difference(cast.arg.cast(), context) {
                    return true;
                }
                let had_case_value = walk.has_case_value;
                walk.has_case_value = true;
                let differs = finds_difference(cast.elemexpr.cast(), context);
                walk.has_case_value = had_case_value;
                differs
            }
            T_CaseTestExpr => !walk.has_case_value,
            T_SubscriptingRef => {
                // An element that is read, of an array: other types have subscripts of their own.
                let element = &*node.cast::<pg_sys::SubscriptingRef>();
                let type_of_elements = get_element_type(element.refcontainertype);
                walk.same.may_raise |= type_of_elements == pg_sys::InvalidOid;
                !element.refassgnexpr.is_null()
                    || expression_tree_walker(node, finds_difference, context)
            }
            T_SubLink => only_expression(&*node.cast())
                .is_none_or(|expression| finds_difference(expression, context)),
            T_List | T_ArrayExpr | T_NamedArgExpr | T_RelabelType | T_CollateExpr | T_BoolExpr
            | T_NullTest | T_BooleanTest | T_CoalesceExpr | T_MinMaxExpr | T_FieldSelect => {
                expression_tree_walker(node, finds_difference, context)
            }
            _ => true,
        }
    }
}

/// The same for a node that calls functions.
unsafe fn finds_difference_in(node: *mut pg_sys::Node, walk: &mut Walk) -> bool {
    // SAFETY: the walker passes its own node; the context is the `Walk` that `finds_difference` expects.
    unsafe {
        // Arguments first: most expressions have a column, and each look at a function is a look-up.
        if expression_tree_walker(node, finds_difference, std::ptr::from_mut(walk).cast())
            || check_functions_in_node(node, is_volatile, std::ptr::null_mut())
        {
            return true;
        }
        walk.same.may_raise =
            walk.same.may_raise || check_functions_in_node(node, may_raise, std::ptr::null_mut());
        false
    }
}

unsafe extern "C-unwind" fn is_volatile(function: pg_sys::Oid, _: *mut c_void) -> bool {
    func_volatile(function) as u8 == pg_sys::PROVOLATILE_VOLATILE
}

unsafe extern "C-unwind" fn may_raise(function: pg_sys::Oid, _: *mut c_void) -> bool {
    !cannot_raise(function)
}
