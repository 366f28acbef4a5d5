//! Calls of functions that have a SET clause: PostgreSQL neither inlines such a function nor evaluates it once for all
//! rows, and each call costs the change of the settings.

use std::ffi::c_void;

use pgrx::{PgBox, pg_sys};

use super::columns::{column, without_relabel};
use super::nobody::{is_of_others, is_volatile};
use super::written::written;
use crate::pg::nodes::{elements, expression_tree_mutator, expression_tree_walker};
use crate::session::only_expression;

/// The calls that are not in a sub-select which is the same for all rows.
#[derive(Default)]
pub struct SetClauses {
    pub calls: Vec<pg_sys::Oid>,
    /// Those of which an argument is a column.
    pub by_row: Vec<pg_sys::Oid>,
    /// Columns that are compared with a call that is the same for all rows, so that an index can serve it.
    pub compared: Vec<i16>,
    /// The condition in which the others are in a sub-select, so that each runs once.
    pub written: Option<String>,
}

struct Looked {
    /// How many sub-selects the place is in.
    level: u32,
    found: SetClauses,
}

impl SetClauses {
    /// `inlined` is the condition after SQL functions are inlined.
    ///
    /// # Safety
    /// They must be a condition of a policy of the table.
    pub unsafe fn of(
        original: *mut pg_sys::Node,
        inlined: *mut pg_sys::Node,
        table: pg_sys::Oid,
    ) -> Self {
        let mut looked = Looked {
            level: 0,
            found: Self::default(),
        };
        // SAFETY: as the caller promises, conditions of a policy; `look` gets the `Looked` that it expects.
        unsafe {
            look(inlined, std::ptr::from_mut(&mut looked).cast());
            let mut found = looked.found;
            if found.calls.len() > found.by_row.len() {
                let mut has_changed = false;
                let changed = wrap(original, std::ptr::from_mut(&mut has_changed).cast());
                if has_changed {
                    found.written = written(changed, table);
                }
            }
            found
        }
    }
}

/// A walker, which never ends early.
unsafe extern "C-unwind" fn look(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL's walker passes nodes of the expression, each of the type that its tag says, and the
    // context of `of`.
    unsafe {
        if node.is_null() {
            return false;
        }
        let looked = &mut *context.cast::<Looked>();
        match (*node).type_ {
            pg_sys::NodeTag::T_SubLink => {
                let link = &*node.cast::<pg_sys::SubLink>();
                look(link.testexpr, context);
                if let Some(expression) = only_expression(link)
                    && pg_sys::contain_vars_of_level(link.subselect, 1)
                {
                    // Each use through the pointer: the walk inside has references of its own.
                    (*context.cast::<Looked>()).level += 1;
                    look(expression, context);
                    (*context.cast::<Looked>()).level -= 1;
                }
                return false;
            }
            pg_sys::NodeTag::T_FuncExpr => {
                let function = (*node.cast::<pg_sys::FuncExpr>()).funcid;
                if has_set_clause(function) {
                    looked.found.calls.push(function);
                    if pg_sys::contain_vars_of_level(node, looked.level as i32) {
                        looked.found.by_row.push(function);
                    }
                }
            }
            pg_sys::NodeTag::T_OpExpr => {
                let operator = &*node.cast::<pg_sys::OpExpr>();
                looked.compare(operator.args);
            }
            pg_sys::NodeTag::T_ScalarArrayOpExpr => {
                let operator = &*node.cast::<pg_sys::ScalarArrayOpExpr>();
                looked.compare(operator.args);
            }
            _ => {}
        }
        expression_tree_walker(node, look, context)
    }
}

impl Looked {
    unsafe fn compare(&mut self, arguments: *mut pg_sys::List) {
        // SAFETY: a list of expressions: the arguments of a comparison.
        unsafe {
            let arguments: Vec<*mut pg_sys::Node> = elements(arguments).collect();
            let [one, other] = arguments[..] else {
                return;
            };
            for (one, other) in [(one, other), (other, one)] {
                if let Some(column) = column(without_relabel(one))
                    && calls_with_set_clause(other, std::ptr::null_mut())
                    && !pg_sys::contain_var_clause(other)
                {
                    self.found.compared.push(column);
                }
            }
        }
    }
}

/// A walker.
unsafe extern "C-unwind" fn calls_with_set_clause(
    node: *mut pg_sys::Node,
    nothing: *mut c_void,
) -> bool {
    // SAFETY: PostgreSQL's walker passes nodes of the expression, each of the type that its tag says; the
    // context is not used.
    unsafe {
        !node.is_null()
            && ((*node).type_ == pg_sys::NodeTag::T_FuncExpr
                && has_set_clause((*node.cast::<pg_sys::FuncExpr>()).funcid)
                || expression_tree_walker(node, calls_with_set_clause, nothing))
    }
}

/// A mutator: calls that are the same for all rows are put into sub-selects. It changes nothing in sub-selects.
unsafe extern "C-unwind" fn wrap(
    node: *mut pg_sys::Node,
    has_changed: *mut c_void,
) -> *mut pg_sys::Node {
    // SAFETY: PostgreSQL's mutator passes nodes of the expression, each of the type that its tag says, and the
    // flag that the caller passes.
    unsafe {
        if node.is_null() {
            return node;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_SubLink => return pg_sys::copyObjectImpl(node.cast()).cast(),
            pg_sys::NodeTag::T_FuncExpr => {
                let function = (*node.cast::<pg_sys::FuncExpr>()).funcid;
                if has_set_clause(function)
                    && !is_volatile(function)
                    && !pg_sys::contain_var_clause(node)
                    && !pg_sys::contain_subplans(node)
                {
                    *has_changed.cast::<bool>() = true;
                    return selected(node);
                }
            }
            _ => {}
        }
        expression_tree_mutator(node, wrap, has_changed)
    }
}

/// `(SELECT expression)`. No column and no sub-select is in the expression.
unsafe fn selected(expression: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: an expression without columns; the new nodes are in this memory context.
    unsafe {
        let entry = pg_sys::makeTargetEntry(expression.cast(), 1, std::ptr::null_mut(), false);
        let mut query = PgBox::<pg_sys::Query>::alloc_node(pg_sys::NodeTag::T_Query);
        query.commandType = pg_sys::CmdType::CMD_SELECT;
        query.canSetTag = true;
        query.targetList = pg_sys::lappend(std::ptr::null_mut(), entry.cast());
        query.jointree = pg_sys::makeFromExpr(std::ptr::null_mut(), std::ptr::null_mut());
        let mut link = PgBox::<pg_sys::SubLink>::alloc_node(pg_sys::NodeTag::T_SubLink);
        link.subLinkType = pg_sys::SubLinkType::EXPR_SUBLINK;
        link.subselect = query.into_pg().cast();
        link.location = -1;
        link.into_pg().cast()
    }
}

/// Functions of PostgreSQL have none.
unsafe fn has_set_clause(function: pg_sys::Oid) -> bool {
    // SAFETY: the row of pg_proc is released after it is read.
    unsafe {
        if !is_of_others(function) {
            return false;
        }
        let cache = pg_sys::SysCacheIdentifier::PROCOID as i32;
        let row = pg_sys::SearchSysCache1(cache, function.into());
        if row.is_null() {
            return false;
        }
        let mut is_null = true;
        let attribute = pg_sys::Anum_pg_proc_proconfig as i16;
        pg_sys::SysCacheGetAttr(cache, row, attribute, &raw mut is_null);
        pg_sys::ReleaseSysCache(row);
        !is_null
    }
}
