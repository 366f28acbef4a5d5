//! `neon_auth_internal.condition_facts(condition, table, role, user_id, uid)`: what advice needs to know of a
//! policy's condition.

use std::ffi::CString;

use pgrx::fcinfo::pg_getarg;
use pgrx::prelude::*;
use pgrx::{FromDatum, IntoDatum};

use super::by_uuid::by_uuid;
use super::nobody::{Assumed, Passes, assuming, passes};
use super::set_clauses::SetClauses;
use super::settings::settings;
use super::shape::Shape;
use super::sub_selects::SubSelects;
use crate::pg::attempt::attempt;
use crate::pg::raised::passes_errors;
use crate::pg::set::ReturnedSet;

passes_errors! {
    neon_auth_condition_facts, pg_finfo_neon_auth_condition_facts => condition_facts;
}

/// No row without a condition. `role` is one that the policy applies to: SQL functions are inlined with its rights only,
/// as in its own queries. With NULL, or a superuser, they are not.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn condition_facts(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration, of which the first is a text that only PostgreSQL
    // writes, and the last two are auth.user_id() and auth.uid().
    unsafe {
        let set = ReturnedSet::begin(call);
        let role = pg_getarg::<pg_sys::Oid>(call, 2).filter(|role| !pg_sys::superuser_arg(*role));
        let condition = pgrx::fcinfo::pg_getarg_datum(call, 0)
            .and_then(|text| String::from_datum(text, false))
            .and_then(|text| CString::new(text).ok());
        if let (Some(condition), Some(table), Some(user_id), Some(uid)) = (
            condition,
            pg_getarg::<pg_sys::Oid>(call, 1),
            pg_getarg(call, 3),
            pg_getarg(call, 4),
        ) {
            // A condition that PostgreSQL cannot read, such as one that is nested too deeply, gives no row.
            let Some(facts) = Facts::of(&condition, table, role, user_id, uid) else {
                return pg_sys::Datum::null();
            };
            set.add(|| {
                [
                    facts.nobody.map(Passes::name).into_datum(),
                    facts.ownerless.map(Passes::name).into_datum(),
                    facts.signed_in.map(Passes::name).into_datum(),
                    facts.shape.has_reader.into_datum(),
                    facts.shape.compared.into_datum(),
                    facts.shape.cast.into_datum(),
                    facts.shape.owners.into_datum(),
                    facts.shape.columns.into_datum(),
                    facts.shape.is_correlated.into_datum(),
                    facts.shape.row_calls.into_datum(),
                    facts.shape.volatile.into_datum(),
                    facts.written.into_datum(),
                    facts.settings.into_datum(),
                    facts.set_clauses.calls.into_datum(),
                    facts.set_clauses.by_row.into_datum(),
                    facts.set_clauses.compared.into_datum(),
                    facts.set_clauses.written.into_datum(),
                    facts.sub_selects.reads.into_datum(),
                    facts.sub_selects.hidden.into_datum(),
                    facts.sub_selects.written.into_datum(),
                ]
            });
        }
    }
    pg_sys::Datum::null()
}

struct Facts {
    /// With nobody signed in; `None` if PostgreSQL raised an error.
    nobody: Option<Passes>,
    /// Likewise, for rows that belong to nobody.
    ownerless: Option<Passes>,
    /// With anybody signed in.
    signed_in: Option<Passes>,
    shape: Shape,
    /// With comparisons as UUIDs, as text.
    written: Option<String>,
    /// Customised settings that let rows pass with nobody signed in.
    settings: Vec<String>,
    set_clauses: SetClauses,
    sub_selects: SubSelects,
}

impl Facts {
    unsafe fn of(
        condition: &CString,
        table: pg_sys::Oid,
        role: Option<pg_sys::Oid>,
        user_id: pg_sys::Oid,
        uid: pg_sys::Oid,
    ) -> Option<Self> {
        // SAFETY: the text is the catalog's own, a C string; the trees that it becomes are in this memory
        // context, and `attempt` catches ERRORs.
        unsafe {
            let reader = pg_sys::GetUserId();
            let original = attempt(reader, || pg_sys::stringToNode(condition.as_ptr()))?;
            let original: *mut pg_sys::Node = original.cast();
            // Simplifying may run functions of others, if they are IMMUTABLE: only as a role whose queries run them.
            let inlined = role.and_then(|role| {
                attempt(role, || {
                    pg_sys::eval_const_expressions(std::ptr::null_mut(), original)
                })
            });
            let inlined = inlined.unwrap_or(original);
            let (shape, written, set_clauses, sub_selects) = attempt(reader, || {
                (
                    Shape::of(inlined, [user_id, uid]),
                    by_uuid(original, table, user_id, uid),
                    SetClauses::of(original, inlined, table),
                    SubSelects::of(original, table),
                )
            })?;
            let role = role.unwrap_or(reader);
            let assume = |is_ownerless, signed_in| {
                let assumed = Assumed {
                    table,
                    is_ownerless,
                    signed_in,
                };
                attempt(role, || passes(assuming(inlined, assumed), table))
            };
            let unsigned = attempt(role, || {
                let condition = assuming(
                    inlined,
                    Assumed {
                        table,
                        is_ownerless: false,
                        signed_in: None,
                    },
                );
                let passed = passes(condition, table);
                let settings = match passed {
                    Passes::None => Vec::new(),
                    Passes::All | Passes::Some => settings(condition),
                };
                (passed, settings)
            });
            let (nobody, settings) = unsigned.unzip();
            Some(Self {
                nobody,
                ownerless: if nobody == Some(Passes::All) {
                    nobody
                } else {
                    assume(true, None)
                },
                signed_in: if shape.has_reader {
                    assume(false, Some([user_id, uid]))
                } else {
                    nobody
                },
                shape,
                written,
                settings: settings.unwrap_or_default(),
                set_clauses,
                sub_selects,
            })
        }
    }
}
