//! Expressions of policies and defaults, as the catalog has them, with one row in the place of the table's columns.
//!
//! The names in such an expression were resolved when it was made, so it is not written and parsed again: the role
//! may lack USAGE on the schemas of its functions, which does not matter to a policy.

use std::ffi::{CStr, CString, c_void};

use pgrx::prelude::*;

use crate::pg::nodes::{elements, expression_tree_mutator, query_tree_mutator};

/// An expression whose columns are those of the table with this OID.
#[derive(Clone, Copy)]
pub struct Expression {
    node: *mut pg_sys::Node,
    table: pg_sys::Oid,
}

/// How the parts of an expression decide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    And,
    Or,
}

/// An expression that reads its row from the parameter `$1`.
pub struct Bound {
    pub node: *mut pg_sys::Node,
    /// Whether it reads the row.
    pub reads_row: bool,
    /// A column such as ctid, which an imagined row does not have.
    pub reads_system_column: bool,
    /// A column whose value is not known.
    pub reads_unknown_column: bool,
}

impl Expression {
    /// Reads the text of a `pg_node_tree`.
    ///
    /// # Safety
    /// The text must be from the catalog, of the table.
    pub unsafe fn read(text: &str, table: pg_sys::Oid) -> Self {
        let text = CString::new(text).expect("text contains no NUL");
        Self {
            // SAFETY: as the caller promises, the catalog's own text, here a C string.
            node: unsafe { pg_sys::stringToNode(text.as_ptr()).cast() },
            table,
        }
    }

    /// The tree, whose columns are those of the relation number 1.
    pub fn node(self) -> *mut pg_sys::Node {
        self.node
    }

    /// As SQL.
    pub fn sql(self) -> String {
        // SAFETY: an expression of the table, which exists while its row type does.
        unsafe {
            let name = pg_sys::get_rel_name(self.table);
            if name.is_null() {
                return String::new();
            }
            let context = pg_sys::deparse_context_for(name, self.table);
            let sql = pg_sys::deparse_expression(self.node, context, false, false);
            CStr::from_ptr(sql).to_string_lossy().into_owned()
        }
    }

    /// The parts of an AND or OR.
    pub fn parts(self) -> Option<(Joint, Vec<Self>)> {
        // SAFETY: an expression.
        unsafe {
            if (*self.node).type_ != pg_sys::NodeTag::T_BoolExpr {
                return None;
            }
            let expression = &*self.node.cast::<pg_sys::BoolExpr>();
            let joint = match expression.boolop {
                pg_sys::BoolExprType::AND_EXPR => Joint::And,
                pg_sys::BoolExprType::OR_EXPR => Joint::Or,
                _ => return None,
            };
            let parts = elements(expression.args).map(|node| Self { node, ..self });
            Some((joint, parts.collect()))
        }
    }

    /// A copy that reads the row from a parameter of this type. The values of some columns, by number, are unknown.
    pub fn bound(self, row_type: pg_sys::Oid, unknown: &[i16]) -> Bound {
        let mut binding = Binding {
            row_type,
            unknown,
            depth: 0,
            reads_row: false,
            reads_system_column: false,
            reads_unknown_column: false,
        };
        // SAFETY: an expression of a table, whose columns have the number 1.
        let node = unsafe { bind(self.node, (&raw mut binding).cast()) };
        Bound {
            node,
            reads_row: binding.reads_row,
            reads_system_column: binding.reads_system_column,
            reads_unknown_column: binding.reads_unknown_column,
        }
    }
}

struct Binding<'a> {
    row_type: pg_sys::Oid,
    unknown: &'a [i16],
    /// How many queries the node is in.
    depth: u32,
    reads_row: bool,
    reads_system_column: bool,
    reads_unknown_column: bool,
}

/// A mutator that replaces the table's columns.
#[pg_guard]
unsafe extern "C-unwind" fn bind(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> *mut pg_sys::Node {
    // SAFETY: PostgreSQL's mutator passes nodes of the expression, each of the type that its tag says, and the
    // `Binding` that the callers pass.
    unsafe {
        if node.is_null() {
            return node;
        }
        let binding = &mut *context.cast::<Binding<'_>>();
        match (*node).type_ {
            pg_sys::NodeTag::T_Var => {
                let column = &*node.cast::<pg_sys::Var>();
                if column.varno == 1 && column.varlevelsup == binding.depth {
                    return field(column, binding);
                }
            }
            pg_sys::NodeTag::T_Query => {
                binding.depth += 1;
                let query = query_tree_mutator(node.cast(), bind, context, 0);
                (*context.cast::<Binding<'_>>()).depth -= 1;
                return query.cast();
            }
            _ => {}
        }
        expression_tree_mutator(node, bind, context)
    }
}

/// The parameter `$1`, which is the row.
pub fn row_parameter(row_type: pg_sys::Oid) -> *mut pg_sys::Node {
    // SAFETY: makes a node.
    let mut row = unsafe { PgBox::<pg_sys::Param>::alloc_node(pg_sys::NodeTag::T_Param) };
    row.paramkind = pg_sys::ParamKind::PARAM_EXTERN;
    row.paramid = 1;
    row.paramtype = row_type;
    row.paramtypmod = -1;
    row.location = -1;
    row.into_pg().cast()
}

unsafe fn field(column: &pg_sys::Var, binding: &mut Binding<'_>) -> *mut pg_sys::Node {
    // SAFETY: the column is one of the row that the parameter stands for; all nodes are in this memory
    // context.
    unsafe {
        binding.reads_system_column |= column.varattno < 0;
        binding.reads_unknown_column |= match column.varattno {
            0 => !binding.unknown.is_empty(),
            number => binding.unknown.contains(&number),
        };
        binding.reads_row = true;
        let row = row_parameter(binding.row_type);
        if column.varattno <= 0 {
            return row;
        }
        let mut field = PgBox::<pg_sys::FieldSelect>::alloc_node(pg_sys::NodeTag::T_FieldSelect);
        field.arg = row.cast();
        field.fieldnum = column.varattno;
        field.resulttype = column.vartype;
        field.resulttypmod = column.vartypmod;
        field.resultcollid = column.varcollid;
        field.into_pg().cast()
    }
}
