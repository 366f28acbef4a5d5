//! Changes of tables, as PostgreSQL reports them to each process.
//!
//! PostgreSQL has ten places in each process for functions that it calls when a table changes. It
//! takes some itself, other extensions take some, and a process that needs one more ends with
//! `FATAL: out of relcache_callback_list slots`. So the library takes only one for all of its
//! caches, and only in a process that reads its tables.

use std::cell::{Cell, RefCell};

use pgrx::{pg_guard, pg_sys};

use crate::process_local::process_local;

/// Called with the OID of a table that has changed, or with `InvalidOid` if any may have. Touches
/// only this process's memory.
type Listener = fn(pg_sys::Oid);

process_local! {
    static LISTENERS: RefCell<Vec<Listener>> = const { RefCell::new(Vec::new()) };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// Adds a function to those that are called. Takes no place of PostgreSQL's.
pub fn on_change(listener: Listener) {
    LISTENERS.with_borrow_mut(|listeners| listeners.push(listener));
}

/// Registers for reports, once; returns whether it did so now. What was cached before may have missed
/// some, so it is stale.
pub fn listen() -> bool {
    if LISTENING.replace(true) {
        return false;
    }
    // SAFETY: a guarded callback that touches only this process's memory.
    unsafe { pg_sys::CacheRegisterRelcacheCallback(Some(changed), pg_sys::Datum::from(0)) };
    report(pg_sys::InvalidOid);
    true
}

#[pg_guard]
unsafe extern "C-unwind" fn changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    report(relation);
}

fn report(relation: pg_sys::Oid) {
    LISTENERS.with_borrow(|listeners| listeners.iter().for_each(|listener| listener(relation)));
}
