//! How PostgreSQL evaluates a condition: which columns an index can find, and what runs for each row.

use std::ffi::c_void;

use pgrx::prelude::*;

use super::columns::{column, without_relabel};
use super::nobody::{is_of_others, is_volatile};
use crate::pg::nodes::{
    check_functions_in_node, elements, expression_tree_mutator, expression_tree_walker,
};
use crate::session::{finds_reader, is_reader_call, only_expression};

/// What is known of a condition.
#[derive(Default)]
pub struct Shape {
    pub has_reader: bool,
    /// Columns that are compared with a reader, or with an expression of readers that is the same for all rows.
    pub compared: Vec<i16>,
    /// Columns that are cast before they are so compared.
    pub cast: Vec<i16>,
    /// Those of both that are compared with the user's id.
    pub owners: Vec<i16>,
    /// All columns of the table in it.
    pub columns: Vec<i16>,
    /// Whether a sub-select in it depends on the row.
    pub is_correlated: bool,
    /// Functions that run for each row, because an argument is a column.
    pub row_calls: Vec<pg_sys::Oid>,
    /// Volatile functions, which run for each row.
    pub volatile: Vec<pg_sys::Oid>,
    /// `auth.user_id()` and `auth.uid()`.
    ids: [pg_sys::Oid; 2],
}

impl Shape {
    /// # Safety
    /// It must be a condition of a policy; the functions must be `auth.user_id()` and `auth.uid()`.
    pub unsafe fn of(condition: *mut pg_sys::Node, ids: [pg_sys::Oid; 2]) -> Self {
        let mut shape = Self {
            ids,
            ..Self::default()
        };
        // SAFETY: as the caller promises, a condition of a policy; `look` gets the `Shape` that it expects.
        unsafe {
            let nothing = std::ptr::null_mut();
            let condition = without_sub_selects(condition, nothing);
            shape.has_reader = finds_reader(condition, nothing);
            look(condition, std::ptr::from_mut(&mut shape).cast());
        }
        shape
    }

    unsafe fn compare(&mut self, one: *mut pg_sys::Node, other: *mut pg_sys::Node) {
        // SAFETY: the two sides of a comparison of the condition.
        unsafe {
            if finds_reader(other, std::ptr::null_mut()) && !pg_sys::contain_var_clause(other) {
                let one = without_relabel(one);
                let (found, columns) = match column(one) {
                    Some(found) => (found, &mut self.compared),
                    None => match cast_of(one).and_then(|inner| column(inner)) {
                        Some(found) => (found, &mut self.cast),
                        None => return,
                    },
                };
                columns.push(found);
                if is_call_of(other, self.ids) {
                    self.owners.push(found);
                }
            }
        }
    }
}

/// A mutator: sub-selects that are only an expression are replaced by the expression.
unsafe extern "C-unwind" fn without_sub_selects(
    node: *mut pg_sys::Node,
    nothing: *mut c_void,
) -> *mut pg_sys::Node {
    // SAFETY: PostgreSQL's mutator passes nodes of the expression, each of the type that its tag says; the
    // context is not used.
    unsafe {
        if !node.is_null()
            && (*node).type_ == pg_sys::NodeTag::T_SubLink
            && let Some(expression) = only_expression(&*node.cast())
        {
            let expression = pg_sys::copyObjectImpl(expression.cast()).cast();
            pg_sys::IncrementVarSublevelsUp(expression, -1, 1);
            return without_sub_selects(expression, nothing);
        }
        expression_tree_mutator(node, without_sub_selects, nothing)
    }
}

/// A walker, which never ends early.
unsafe extern "C-unwind" fn look(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    use pg_sys::NodeTag::*;
    // SAFETY: PostgreSQL's walker passes nodes of the expression, each of the type that its tag says, and the
    // context of `Shape::of`.
    unsafe {
        if node.is_null() {
            return false;
        }
        let shape = &mut *context.cast::<Shape>();
        match (*node).type_ {
            T_SubLink => {
                let link = &*node.cast::<pg_sys::SubLink>();
                shape.is_correlated |= pg_sys::contain_vars_of_level(link.subselect, 1);
                return look(link.testexpr, context);
            }
            T_Var => shape.columns.extend(column(node)),
            T_OpExpr => {
                let operator = &*node.cast::<pg_sys::OpExpr>();
                let arguments: Vec<*mut pg_sys::Node> = elements(operator.args).collect();
                if let [one, other] = arguments[..]
                    && !pg_sys::get_mergejoin_opfamilies(operator.opno).is_null()
                {
                    shape.compare(one, other);
                    shape.compare(other, one);
                }
            }
            T_ScalarArrayOpExpr => {
                let operator = &*node.cast::<pg_sys::ScalarArrayOpExpr>();
                let arguments: Vec<*mut pg_sys::Node> = elements(operator.args).collect();
                if let [one, other] = arguments[..]
                    && operator.useOr
                {
                    shape.compare(one, other);
                }
            }
            _ => {}
        }
        let mut called = Called::default();
        check_functions_in_node(node, note_call, std::ptr::from_mut(&mut called).cast());
        let depends_on_row = pg_sys::contain_var_clause(node);
        if let Some(function) = called.of_others.filter(|_| depends_on_row) {
            shape.row_calls.push(function);
        }
        if !is_reader_call(node) {
            shape.volatile.extend(called.volatile);
        }
        expression_tree_walker(node, look, context)
    }
}

#[derive(Default)]
struct Called {
    of_others: Option<pg_sys::Oid>,
    volatile: Option<pg_sys::Oid>,
}

unsafe extern "C-unwind" fn note_call(function: pg_sys::Oid, context: *mut c_void) -> bool {
    // SAFETY: the context is the `Called` of `look`.
    let called = unsafe { &mut *context.cast::<Called>() };
    if is_of_others(function) {
        called.of_others = Some(function);
    }
    if is_volatile(function) {
        called.volatile = Some(function);
    }
    false
}

/// Whether it is the user's id, or a cast of it.
unsafe fn is_call_of(node: *mut pg_sys::Node, ids: [pg_sys::Oid; 2]) -> bool {
    // SAFETY: a node of the policy's condition; it has the type that its tag says.
    unsafe {
        let node = without_relabel(node);
        let node = cast_of(node).unwrap_or(node);
        (*node).type_ == pg_sys::NodeTag::T_FuncExpr
            && ids.contains(&(*node.cast::<pg_sys::FuncExpr>()).funcid)
    }
}

/// What a cast casts.
pub unsafe fn cast_of(node: *mut pg_sys::Node) -> Option<*mut pg_sys::Node> {
    use pg_sys::CoercionForm::{COERCE_EXPLICIT_CAST, COERCE_IMPLICIT_CAST};
    // SAFETY: a node of the policy's condition; it has the type that its tag says.
    unsafe {
        match (*node).type_ {
            pg_sys::NodeTag::T_CoerceViaIO => {
                Some((*node.cast::<pg_sys::CoerceViaIO>()).arg.cast())
            }
            pg_sys::NodeTag::T_FuncExpr => {
                let call = &*node.cast::<pg_sys::FuncExpr>();
                let is_cast =
                    matches!(call.funcformat, COERCE_EXPLICIT_CAST | COERCE_IMPLICIT_CAST);
                elements(call.args).next().filter(|_| is_cast)
            }
            _ => None,
        }
    }
}
