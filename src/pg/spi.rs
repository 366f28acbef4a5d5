//! Reads and writes the extension's own tables as their owner.
//!
//! `authenticate` and similar functions run with their caller's rights, which decide whether a role
//! may be set, but callers may not access these tables. So this file switches user and search_path
//! around one statement, as a definer function with a fixed search_path does.

use std::ffi::{CStr, CString};

use pgrx::{FromDatum, IntoDatum, PgRelation, pg_sys};

use super::array;
use super::pinned::Pinned;
use super::raised;
use super::tables::PROVIDERS;

/// Runs a query that returns at most one text value, and returns it.
///
/// It sees the latest committed state, whatever snapshot the transaction has: a policy decided on
/// an old snapshot would outlive the transaction in this session's cache. It assigns no transaction
/// id and works in READ ONLY transactions and on a standby.
pub fn read(query: &str, arguments: &[&str]) -> Option<String> {
    // SAFETY: the snapshot is popped in the same nesting; after an ERROR the abort does both.
    unsafe {
        pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot());
        let value = run(query, &texts(arguments), true);
        pg_sys::PopActiveSnapshot();
        value
    }
}

/// Runs a statement as the tables' owner, and returns its rows as text.
pub fn rows(query: &str, arguments: &[Option<&str>]) -> Vec<Vec<Option<String>>> {
    // SAFETY: a transaction is active.
    unsafe {
        let outer_context = pg_sys::CurrentMemoryContext;
        let pinned = Pinned::enter(owner(), pg_sys::SECURITY_LOCAL_USERID_CHANGE);
        pg_sys::SPI_connect();
        let arguments: Vec<Argument> = arguments.iter().copied().map(Argument::Text).collect();
        execute(query, &arguments, false);
        let table = pg_sys::SPI_tuptable;
        let mut rows = Vec::new();
        if !table.is_null() {
            let description = (*table).tupdesc;
            for row in 0..pg_sys::SPI_processed as usize {
                let row = *(*table).vals.add(row);
                let column = |number| {
                    let text = pg_sys::SPI_getvalue(row, description, number);
                    (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
                };
                rows.push((1..=(*description).natts).map(column).collect());
            }
        }
        pg_sys::SPI_finish();
        pg_sys::MemoryContextSwitchTo(outer_context);
        pinned.leave();
        rows
    }
}

/// Runs a statement that changes the extension's tables.
pub fn write(statement: &str, arguments: &[&str]) -> Option<String> {
    // SAFETY: a transaction is active, as `run` requires.
    unsafe { run(statement, &texts(arguments), false) }
}

/// The same with an array as the last parameter.
pub fn write_list(statement: &str, arguments: &[&str], list: &[&str]) -> Option<String> {
    let mut arguments = texts(arguments);
    arguments.push(Argument::Texts(list));
    // SAFETY: as above.
    unsafe { run(statement, &arguments, false) }
}

/// A parameter of a statement.
pub(super) enum Argument<'a> {
    Text(Option<&'a str>),
    Texts(&'a [&'a str]),
}

fn texts<'a>(arguments: &[&'a str]) -> Vec<Argument<'a>> {
    let texts = arguments.iter().copied().map(Some);
    texts.map(Argument::Text).collect()
}

/// # Safety
/// A transaction must be active, with an active snapshot when `read_only`.
unsafe fn run(query: &str, arguments: &[Argument], read_only: bool) -> Option<String> {
    debug_assert!(
        !query.contains("neon_auth."),
        "schema neon_auth can belong to another role: {query}"
    );
    // SAFETY: as the caller promises, a transaction is active; SPI is finished, and the user set back, before
    // the result, which is copied, is used.
    unsafe {
        let outer_context = pg_sys::CurrentMemoryContext;
        let pinned = Pinned::enter(owner(), pg_sys::SECURITY_LOCAL_USERID_CHANGE);
        pg_sys::SPI_connect();
        execute(query, arguments, read_only);
        let table = pg_sys::SPI_tuptable;
        let value = if pg_sys::SPI_processed == 0 || table.is_null() {
            None
        } else {
            let mut is_null = false;
            let datum =
                pg_sys::SPI_getbinval(*(*table).vals, (*table).tupdesc, 1, &raw mut is_null);
            String::from_datum(datum, is_null)
        };
        pg_sys::SPI_finish();
        pg_sys::MemoryContextSwitchTo(outer_context);
        pinned.leave();
        value
    }
}

/// Executes a statement with parameters; its rows are in `SPI_tuptable` afterwards.
///
/// # Safety
/// Between `SPI_connect` and `SPI_finish`; with an active snapshot when `read_only`.
pub(super) unsafe fn execute(statement: &str, arguments: &[Argument], read_only: bool) {
    unsafe extern "C-unwind" {
        fn SPI_execute_with_args(
            query: *const std::ffi::c_char,
            count: i32,
            types: *mut pg_sys::Oid,
            values: *mut pg_sys::Datum,
            nulls: *const std::ffi::c_char,
            read_only: bool,
            most: std::ffi::c_long,
        ) -> i32;
    }
    let query = CString::new(statement).expect("SQL contains no NUL");
    let mut types: Vec<pg_sys::Oid> = Vec::new();
    let mut values: Vec<pg_sys::Datum> = Vec::new();
    let mut nulls: Vec<std::ffi::c_char> = Vec::new();
    for argument in arguments {
        let (of_type, value) = match argument {
            Argument::Text(text) => (pg_sys::TEXTOID, text.into_datum()),
            Argument::Texts(list) => (pg_sys::TEXTARRAYOID, Some(array::of_texts(list))),
        };
        types.push(of_type);
        nulls.push(if value.is_none() { b'n' } else { b' ' } as std::ffi::c_char);
        values.push(value.unwrap_or(pg_sys::Datum::null()));
    }
    let (query, count) = (query.as_ptr(), arguments.len() as i32);
    let (types, values, nulls) = (types.as_mut_ptr(), values.as_mut_ptr(), nulls.as_ptr());
    // All rows, although a caller may want only the first: a statement that is stopped early fires no
    // AFTER triggers.
    let all = 0;
    // SAFETY: as the caller promises; what the pointers point to outlives the call.
    let outcome = unsafe {
        raised::caught_as_raised(|| {
            SPI_execute_with_args(query, count, types, values, nulls, read_only, all)
        })
    };
    if outcome < 0 {
        pgrx::error!("SPI_execute_with_args returned {outcome}");
    }
}

/// Whether this database has the extension.
pub fn is_installed() -> bool {
    // SAFETY: a catalog look-up inside a transaction.
    unsafe { pg_sys::get_extension_oid(c"neon_auth".as_ptr(), true) != pg_sys::InvalidOid }
}

fn owner() -> pg_sys::Oid {
    owner_of(PROVIDERS.oid())
}

/// The owner of a table that exists.
pub fn owner_of(table: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: it is a table's OID, and an open relation has its pg_class row.
    unsafe {
        let relation = PgRelation::with_lock(table, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        (*relation.rd_rel).relowner
    }
}
