//! Rows of the mirror by their key, read directly from an index.
//!
//! A query through SPI costs 4 to 20 µs, mostly to start and end the executor; this costs about
//! one. It reads as the tables' owner, with the snapshot of the calling statement or the latest
//! committed state, assigns no transaction id, and works in parallel workers and on a standby.

use std::cell::Cell;

use pgrx::IntoDatum;
use pgrx::prelude::*;

use super::compat;
use super::row::Row;
use super::tables::INDEXED;
use crate::relcache;
use crate::version;

/// A table with an index for look-ups, over columns of type text; in the order of `INDEXED`.
#[derive(Clone, Copy)]
pub enum Table {
    Users,
    Teams,
    DeletedTeams,
    Members,
    TeamPermissions,
    ProjectPermissions,
    Closure,
    Deliveries,
    Secrets,
    ApiKeys,
    ApiKeysById,
    ApiKeyUses,
    Revocations,
}

const UNKNOWN: [[pg_sys::Oid; 2]; INDEXED.len()] = [[pg_sys::InvalidOid; 2]; INDEXED.len()];

thread_local! {
    /// The OIDs of the names that are known. Looking them up takes as long as reading a row.
    static OIDS: Cell<[[pg_sys::Oid; 2]; INDEXED.len()]> = const { Cell::new(UNKNOWN) };
}

const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;

/// Registers for changes of tables.
pub fn define() {
    relcache::on_change(invalidated);
}

/// A dropped or renamed table, or one created by a transaction that fails, has its own invalidation
/// message.
fn invalidated(relation: pg_sys::Oid) {
    let is_known =
        |oids: [[pg_sys::Oid; 2]; INDEXED.len()]| oids.as_flattened().contains(&relation);
    if relation == pg_sys::InvalidOid || is_known(OIDS.get()) {
        OIDS.set(UNKNOWN);
    }
}

impl Table {
    /// Whether there is a row with this key.
    pub fn has(self, key: &[&str]) -> bool {
        self.find(key, |_| Some(())).is_some()
    }

    /// The first result that `read` returns for a row with this key, or with these leading columns
    /// of a key.
    pub fn find<T>(self, key: &[&str], read: impl FnMut(&Row) -> Option<T>) -> Option<T> {
        let mut lookups = self.lookups(key.len());
        let answer = lookups.find(key, read);
        lookups.close();
        answer
    }

    /// The same with the latest committed state, whatever snapshot the transaction has: for what
    /// decides whether a credential is accepted.
    pub fn find_latest<T>(self, key: &[&str], read: impl FnMut(&Row) -> Option<T>) -> Option<T> {
        let mut lookups = self.latest_lookups(key.len());
        let answer = lookups.find(key, read);
        lookups.close();
        answer
    }

    /// Any number of look-ups by the same number of columns of the index.
    pub fn lookups(self, columns: usize) -> Lookups {
        self.lookups_with(Seen::by_statement(), columns)
    }

    /// The same with the latest committed state.
    pub fn latest_lookups(self, columns: usize) -> Lookups {
        self.lookups_with(Seen::latest(), columns)
    }

    fn lookups_with(self, seen: Seen, columns: usize) -> Lookups {
        version::demand();
        // SAFETY: what is opened is closed, and after an ERROR the abort closes it.
        unsafe {
            let relation = self.open();
            // Only now: locking may have received the invalidation of another index.
            let index = pg_sys::index_open(self.index(relation), LOCK);
            Lookups {
                scan: compat::index_beginscan(relation, index, seen.snapshot(), columns as i32),
                seen,
                relation,
                index,
                slot: pg_sys::table_slot_create(relation, std::ptr::null_mut()),
                keys: (1..=columns).map(is_equal).collect(),
            }
        }
    }

    unsafe fn open(self) -> pg_sys::Relation {
        // SAFETY: the caller is in a transaction, and closes the relation that this opens and locks.
        unsafe {
            let relation = pg_sys::try_relation_open(self.table(), LOCK);
            if !relation.is_null() {
                return relation;
            }
            // Dropped, and no invalidation has arrived yet.
            OIDS.set(UNKNOWN);
            pg_sys::table_open(self.table(), LOCK)
        }
    }

    fn table(self) -> pg_sys::Oid {
        self.known_or(0, || INDEXED[self as usize].0.oid())
    }

    /// # Safety
    /// The relation must be the open table.
    unsafe fn index(self, relation: pg_sys::Relation) -> pg_sys::Oid {
        // SAFETY: as asked.
        self.known_or(1, || unsafe { INDEXED[self as usize].1.oid(relation) })
    }

    /// The OID of the table (0) or its index (1), looked up if it is not known.
    fn known_or(self, which: usize, look_up: impl FnOnce() -> pg_sys::Oid) -> pg_sys::Oid {
        let known = OIDS.get()[self as usize][which];
        if known != pg_sys::InvalidOid {
            return known;
        }
        let oid = look_up();
        // Read again: a look-up may receive invalidations too.
        let mut oids = OIDS.get();
        oids[self as usize][which] = oid;
        OIDS.set(oids);
        oid
    }
}

/// The snapshot of look-ups.
enum Seen {
    /// That of the calling statement.
    Active,
    /// One of the transaction, because no statement has one.
    Pushed,
    /// The latest committed state.
    Latest(pg_sys::Snapshot),
}

impl Seen {
    fn by_statement() -> Self {
        // SAFETY: inside a transaction; `end` pops the snapshot, and after an ERROR the abort.
        unsafe {
            // After its own COMMIT a procedure has no snapshot until its next statement.
            if pg_sys::ActiveSnapshotSet() {
                return Self::Active;
            }
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            Self::Pushed
        }
    }

    /// While a query runs in parallel, PostgreSQL allows no newer snapshot than its own.
    fn latest() -> Self {
        // SAFETY: inside a transaction; `end` unregisters the snapshot, and after an ERROR the abort.
        unsafe {
            if pg_sys::IsInParallelMode() {
                return Self::by_statement();
            }
            Self::Latest(pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot()))
        }
    }

    fn snapshot(&self) -> pg_sys::Snapshot {
        match self {
            // SAFETY: there is one.
            Self::Active | Self::Pushed => unsafe { pg_sys::GetActiveSnapshot() },
            Self::Latest(snapshot) => *snapshot,
        }
    }

    fn end(self) {
        // SAFETY: as many as were pushed or registered.
        unsafe {
            match self {
                Self::Active => {}
                Self::Pushed => pg_sys::PopActiveSnapshot(),
                Self::Latest(snapshot) => pg_sys::UnregisterSnapshot(snapshot),
            }
        }
    }
}

/// A table that is open for look-ups.
pub struct Lookups {
    seen: Seen,
    relation: pg_sys::Relation,
    index: pg_sys::Relation,
    scan: pg_sys::IndexScanDesc,
    slot: *mut pg_sys::TupleTableSlot,
    keys: Vec<pg_sys::ScanKeyData>,
}

impl Lookups {
    /// The first result that `read` returns for a row with this key.
    pub fn find<T>(&mut self, key: &[&str], mut read: impl FnMut(&Row) -> Option<T>) -> Option<T> {
        assert_eq!(key.len(), self.keys.len());
        for (column, value) in self.keys.iter_mut().zip(key) {
            column.sk_argument = value.into_datum().expect("text is never NULL");
        }
        let forward = pg_sys::ScanDirection::ForwardScanDirection;
        let mut answer = None;
        // SAFETY: everything is open; the scan copies the keys, and the values live until it ends.
        unsafe {
            let count = self.keys.len() as i32;
            pg_sys::index_rescan(
                self.scan,
                self.keys.as_mut_ptr(),
                count,
                std::ptr::null_mut(),
                0,
            );
            while answer.is_none() && pg_sys::index_getnext_slot(self.scan, forward, self.slot) {
                answer = read(&Row::in_slot(self.slot));
            }
            pg_sys::ExecClearTuple(self.slot);
            for column in &self.keys {
                pg_sys::pfree(column.sk_argument.cast_mut_ptr());
            }
        }
        answer
    }

    pub fn close(self) {
        // SAFETY: what `lookups` opened.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::index_endscan(self.scan);
            // The locks are held until the transaction ends, as those of any query. Calls for each
            // row lock only once.
            let keep = pg_sys::NoLock as pg_sys::LOCKMODE;
            pg_sys::index_close(self.index, keep);
            pg_sys::table_close(self.relation, keep);
        }
        self.seen.end();
    }
}

/// The condition that a column of the index, counted from 1, equals a value that is set later.
fn is_equal(column: usize) -> pg_sys::ScanKeyData {
    let mut key = pg_sys::ScanKeyData::default();
    // SAFETY: fills in a struct.
    unsafe {
        pg_sys::ScanKeyEntryInitialize(
            &raw mut key,
            0,
            column as pg_sys::AttrNumber,
            pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
            pg_sys::InvalidOid,
            pg_sys::DEFAULT_COLLATION_OID,
            pg_sys::Oid::from(pg_sys::F_TEXTEQ),
            pg_sys::Datum::from(0),
        );
    }
    key
}
