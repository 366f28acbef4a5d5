//! `owner::text = auth.user_id()`, where `owner` is a uuid, as `owner = auth.uid()`: then an index finds the rows.

use std::ffi::c_void;

use pgrx::prelude::*;

use super::columns::column;
use super::shape::cast_of;
use super::written::written;
use crate::pg::nodes::{elements, expression_tree_mutator};
use crate::session::only_expression;

/// `uuid = uuid`
const UUID_EQ: u32 = 2972;

struct Readers {
    user_id: pg_sys::Oid,
    uid: pg_sys::Oid,
    has_changed: bool,
}

/// The condition with such comparisons written so, as text; `None` if it has none.
///
/// # Safety
/// It must be a condition of a policy of the table; the functions must be `auth.user_id()` and `auth.uid()`.
pub unsafe fn by_uuid(
    condition: *mut pg_sys::Node,
    table: pg_sys::Oid,
    user_id: pg_sys::Oid,
    uid: pg_sys::Oid,
) -> Option<String> {
    // SAFETY: as the caller promises, a condition of a policy, a copy of which is changed; `change` gets the
    // `Readers` that it expects.
    unsafe {
        let mut readers = Readers {
            user_id,
            uid,
            has_changed: false,
        };
        let changed = change(condition, std::ptr::from_mut(&mut readers).cast());
        if readers.has_changed {
            written(changed, table)
        } else {
            None
        }
    }
}

/// A mutator.
unsafe extern "C-unwind" fn change(
    node: *mut pg_sys::Node,
    context: *mut c_void,
) -> *mut pg_sys::Node {
    // SAFETY: PostgreSQL's mutator passes nodes of the expression, each of the type that its tag says, and the
    // context of `by_uuid`.
    unsafe {
        if node.is_null() {
            return node;
        }
        let readers = &mut *context.cast::<Readers>();
        if (*node).type_ == pg_sys::NodeTag::T_OpExpr {
            let operator = &*node.cast::<pg_sys::OpExpr>();
            let arguments: Vec<*mut pg_sys::Node> = elements(operator.args).collect();
            if operator.opno == pg_sys::Oid::from(pg_sys::TextEqualOperator)
                && let [one, other] = arguments[..]
                && let Some(column) = uuid_as_text(one)
                    .filter(|_| is_call_of(other, readers.user_id))
                    .or_else(|| uuid_as_text(other).filter(|_| is_call_of(one, readers.user_id)))
            {
                readers.has_changed = true;
                let uid = pg_sys::makeFuncExpr(
                    readers.uid,
                    pg_sys::UUIDOID,
                    std::ptr::null_mut(),
                    pg_sys::InvalidOid,
                    pg_sys::InvalidOid,
                    pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
                );
                return pg_sys::make_opclause(
                    pg_sys::Oid::from(UUID_EQ),
                    pg_sys::BOOLOID,
                    false,
                    column.cast(),
                    uid.cast(),
                    pg_sys::InvalidOid,
                    pg_sys::InvalidOid,
                )
                .cast();
            }
        }
        expression_tree_mutator(node, change, context)
    }
}

unsafe fn uuid_as_text(node: *mut pg_sys::Node) -> Option<*mut pg_sys::Node> {
    // SAFETY: a node of the policy's condition; it has the type that its tag says.
    unsafe {
        let inner = cast_of(node)?;
        column(inner)?;
        (pg_sys::exprType(inner) == pg_sys::UUIDOID).then_some(inner)
    }
}

unsafe fn is_call_of(node: *mut pg_sys::Node, function: pg_sys::Oid) -> bool {
    // SAFETY: a node of the policy's condition; it has the type that its tag says.
    unsafe {
        match (*node).type_ {
            pg_sys::NodeTag::T_FuncExpr => (*node.cast::<pg_sys::FuncExpr>()).funcid == function,
            pg_sys::NodeTag::T_SubLink => only_expression(&*node.cast())
                .is_some_and(|expression| is_call_of(expression, function)),
            _ => false,
        }
    }
}
