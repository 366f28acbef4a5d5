//! What the sub-selects of a condition read, and columns in them that hide columns of the policy's table:
//! `EXISTS (SELECT FROM members WHERE members.team_id = team_id)` compares a column of `members` with itself.

use std::ffi::{CStr, c_void};

use pgrx::pg_sys;

use super::columns::without_relabel;
use super::written::written;
use crate::pg::nodes::{elements, expression_tree_walker, query_tree_walker};

/// What is known of the sub-selects.
#[derive(Default)]
pub struct SubSelects {
    /// The relations that they read.
    pub reads: Vec<pg_sys::Oid>,
    /// Names of columns that are compared with themselves, and that the policy's table has too.
    pub hidden: Vec<String>,
    /// The condition with comparisons of the two tables instead.
    pub written: Option<String>,
}

struct Inside {
    table: pg_sys::Oid,
    /// From the outermost on.
    queries: Vec<*mut pg_sys::Query>,
    found: SubSelects,
}

impl SubSelects {
    /// # Safety
    /// It must be a condition of a policy of the table.
    pub unsafe fn of(condition: *mut pg_sys::Node, table: pg_sys::Oid) -> Self {
        let mut inside = Inside {
            table,
            queries: Vec::new(),
            found: Self::default(),
        };
        // SAFETY: as the caller promises, a condition of a policy, which is copied; `look` gets the `Inside`
        // that it expects.
        unsafe {
            let condition: *mut pg_sys::Node = pg_sys::copyObjectImpl(condition.cast()).cast();
            look(condition, std::ptr::from_mut(&mut inside).cast());
            if !inside.found.hidden.is_empty() {
                inside.found.written = written(condition, table);
            }
        }
        inside.found
    }
}

/// A walker, which never ends early, and corrects the comparisons.
unsafe extern "C-unwind" fn look(node: *mut pg_sys::Node, context: *mut c_void) -> bool {
    // SAFETY: PostgreSQL's walker passes nodes of the expression, each of the type that its tag says, and the
    // context of `of`.
    unsafe {
        if node.is_null() {
            return false;
        }
        let inside = &mut *context.cast::<Inside>();
        match (*node).type_ {
            pg_sys::NodeTag::T_Query => {
                let query = node.cast::<pg_sys::Query>();
                for entry in elements::<pg_sys::RangeTblEntry>((*query).rtable) {
                    if (*entry).rtekind == pg_sys::RTEKind::RTE_RELATION {
                        inside.found.reads.push((*entry).relid);
                    }
                }
                inside.queries.push(query);
                let flags = pg_sys::QTW_IGNORE_JOINALIASES as i32;
                query_tree_walker(query, look, context, flags);
                // Through the pointer again: the walk inside had references of its own.
                (*context.cast::<Inside>()).queries.pop();
                return false;
            }
            pg_sys::NodeTag::T_OpExpr => inside.compare(&*node.cast()),
            _ => {}
        }
        expression_tree_walker(node, look, context)
    }
}

impl Inside {
    /// A comparison of a column with itself, if the policy's table has a column of this name and type, becomes one with
    /// that column.
    unsafe fn compare(&mut self, operator: &pg_sys::OpExpr) {
        // SAFETY: a comparison inside the condition, whose arguments are expressions.
        unsafe {
            let arguments: Vec<*mut pg_sys::Node> = elements::<pg_sys::Node>(operator.args)
                .map(|argument| without_relabel(argument))
                .collect();
            let [one, other] = arguments[..] else {
                return;
            };
            if (*other).type_ != pg_sys::NodeTag::T_Var || !pg_sys::equal(one.cast(), other.cast())
            {
                return;
            }
            let column = &mut *other.cast::<pg_sys::Var>();
            let Some(hidden) = self.hidden_by(column) else {
                return;
            };
            let name = pg_sys::get_attname(self.table, hidden, false);
            self.found
                .hidden
                .push(CStr::from_ptr(name).to_string_lossy().into_owned());
            column.varno = 1;
            column.varattno = hidden;
            column.varlevelsup = self.queries.len() as pg_sys::Index;
            column.varnosyn = 0;
            column.varattnosyn = 0;
        }
    }

    /// The column of the policy's table that has the name and the type of this column of a sub-select.
    unsafe fn hidden_by(&self, column: &pg_sys::Var) -> Option<i16> {
        // SAFETY: the queries around the column, which live as long as the copy of the condition.
        unsafe {
            let level = self
                .queries
                .len()
                .checked_sub(column.varlevelsup as usize + 1)?;
            let query = self.queries[level];
            let place = usize::try_from(column.varno).ok()?.checked_sub(1)?;
            let entry = elements::<pg_sys::RangeTblEntry>((*query).rtable).nth(place)?;
            if column.varattno <= 0 {
                return None;
            }
            let name = pg_sys::get_rte_attribute_name(entry, column.varattno);
            let hidden = pg_sys::get_attnum(self.table, name);
            (hidden > 0 && pg_sys::get_atttype(self.table, hidden) == column.vartype)
                .then_some(hidden)
        }
    }
}
