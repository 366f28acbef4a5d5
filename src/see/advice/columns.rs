//! Columns of the policy's table in a condition.

use pgrx::pg_sys;

/// The number of a column of the policy's table.
pub unsafe fn column(node: *mut pg_sys::Node) -> Option<i16> {
    // SAFETY: as the callers' conditions, a node of the type that its tag says.
    unsafe {
        if (*node).type_ != pg_sys::NodeTag::T_Var {
            return None;
        }
        let column = &*node.cast::<pg_sys::Var>();
        (column.varlevelsup == 0 && column.varattno > 0).then_some(column.varattno)
    }
}

/// Without changes of the type's name, which do nothing to the value.
pub unsafe fn without_relabel(mut node: *mut pg_sys::Node) -> *mut pg_sys::Node {
    // SAFETY: as the callers' conditions, a node of the type that its tag says.
    unsafe {
        while (*node).type_ == pg_sys::NodeTag::T_RelabelType {
            node = (*node.cast::<pg_sys::RelabelType>()).arg.cast();
        }
        node
    }
}

/// Whether it is a column of the table that is declared NOT NULL.
pub unsafe fn is_never_null(node: *mut pg_sys::Node, table: pg_sys::Oid) -> bool {
    // SAFETY: an expression of a policy's condition; the row of pg_attribute is released after its flag is
    // read.
    unsafe {
        let node = pg_sys::strip_implicit_coercions(node);
        if (*node).type_ != pg_sys::NodeTag::T_Var {
            return false;
        }
        let column = &*node.cast::<pg_sys::Var>();
        if column.varlevelsup > 0 {
            return false;
        }
        let attribute = pg_sys::SearchSysCache2(
            pg_sys::SysCacheIdentifier::ATTNUM as i32,
            table.into(),
            column.varattno.into(),
        );
        if attribute.is_null() {
            return false;
        }
        let row = pg_sys::GETSTRUCT(attribute).cast::<pg_sys::FormData_pg_attribute>();
        let is_never_null = (*row).attnotnull;
        pg_sys::ReleaseSysCache(attribute);
        is_never_null
    }
}
