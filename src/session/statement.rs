//! When the statement that calls a reader began.
//!
//! Expiry is checked for the start of each statement, whether the client issued it, a function, a
//! procedure, or a DO block that runs for hours. A query that began in time may finish, however
//! long it takes.
//!
//! Statements are distinguished by their snapshots. A query keeps its snapshot while it runs. Each
//! statement of a VOLATILE function or of a procedure takes a new one. A STABLE function uses that
//! of the calling query, and is part of it here too. If no query has the current snapshot, as in an
//! assignment of PL/pgSQL, the statement begins now.
//!
//! A snapshot is identified by its address, which another snapshot may get after it is freed. A
//! query that ends is removed from the list with its memory, before its snapshot is freed. The
//! memory of a query that fails may live longer (a cursor, an SQL function), so the end of the
//! subtransaction in which it failed removes it from the list, and so does the end of the
//! transaction.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};

use pgrx::pg_sys;

use crate::clock;
use crate::process_local::process_local;

unsafe extern "C-unwind" {
    // Without pgrx's guard, which costs more than these functions: they only read variables.
    safe fn GetCurrentStatementStartTimestamp() -> pg_sys::TimestampTz;
    safe fn GetCurrentTransactionNestLevel() -> c_int;
    safe fn ActiveSnapshotSet() -> bool;
    fn GetActiveSnapshot() -> pg_sys::Snapshot;
}

/// A query that runs, or that a cursor keeps open.
struct Query {
    number: usize,
    descriptor: *const pg_sys::QueryDesc,
    snapshot: pg_sys::Snapshot,
    /// The nesting level of the subtransaction in which it was started, or runs or ran last.
    level: c_int,
    /// When it began, in seconds since 1970.
    began: i64,
}

process_local! {
    /// The queries that began while somebody was signed in with an identity that can expire.
    static QUERIES: RefCell<Vec<Query>> = const { RefCell::new(Vec::new()) };
    /// The number of the next query.
    static NEXT: Cell<usize> = const { Cell::new(0) };
}

/// Registers for the ends of transactions and subtransactions.
pub fn define() {
    // SAFETY: callbacks that touch this process's memory only.
    unsafe {
        pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_ends), std::ptr::null_mut());
    }
}

unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(
        event,
        XACT_EVENT_ABORT | XACT_EVENT_COMMIT | XACT_EVENT_PREPARE
    ) {
        QUERIES.with_borrow_mut(Vec::clear);
    }
}

unsafe extern "C-unwind" fn subtransaction_ends(
    event: pg_sys::SubXactEvent::Type,
    _: pg_sys::SubTransactionId,
    _: pg_sys::SubTransactionId,
    _: *mut c_void,
) {
    use pg_sys::SubXactEvent::{SUBXACT_EVENT_ABORT_SUB, SUBXACT_EVENT_COMMIT_SUB};
    let level = GetCurrentTransactionNestLevel();
    QUERIES.with_borrow_mut(|queries| match event {
        SUBXACT_EVENT_ABORT_SUB => queries.retain(|query| query.level < level),
        SUBXACT_EVENT_COMMIT_SUB => {
            for query in queries.iter_mut() {
                query.level = query.level.min(level - 1);
            }
        }
        _ => {}
    });
}

/// When the current statement began, in seconds since 1970. Parallel workers get it from their
/// leader, as far as PostgreSQL passes it: when the client's statement began.
pub fn began() -> i64 {
    // SAFETY: reads a variable of this process.
    if unsafe { pg_sys::ParallelWorkerNumber } >= 0 {
        return client_began();
    }
    if !ActiveSnapshotSet() {
        return clock::seconds();
    }
    // SAFETY: there is one.
    with_snapshot(unsafe { GetActiveSnapshot() })
}

/// When the statement with this snapshot began. A row that a client fetches later belongs to a
/// later statement.
pub fn with_snapshot(snapshot: pg_sys::Snapshot) -> i64 {
    match query_of(snapshot) {
        Some(began) => began.max(client_began()),
        None => clock::seconds(),
    }
}

/// A query has begun, and uses its own memory context until it ends or fails.
///
/// # Safety
/// The query must have been started.
pub unsafe fn begin(query: *const pg_sys::QueryDesc, began: i64) {
    // SAFETY: as the caller promises, the query has been started, so it has a state with a memory context.
    unsafe {
        let snapshot = (*query).snapshot;
        if snapshot.is_null() || query_of(snapshot).is_some() {
            return;
        }
        let memory = (*(*query).estate).es_query_cxt;
        let ended: *mut pg_sys::MemoryContextCallback =
            pg_sys::MemoryContextAlloc(memory, size_of::<pg_sys::MemoryContextCallback>()).cast();
        let number = NEXT.replace(NEXT.get() + 1);
        (*ended).func = Some(end);
        (*ended).arg = std::ptr::without_provenance_mut(number);
        let query = Query {
            number,
            descriptor: query,
            snapshot,
            level: GetCurrentTransactionNestLevel(),
            began,
        };
        QUERIES.with_borrow_mut(|queries| queries.push(query));
        pg_sys::MemoryContextRegisterResetCallback(memory, ended);
    }
}

/// A started query runs, perhaps in a later subtransaction, as a cursor does.
pub fn run(query: *const pg_sys::QueryDesc) {
    QUERIES.with_borrow_mut(|queries| {
        if let Some(known) = queries.iter_mut().find(|known| known.descriptor == query) {
            known.level = GetCurrentTransactionNestLevel();
        }
    });
}

/// The memory of a query is freed.
unsafe extern "C-unwind" fn end(number: *mut c_void) {
    QUERIES.with_borrow_mut(|queries| queries.retain(|query| query.number != number.addr()));
}

fn query_of(snapshot: pg_sys::Snapshot) -> Option<i64> {
    QUERIES.with_borrow(|queries| {
        let mut queries = queries.iter().rev();
        let query = queries.find(|query| query.snapshot == snapshot)?;
        Some(query.began)
    })
}

fn client_began() -> i64 {
    clock::seconds_of(GetCurrentStatementStartTimestamp())
}
