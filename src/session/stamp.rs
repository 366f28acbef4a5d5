//! `auth.stamp()`: a trigger that writes who created and who last updated a row into its columns
//! `created_by` and `updated_by`.

use std::ffi::{CStr, c_int};

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use pgrx::{IntoDatum, direct_function_call_as_datum};

use super::{actor, current, moved_row};
use crate::error::Problem;
use crate::identity::Identity;
use crate::pg::compat::attribute;
use crate::pg::jsonb::Jsonb;
use crate::pg::raised::passes_errors;

passes_errors! {
    neon_auth_stamp, pg_finfo_neon_auth_stamp => stamp;
}

/// A column by whose name it is stamped.
struct Column {
    name: &'static CStr,
    number: c_int,
    type_of: pg_sys::Oid,
    modifier: i32,
}

/// # Safety
/// PostgreSQL calls it, as a trigger or by mistake in another way.
#[pg_guard]
unsafe extern "C-unwind" fn stamp(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: a trigger's context describes it.
    unsafe {
        let context = (*call).context;
        if context.is_null() || (*context).type_ != pg_sys::NodeTag::T_TriggerData {
            fail(misuse("It was not called by a trigger.".to_owned()));
        }
        match stamped(&*context.cast::<pg_sys::TriggerData>()) {
            Ok(tuple) => pg_sys::Datum::from(tuple),
            Err(problem) => fail(problem),
        }
    }
}

fn fail(problem: Problem) -> ! {
    ErrorReport::from(problem).report(PgLogLevel::ERROR);
    unreachable!("an ERROR panics")
}

fn misuse(why: String) -> Problem {
    Problem::StampMisused { why }
}

/// The row as it is to be written.
unsafe fn stamped(trigger: &pg_sys::TriggerData) -> Result<pg_sys::HeapTuple, Problem> {
    // SAFETY: PostgreSQL calls the trigger, so relation and tuples are those of the row, and last through the
    // call.
    unsafe {
        let is_update = demand_before_each_row(trigger)?;
        let relation = trigger.tg_relation;
        let description = (*relation).rd_att;
        let created_by = column(relation, c"created_by")?;
        let updated_by = column(relation, c"updated_by")?;
        if created_by.is_none() && updated_by.is_none() {
            return Err(Problem::NothingToStamp {
                table: name_of(relation),
            });
        }
        let identity = current::current()?;
        let tuple = match is_update {
            true => trigger.tg_newtuple,
            false => trigger.tg_trigtuple,
        };
        let mut values = Values::default();
        if let Some(column) = created_by {
            if is_update {
                values.keep(&column, trigger.tg_trigtuple, description);
            } else if let Some(created_by) = moved_row::arrives(relation, column.name) {
                values.add(column.number, created_by);
            } else {
                values.sign(relation, &column, identity.as_deref())?;
            }
        }
        if let Some(column) = updated_by {
            values.sign(relation, &column, identity.as_deref())?;
        }
        if is_update {
            moved_row::may_leave(relation, trigger.tg_trigtuple);
        }
        Ok(values.written_to(tuple, description))
    }
}

/// Whether the trigger is for an UPDATE and not for an INSERT.
unsafe fn demand_before_each_row(trigger: &pg_sys::TriggerData) -> Result<bool, Problem> {
    let event = trigger.tg_event;
    let timing = event & pg_sys::TRIGGER_EVENT_TIMINGMASK;
    if event & pg_sys::TRIGGER_EVENT_ROW == 0 || timing != pg_sys::TRIGGER_EVENT_BEFORE {
        // SAFETY: a trigger that is being called has a name, a C string.
        let name = unsafe { CStr::from_ptr((*trigger.tg_trigger).tgname) };
        let when = match timing {
            pg_sys::TRIGGER_EVENT_BEFORE => "BEFORE",
            pg_sys::TRIGGER_EVENT_INSTEAD => "INSTEAD OF",
            _ => "AFTER",
        };
        let each = match event & pg_sys::TRIGGER_EVENT_ROW {
            0 => "STATEMENT",
            _ => "ROW",
        };
        return Err(misuse(format!(
            "The trigger {} is {when}, FOR EACH {each}.",
            crate::error::quoted(&name.to_string_lossy())
        )));
    }
    match event & pg_sys::TRIGGER_EVENT_OPMASK {
        pg_sys::TRIGGER_EVENT_INSERT => Ok(false),
        pg_sys::TRIGGER_EVENT_UPDATE => Ok(true),
        _ => Err(misuse("A deleted row cannot be stamped.".to_owned())),
    }
}

/// The column of that name, if the table has it.
unsafe fn column(
    relation: pg_sys::Relation,
    name: &'static CStr,
) -> Result<Option<Column>, Problem> {
    // SAFETY: the trigger's table is open, so its description has each column up to natts.
    unsafe {
        let description = (*relation).rd_att;
        for place in 0..(*description).natts {
            let found = &*attribute(description, place);
            if found.attisdropped || CStr::from_ptr(found.attname.data.as_ptr()) != name {
                continue;
            }
            let unfit = |is: String| Problem::CannotStamp {
                table: name_of(relation),
                column: name.to_string_lossy().into_owned(),
                is,
            };
            if found.attgenerated != 0 {
                return Err(unfit("is a generated column".to_owned()));
            }
            let known = [
                pg_sys::TEXTOID,
                pg_sys::VARCHAROID,
                pg_sys::UUIDOID,
                pg_sys::JSONBOID,
            ];
            if !known.contains(&found.atttypid) {
                let named = CStr::from_ptr(pg_sys::format_type_be(found.atttypid));
                return Err(unfit(format!("has the type {}", named.to_string_lossy())));
            }
            return Ok(Some(Column {
                name,
                number: place + 1,
                type_of: found.atttypid,
                modifier: found.atttypmod,
            }));
        }
        Ok(None)
    }
}

unsafe fn name_of(relation: pg_sys::Relation) -> String {
    // SAFETY: the trigger's table is open, and so is in a schema that exists.
    unsafe {
        let schema = pg_sys::get_namespace_name((*(*relation).rd_rel).relnamespace);
        let name = (*(*relation).rd_rel).relname.data.as_ptr();
        let quoted = pg_sys::quote_qualified_identifier(schema, name);
        CStr::from_ptr(quoted).to_string_lossy().into_owned()
    }
}

/// The new values of columns.
#[derive(Default)]
struct Values {
    numbers: Vec<c_int>,
    datums: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

impl Values {
    /// The identity in the column's type.
    unsafe fn sign(
        &mut self,
        relation: pg_sys::Relation,
        column: &Column,
        identity: Option<&Identity>,
    ) -> Result<(), Problem> {
        let datum = match identity {
            // NULL would say that nobody was signed in.
            Some(identity) if column.type_of == pg_sys::UUIDOID && identity.uuid.is_none() => {
                return Err(Problem::CannotStamp {
                    // SAFETY: the relation is the trigger's table.
                    table: unsafe { name_of(relation) },
                    column: column.name.to_string_lossy().into_owned(),
                    is: "has the type uuid, and the id of the signed-in user is not a UUID in lower case with hyphens".to_owned(),
                });
            }
            // SAFETY: the column was found in the trigger's table, with this type.
            Some(identity) => unsafe { signature(column, identity) },
            None => None,
        };
        self.add(column.number, datum);
        Ok(())
    }

    /// The value in the old row.
    unsafe fn keep(
        &mut self,
        column: &Column,
        old: pg_sys::HeapTuple,
        description: pg_sys::TupleDesc,
    ) {
        let mut is_null = true;
        // SAFETY: the tuple is a row of the description, which has a column of this number.
        let datum = unsafe { pg_sys::heap_getattr(old, column.number, description, &mut is_null) };
        self.add(column.number, (!is_null).then_some(datum));
    }

    fn add(&mut self, number: c_int, datum: Option<pg_sys::Datum>) {
        self.numbers.push(number);
        self.nulls.push(datum.is_none());
        self.datums.push(datum.unwrap_or(pg_sys::Datum::null()));
    }

    unsafe fn written_to(
        mut self,
        tuple: pg_sys::HeapTuple,
        description: pg_sys::TupleDesc,
    ) -> pg_sys::HeapTuple {
        if self.numbers.is_empty() {
            return tuple;
        }
        // SAFETY: the tuple is a row of the description; the three arrays have as many elements as is said,
        // and live through the call.
        unsafe {
            pg_sys::heap_modify_tuple_by_cols(
                tuple,
                description,
                self.numbers.len() as c_int,
                self.numbers.as_mut_ptr(),
                self.datums.as_mut_ptr(),
                self.nulls.as_mut_ptr(),
            )
        }
    }
}

unsafe fn signature(column: &Column, identity: &Identity) -> Option<pg_sys::Datum> {
    match column.type_of {
        pg_sys::UUIDOID => pgrx::datum::Uuid::from_bytes(identity.uuid?.into_bytes()).into_datum(),
        pg_sys::JSONBOID => Some(Jsonb::from_json(&actor::json(identity)).to_datum()),
        pg_sys::VARCHAROID => {
            // An id that is too long raises an error, as in an INSERT.
            let arguments = [
                identity.subject.as_str().into_datum(),
                column.modifier.into_datum(),
                false.into_datum(),
            ];
            // SAFETY: the arguments are those of the cast to varchar(n).
            unsafe { direct_function_call_as_datum(pg_sys::varchar, &arguments) }
        }
        _ => identity.subject.as_str().into_datum(),
    }
}
