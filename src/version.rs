//! Whether this library and the SQL objects of the database have the same version.
//!
//! After an update, a new library runs in databases without `ALTER EXTENSION neon_auth UPDATE`, and
//! a session continues with the library that it has loaded. Neither may use tables and functions
//! that it does not know. So all code that reads or writes the extension's tables checks the
//! version first, and so does all code that sets an identity; readers of the identity need not.
//!
//! The result is cached until a table or a function changes in the database, as in every update
//! that matters. `CREATE`, `ALTER` and `DROP EXTENSION` and `pg_dump` do not check it.

use std::cell::Cell;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{FromDatum, IntoDatum, PgLogLevel, pg_guard, pg_sys};

use crate::error::Problem;
use crate::relcache;

const LIBRARY: &str = env!("CARGO_PKG_VERSION");

thread_local! {
    /// How many changes of tables or functions PostgreSQL has reported.
    static CHANGES: Cell<u64> = const { Cell::new(1) };
    /// How many there had been when the versions were found to agree; 0 for never.
    static AGREED_AFTER: Cell<u64> = const { Cell::new(0) };
}

/// Registers for changes of tables; once, when the library is loaded.
pub fn define() {
    relcache::on_change(relation_changed);
}

/// Has PostgreSQL report changes; once, before the first reading of what the library caches.
fn listen() {
    if !relcache::listen() {
        return;
    }
    // SAFETY: a guarded callback that touches only this process's memory.
    unsafe {
        pg_sys::CacheRegisterSyscacheCallback(
            pg_sys::SysCacheIdentifier::PROCOID as i32,
            Some(function_changed),
            pg_sys::Datum::from(0),
        );
    }
}

/// An error unless the database has the extension in this library's version.
pub fn agree() -> Result<(), Problem> {
    if AGREED_AFTER.get() == CHANGES.get() {
        return Ok(());
    }
    listen();
    // Counted before the reading, so that a change during the reading is not missed.
    let changes = CHANGES.get();
    match installed() {
        Some(version) if version == LIBRARY => {
            AGREED_AFTER.set(changes);
            Ok(())
        }
        installed => Err(Problem::OtherVersion {
            library: LIBRARY,
            is_older: installed
                .as_deref()
                .is_some_and(|installed| is_older(LIBRARY, installed)),
            installed,
        }),
    }
}

/// The same, raised as an ERROR.
pub fn demand() {
    if let Err(problem) = agree() {
        ErrorReport::from(problem).report(PgLogLevel::ERROR);
    }
}

/// Whether one version is before another. A version that does not consist of numbers is before
/// none.
fn is_older(version: &str, other: &str) -> bool {
    fn numbers(version: &str) -> Option<Vec<u32>> {
        version.split('.').map(|part| part.parse().ok()).collect()
    }
    matches!((numbers(version), numbers(other)), (Some(a), Some(b)) if a < b)
}

/// The version in `pg_extension`; `None` if the extension is not installed.
fn installed() -> Option<String> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    let mut key = pg_sys::ScanKeyData::default();
    // SAFETY: a catalog look-up inside a transaction; what is opened is closed, and after an ERROR
    // the abort closes it.
    unsafe {
        pg_sys::ScanKeyInit(
            &raw mut key,
            pg_sys::Anum_pg_extension_extname as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::F_NAMEEQ.into(),
            c"neon_auth".into_datum().expect("a name is never NULL"),
        );
        let catalog = pg_sys::table_open(pg_sys::ExtensionRelationId, lock);
        let scan = pg_sys::systable_beginscan(
            catalog,
            pg_sys::Oid::from(pg_sys::ExtensionNameIndexId),
            true,
            std::ptr::null_mut(),
            1,
            &raw mut key,
        );
        let tuple = pg_sys::systable_getnext(scan);
        let version = if tuple.is_null() {
            None
        } else {
            let mut is_null = true;
            let number = pg_sys::Anum_pg_extension_extversion as i32;
            let datum = pg_sys::heap_getattr(tuple, number, (*catalog).rd_att, &mut is_null);
            String::from_datum(datum, is_null)
        };
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, lock);
        version
    }
}

fn changed() {
    CHANGES.set(CHANGES.get() + 1);
}

fn relation_changed(_relation: pg_sys::Oid) {
    changed();
}

#[pg_guard]
unsafe extern "C-unwind" fn function_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    changed();
}
