//! `neon_auth_internal.populate_as`: a row with given values, made as a role: the CHECK of a domain runs code of the
//! domain's owner, and so does a cast to json.

use std::ffi::{CStr, CString, c_char};

use pgrx::prelude::*;
use pgrx::{IntoDatum, pg_getarg};

use super::execute::Query;
use super::expression::row_parameter;
use super::functions::{held, user};
use crate::pg::nodes::list_of;
use crate::pg::raised::passes_errors;
use crate::pg::set::ReturnedSet;

passes_errors! {
    neon_auth_populate_as, pg_finfo_neon_auth_populate_as => populate_as;
}

const JSONB_POPULATE_RECORD: u32 = 3209;
const TO_JSONB: u32 = 3787;

/// `neon_auth_internal.populate_as(relation, base, given, role, user_id, claims, path, json_nulls)`: the row as text and
/// as JSON, or the error that it raises. The columns with these numbers have the null of JSON.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn populate_as(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration; expressions are made for their only use.
    unsafe {
        let set = ReturnedSet::begin(call);
        let (Some(relation), Some(given), Some(role)) = (
            pg_getarg::<pg_sys::Oid>(call, 0),
            pgrx::fcinfo::pg_getarg_datum(call, 2),
            pg_getarg::<pg_sys::Oid>(call, 3),
        ) else {
            return pg_sys::Datum::null();
        };
        let base: Option<CString> = pg_getarg::<&str>(call, 1).map(held);
        let user = user(call, role, 4);
        let json_nulls: Vec<i16> = pg_getarg(call, 7).unwrap_or_default();
        pg_sys::LockRelationOid(relation, pg_sys::AccessShareLock as i32);
        let row_type = pg_sys::get_rel_type_id(relation);
        let base = base.as_ref().map(|base| (row_type, base.as_ptr()));
        let populated = || {
            let row = populated(row_type, base.is_some(), given);
            with_json_nulls(row, relation, row_type, &json_nulls)
        };
        let row = Query::of(populated(), base, false);
        let values = populated();
        let values = Query::of(called(TO_JSONB, pg_sys::JSONBOID, &[values]), base, false);
        match user.attempt(|| [row.run(), values.run()]) {
            Ok(columns) => set.add(|| {
                let [row, values] = columns.map(|column| text(column).into_datum());
                [row, values, None, None]
            }),
            Err(raised) => set.add(|| {
                let (state, message) = (raised.sqlstate(), raised.message);
                [None, None, state.into_datum(), message.into_datum()]
            }),
        }
    }
    pg_sys::Datum::null()
}

unsafe fn text(value: *const c_char) -> Option<String> {
    // SAFETY: the value is NULL or a C string, which is copied.
    (!value.is_null()).then(|| unsafe { CStr::from_ptr(value).to_string_lossy().into_owned() })
}

/// `jsonb_populate_record(base, given)`, where the base is the parameter `$1` or NULL.
unsafe fn populated(
    row_type: pg_sys::Oid,
    has_base: bool,
    given: pg_sys::Datum,
) -> *mut pg_sys::Node {
    // SAFETY: built-in functions with arguments of their types; all nodes are in this memory context.
    unsafe {
        let base = if has_base {
            row_parameter(row_type)
        } else {
            pg_sys::makeNullConst(row_type, -1, pg_sys::InvalidOid).cast()
        };
        let none = pg_sys::InvalidOid;
        let given = pg_sys::makeConst(pg_sys::JSONBOID, -1, none, -1, given, false, false);
        called(JSONB_POPULATE_RECORD, row_type, &[base, given.cast()])
    }
}

/// A row in which some columns of type json or jsonb have the null of JSON, which jsonb_populate_record does not set.
unsafe fn with_json_nulls(
    row: *mut pg_sys::Node,
    relation: pg_sys::Oid,
    row_type: pg_sys::Oid,
    columns: &[i16],
) -> *mut pg_sys::Node {
    // SAFETY: the columns are those of the relation; all nodes are in this memory context.
    unsafe {
        if columns.is_empty() {
            return row;
        }
        let null = |column: &i16| {
            let of = pg_sys::getBaseType(pg_sys::get_atttype(relation, *column));
            let (mut function, mut io_type) = (pg_sys::InvalidOid, pg_sys::InvalidOid);
            pg_sys::getTypeInputInfo(of, &raw mut function, &raw mut io_type);
            let text = c"null".as_ptr().cast_mut();
            let value = pg_sys::OidInputFunctionCall(function, text, io_type, -1);
            pg_sys::makeConst(of, -1, pg_sys::InvalidOid, -1, value, false, false)
        };
        let mut numbers = std::ptr::null_mut();
        for column in columns {
            numbers = pg_sys::lappend_int(numbers, i32::from(*column));
        }
        let mut store = PgBox::<pg_sys::FieldStore>::alloc_node(pg_sys::NodeTag::T_FieldStore);
        store.arg = row.cast();
        store.newvals = list_of(columns.iter().map(null));
        store.fieldnums = numbers;
        store.resulttype = row_type;
        store.into_pg().cast()
    }
}

unsafe fn called(
    function: u32,
    result: pg_sys::Oid,
    arguments: &[*mut pg_sys::Node],
) -> *mut pg_sys::Node {
    // SAFETY: a built-in function with arguments of its types; all nodes are in this memory context.
    unsafe {
        pg_sys::makeFuncExpr(
            pg_sys::Oid::from(function),
            result,
            list_of(arguments.iter().copied()),
            pg_sys::InvalidOid,
            pg_sys::InvalidOid,
            pg_sys::CoercionForm::COERCE_EXPLICIT_CALL,
        )
        .cast()
    }
}
