//! Queries that read at most one row: `INSERT … VALUES`, and queries that name a whole primary key.
//!
//! There, a reader that is called for each row is called only once anyway. An InitPlan would be
//! correct too, but setting it up costs more than everything else that policies add to such a
//! query. Any other query counts as reading many rows; a wrong answer here costs only time.

use pgrx::PgRelation;
use pgrx::prelude::*;

use crate::pg::nodes::elements;

unsafe extern "C-unwind" {
    // An ERROR skips a frame that owns nothing.
    safe fn has_subclass(relation: pg_sys::Oid) -> bool;
}

/// Whether the query certainly reads at most one row.
///
/// # Safety
/// It must be a query whose tables are locked.
pub unsafe fn looks_at_one_row(query: &pg_sys::Query, is_outermost: bool) -> bool {
    // SAFETY: as the caller promises, a query whose tables are locked; its lists have nodes of the types that
    // their places demand.
    unsafe {
        // A sub-query may be executed for each row of the outer query.
        if !is_outermost || query.hasTargetSRFs {
            return false;
        }
        let mut from = elements::<pg_sys::Node>((*query.jointree).fromlist);
        let item = match (from.next(), from.next()) {
            (None, None) => return true,
            (Some(item), None) if (*item).type_ == pg_sys::NodeTag::T_RangeTblRef => item,
            _ => return false,
        };
        let number = (*item.cast::<pg_sys::RangeTblRef>()).rtindex;
        let Some(entry) = elements::<pg_sys::RangeTblEntry>(query.rtable).nth(number as usize - 1)
        else {
            return false;
        };
        let entry = &*entry;
        match entry.rtekind {
            // The planner's choice if the query names nothing.
            pg_sys::RTEKind::RTE_RESULT => true,
            pg_sys::RTEKind::RTE_RELATION if !entry.inh || !has_subclass(entry.relid) => {
                names_primary_key(entry, i64::from(number), (*query.jointree).quals)
            }
            _ => false,
        }
    }
}

/// Whether the conditions of a table's policies and of the query compare each column of its primary
/// key with one value, so that the key's index can be used.
unsafe fn names_primary_key(
    table: &pg_sys::RangeTblEntry,
    number: i64,
    conditions: *mut pg_sys::Node,
) -> bool {
    // SAFETY: the query's tables are locked, so the relation can be opened; the bitmap is a copy in this
    // memory context.
    unsafe {
        let key = pg_sys::RelationGetIndexAttrBitmap(
            PgRelation::open(table.relid).as_ptr(),
            pg_sys::IndexAttrBitmapKind::INDEX_ATTR_BITMAP_PRIMARY_KEY,
        );
        if key.is_null() {
            return false;
        }
        let mut named = ComparedColumns {
            number,
            columns: std::ptr::null_mut(),
        };
        let mut is_first = true;
        for policy in elements(table.securityQuals) {
            named.add(policy, is_first);
            is_first = false;
        }
        named.add(conditions, is_first);
        pg_sys::bms_is_subset(key, named.columns)
    }
}

/// The columns of a table that conditions compare with one value, numbered as in PostgreSQL's sets
/// of a key's columns.
struct ComparedColumns {
    /// The table's number in the query.
    number: i64,
    columns: *mut pg_sys::Bitmapset,
}

impl ComparedColumns {
    /// Adds the columns of a condition. A condition after the first policy can use an index only if
    /// it cannot leak hidden rows.
    unsafe fn add(&mut self, condition: *mut pg_sys::Node, is_first: bool) {
        // SAFETY: a condition of the query: NULL, a list of conditions, or a node of the type that its tag
        // says.
        unsafe {
            if condition.is_null() {
                return;
            }
            match (*condition).type_ {
                pg_sys::NodeTag::T_List => {
                    for part in elements(condition.cast()) {
                        self.add(part, is_first);
                    }
                }
                pg_sys::NodeTag::T_BoolExpr => {
                    let all = &*condition.cast::<pg_sys::BoolExpr>();
                    if all.boolop == pg_sys::BoolExprType::AND_EXPR {
                        self.add(all.args.cast(), is_first);
                    }
                }
                pg_sys::NodeTag::T_OpExpr
                    if is_first || !pg_sys::contain_leaked_vars(condition) =>
                {
                    self.add_comparison(&*condition.cast());
                }
                _ => {}
            }
        }
    }

    unsafe fn add_comparison(&mut self, comparison: &pg_sys::OpExpr) {
        // SAFETY: the arguments of an operator are expressions.
        unsafe {
            let mut sides = elements::<pg_sys::Node>(comparison.args);
            let (Some(left), Some(right)) = (sides.next(), sides.next()) else {
                return;
            };
            for (column, value) in [(left, right), (right, left)] {
                if let Some(column) = self.column(column)
                    && is_equality(comparison, column)
                    && !pg_sys::contain_vars_of_level(value, 0)
                    && !pg_sys::contain_volatile_functions(value)
                {
                    self.columns = pg_sys::bms_add_member(
                        self.columns,
                        i32::from(column.varattno) - pg_sys::FirstLowInvalidHeapAttributeNumber,
                    );
                }
            }
        }
    }

    /// The expression, if it is a column of the table, perhaps cast to a binary-compatible type.
    unsafe fn column<'a>(&self, mut expression: *mut pg_sys::Node) -> Option<&'a pg_sys::Var> {
        // SAFETY: an expression of the query; each node has the type that its tag says.
        unsafe {
            while (*expression).type_ == pg_sys::NodeTag::T_RelabelType {
                expression = (*expression.cast::<pg_sys::RelabelType>()).arg.cast();
            }
            if (*expression).type_ != pg_sys::NodeTag::T_Var {
                return None;
            }
            let column = &*expression.cast::<pg_sys::Var>();
            (column.varlevelsup == 0 && i64::from(column.varno) == self.number).then_some(column)
        }
    }
}

/// Whether it is the equality operator of a primary key on the column.
unsafe fn is_equality(comparison: &pg_sys::OpExpr, column: &pg_sys::Var) -> bool {
    // SAFETY: the type cache's entry lasts as long as the process.
    unsafe {
        let order =
            (*pg_sys::lookup_type_cache(column.vartype, pg_sys::TYPECACHE_BTREE_OPFAMILY as i32))
                .btree_opf;
        comparison.inputcollid == column.varcollid
            && pg_sys::get_op_opfamily_strategy(comparison.opno, order)
                == pg_sys::BTEqualStrategyNumber as i32
    }
}
