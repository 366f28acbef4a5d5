//! `neon_auth_internal.count_as`: how many rows of a relation a role with an identity sees, and of these, how many its
//! policies for another command let pass.

use std::ffi::c_int;

use pgrx::prelude::*;
use pgrx::{IntoDatum, pg_getarg};

use super::as_user::AsUser;
use super::execute;
use super::expression::Expression;
use super::functions;
use crate::pg::compat;
use crate::pg::heirs::heirs;
use crate::pg::nodes::list_of;
use crate::pg::raised::{Raised, passes_errors};
use crate::pg::set::ReturnedSet;

/// Plans that cost more, in the planner's units, are not run: they take longer than some seconds. A scan of ten million
/// rows costs about as much.
const MOST: f64 = 250_000.0;
/// What reading a sample costs.
const COST_OF_SAMPLE: f64 = MOST / 10.0;
/// With fewer rows in a sample, it says nothing about the whole.
const FEWEST: u64 = 10;

passes_errors! {
    neon_auth_count_as, pg_finfo_neon_auth_count_as => count_as;
}

/// `neon_auth_internal.count_as(relation, permissive, restrictive, role, user_id, claims, path)`: the number of rows,
/// the part of the relation's pages that was read for it, and the ERROR, if the query raises one.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn count_as(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration.
    unsafe {
        let set = ReturnedSet::begin(call);
        let (Some(relation), Some(role)) = (
            pg_getarg::<pg_sys::Oid>(call, 0),
            pg_getarg::<pg_sys::Oid>(call, 3),
        ) else {
            return pg_sys::Datum::null();
        };
        let conditions =
            [1, 2].map(|place| -> Vec<String> { pg_getarg(call, place).unwrap_or_default() });
        let user = functions::user(call, role, 4);
        let mut share = 1.0;
        let mut counted = count(&user, relation, &conditions, None);
        if let Ok(Err(cost)) = &counted
            && has_pages(relation)
        {
            share = COST_OF_SAMPLE / cost;
            counted = count(&user, relation, &conditions, Some(share));
        }
        set.add(|| match counted {
            Ok(Ok(rows)) if share < 1.0 && rows < FEWEST => [
                None,
                None,
                None,
                "it would take too long, and a sample has too few such rows".into_datum(),
            ],
            Ok(Ok(rows)) => {
                let estimated = (rows as f64 / share).round() as i64;
                [
                    estimated.into_datum(),
                    (share as f32).into_datum(),
                    None,
                    None,
                ]
            }
            Ok(Err(_)) => [None, None, None, "it would take too long".into_datum()],
            Err(raised) => [
                None,
                None,
                raised.sqlstate().into_datum(),
                raised.message.into_datum(),
            ],
        });
    }
    pg_sys::Datum::null()
}

/// The number of rows, or what the plan costs if that is too much.
unsafe fn count(
    user: &AsUser,
    relation: pg_sys::Oid,
    conditions: &[Vec<String>; 2],
    share: Option<f64>,
) -> Result<Result<u64, f64>, Raised> {
    // SAFETY: the conditions are the catalog's own texts, of this relation; what may raise an ERROR runs in
    // `attempt`.
    unsafe {
        let query = query(relation, conditions, share);
        user.attempt(|| {
            let plan = execute::plan(query);
            let cost = (*(*plan).planTree).total_cost;
            if cost > MOST {
                return Err(cost);
            }
            let mut counter = Counter {
                base: execute::receiver(count_row),
                rows: 0,
            };
            execute::run(plan, std::ptr::null_mut(), (&raw mut counter).cast());
            Ok(counter.rows)
        })
    }
}

/// `SELECT true FROM relation WHERE (permissive OR …) AND restrictive AND …`. It is not written as text, because the role
/// may lack USAGE on the schemas that the text would name.
unsafe fn query(
    relation: pg_sys::Oid,
    [permissive, restrictive]: &[Vec<String>; 2],
    share: Option<f64>,
) -> *mut pg_sys::Query {
    use pg_sys::BoolExprType::{AND_EXPR, OR_EXPR};
    // SAFETY: the conditions are the catalog's own texts, of this relation; all nodes are in this memory
    // context.
    unsafe {
        let read = |text: &String| Expression::read(text, relation).node();
        let mut conditions: Vec<*mut pg_sys::Node> = restrictive.iter().map(read).collect();
        if !permissive.is_empty() {
            let any = list_of(permissive.iter().map(read));
            conditions.push(pg_sys::makeBoolExpr(OR_EXPR, any, -1).cast());
        }
        let condition = match conditions.is_empty() {
            true => std::ptr::null_mut(),
            false => pg_sys::makeBoolExpr(AND_EXPR, list_of(conditions), -1).cast(),
        };
        let entry = compat::range_table_of(relation);
        if let Some(share) = share {
            (*entry.first).tablesample = sample(share);
        }
        let mut from = PgBox::<pg_sys::RangeTblRef>::alloc_node(pg_sys::NodeTag::T_RangeTblRef);
        from.rtindex = 1;
        let from = list_of([from.into_pg()]);
        let value = pg_sys::makeBoolConst(true, false);
        let column = pg_sys::makeTargetEntry(value.cast(), 1, c"row".as_ptr().cast_mut(), false);
        let mut query = PgBox::<pg_sys::Query>::alloc_node(pg_sys::NodeTag::T_Query);
        query.commandType = pg_sys::CmdType::CMD_SELECT;
        query.canSetTag = true;
        query.jointree = pg_sys::makeFromExpr(from, condition);
        query.hasSubLinks = pg_sys::checkExprHasSubLink(condition);
        query.targetList = list_of([column]);
        let query = query.into_pg();
        entry.put_into(query);
        query
    }
}

/// Whether a sample can be read. TABLESAMPLE is without effect on foreign tables, which partitions may be.
unsafe fn has_pages(relation: pg_sys::Oid) -> bool {
    // SAFETY: a look-up in the catalog, inside a transaction.
    let kind = |relation| unsafe { pg_sys::get_rel_relkind(relation) } as u8;
    kind(relation) != pg_sys::RELKIND_VIEW
        // SAFETY: a look-up in the catalog, inside a transaction.
        && unsafe { heirs(relation) }
            .into_iter()
            .all(|heir| kind(heir) != pg_sys::RELKIND_FOREIGN_TABLE)
}

/// `TABLESAMPLE SYSTEM (percent)`: whole pages.
unsafe fn sample(share: f64) -> *mut pg_sys::TableSampleClause {
    /// The OID of `system(internal)`, its handler.
    const SYSTEM: u32 = 3314;
    // SAFETY: a constant of a type that is passed by value; all nodes are in this memory context.
    unsafe {
        let percent = (share * 100.0) as f32;
        let percent = pg_sys::makeConst(
            pg_sys::FLOAT4OID,
            -1,
            pg_sys::InvalidOid,
            size_of::<f32>() as c_int,
            percent.into_datum().expect("a number is never NULL"),
            false,
            true,
        );
        let mut sample =
            PgBox::<pg_sys::TableSampleClause>::alloc_node(pg_sys::NodeTag::T_TableSampleClause);
        sample.tsmhandler = SYSTEM.into();
        sample.args = list_of([percent]);
        sample.into_pg()
    }
}

/// Counts the rows of the query.
#[repr(C)]
struct Counter {
    base: pg_sys::DestReceiver,
    rows: u64,
}

unsafe extern "C-unwind" fn count_row(
    _row: *mut pg_sys::TupleTableSlot,
    receiver: *mut pg_sys::DestReceiver,
) -> bool {
    // SAFETY: PostgreSQL passes the receiver with which the plan was run, the `Counter`.
    unsafe { (*receiver.cast::<Counter>()).rows += 1 };
    true
}
