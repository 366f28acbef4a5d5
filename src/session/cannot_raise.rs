//! Functions of PostgreSQL that raise no error, whatever their arguments are.

use pgrx::prelude::*;

unsafe extern "C-unwind" {
    // An ERROR skips frames that own nothing.
    safe fn get_func_leakproof(function: pg_sys::Oid) -> bool;
}

/// Functions that policies call with what readers return. That they do not raise is known of these
/// only: `text::uuid` raises, and so may any function of a user.
const FUNCTIONS: &[u32] = &[
    // jsonb -> text, ->> text, -> integer, ->> integer, #> text[], #>> text[]
    pg_sys::F_JSONB_OBJECT_FIELD,
    pg_sys::F_JSONB_OBJECT_FIELD_TEXT,
    pg_sys::F_JSONB_ARRAY_ELEMENT,
    pg_sys::F_JSONB_ARRAY_ELEMENT_TEXT,
    pg_sys::F_JSONB_EXTRACT_PATH,
    pg_sys::F_JSONB_EXTRACT_PATH_TEXT,
    // jsonb ?, ?|, ?&, @>, <@, =, <>
    pg_sys::F_JSONB_EXISTS,
    pg_sys::F_JSONB_EXISTS_ANY,
    pg_sys::F_JSONB_EXISTS_ALL,
    pg_sys::F_JSONB_CONTAINS,
    pg_sys::F_JSONB_CONTAINED,
    pg_sys::F_JSONB_EQ,
    pg_sys::F_JSONB_NE,
    pg_sys::F_JSONB_TYPEOF,
    // Text
    pg_sys::F_TEXTCAT,
    pg_sys::F_LOWER_TEXT,
    pg_sys::F_UPPER_TEXT,
    pg_sys::F_BTRIM_TEXT,
    pg_sys::F_LENGTH_TEXT,
    pg_sys::F_STARTS_WITH,
    // Times
    pg_sys::F_NOW,
    pg_sys::F_TRANSACTION_TIMESTAMP,
    pg_sys::F_STATEMENT_TIMESTAMP,
    // Casts to text
    pg_sys::F_TEXTIN,
    pg_sys::F_TEXTOUT,
    pg_sys::F_VARCHARIN,
    pg_sys::F_VARCHAROUT,
    pg_sys::F_UUID_OUT,
    pg_sys::F_JSONB_OUT,
    pg_sys::F_BOOLOUT,
    pg_sys::F_TIMESTAMPTZ_OUT,
    pg_sys::F_TEXT_BOOL,
];

/// Whether a function certainly raises no error. Leak-proof functions do not, since an error could
/// tell its caller about the arguments.
pub fn cannot_raise(function: pg_sys::Oid) -> bool {
    FUNCTIONS.contains(&function.to_u32()) || get_func_leakproof(function)
}
