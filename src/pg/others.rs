//! Tables of other roles, read without executing anything of theirs.
//!
//! A query on such a table executes what its owner has attached to it with the rights of the user who
//! runs the query: the view that took its place, a cast to json, a function of an index or a CHECK that
//! the planner evaluates. So rows are read here without a query: only from an ordinary table, by a heap
//! scan or a plain btree index of a built-in type, and only by the output functions of types, which
//! only superusers can create.
//!
//! Rows are those of the latest committed state and of this transaction, whatever its snapshot is.
//! That is impossible in parallel workers, where it raises an error.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::{IntoDatum, PgList, pg_sys};

use super::compat;
use super::row::slot_for_tuples;
use crate::clock;

const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
const KEEP: pg_sys::LOCKMODE = pg_sys::NoLock as pg_sys::LOCKMODE;
/// The operator family of uuid's btree indexes, which has no name in PostgreSQL's headers.
const UUID_BTREE_FAMILY: pg_sys::Oid = pg_sys::Oid::from_u32(2968);

/// An ordinary table, open and locked against changes of its definition; the lock is held until the
/// transaction ends.
pub struct OthersTable(pg_sys::Relation);

/// No plain index begins with the column.
#[derive(Debug)]
pub struct NoIndex;

/// A column that exists.
pub struct Column {
    pub name: String,
    number: pg_sys::AttrNumber,
    /// Its type, or the type that its domain is over.
    pub of_type: pg_sys::Oid,
    output: pg_sys::Oid,
    is_varlena: bool,
    /// The index for look-ups, once it is known whether there is one.
    index: Cell<Option<pg_sys::Oid>>,
}

impl OthersTable {
    /// `None` unless it is an ordinary table that every session can read.
    pub fn open(relation: pg_sys::Oid) -> Option<Self> {
        // SAFETY: inside a transaction; closed when dropped.
        unsafe {
            let open = pg_sys::try_relation_open(relation, LOCK);
            if open.is_null() {
                return None;
            }
            let table = Self(open);
            let class = &*(*open).rd_rel;
            let is_ordinary = class.relkind as u8 == pg_sys::RELKIND_RELATION
                && !class.relispartition
                && class.relpersistence as u8 != pg_sys::RELPERSISTENCE_TEMP
                && class.relam == pg_sys::HEAP_TABLE_AM_OID;
            is_ordinary.then_some(table)
        }
    }

    pub fn oid(&self) -> pg_sys::Oid {
        // SAFETY: it is open.
        unsafe { (*self.0).rd_id }
    }

    pub fn pages(&self) -> u32 {
        // SAFETY: it is open.
        unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.0, pg_sys::ForkNumber::MAIN_FORKNUM) }
    }

    /// All columns whose values are stored.
    pub fn columns(&self) -> Vec<Column> {
        // SAFETY: the description of an open relation.
        unsafe {
            let description = (*self.0).rd_att;
            (0..(*description).natts)
                .map(|place| &*compat::attribute(description, place))
                // A virtual generated column would have to be computed by the owner's expression.
                .filter(|column| {
                    !column.attisdropped && matches!(column.attgenerated as u8, 0 | b's')
                })
                .map(|column| {
                    let (mut output, mut is_varlena) = (pg_sys::InvalidOid, false);
                    pg_sys::getTypeOutputInfo(
                        column.atttypid,
                        &raw mut output,
                        &raw mut is_varlena,
                    );
                    let name = CStr::from_ptr(column.attname.data.as_ptr());
                    Column {
                        name: name.to_string_lossy().into_owned(),
                        number: column.attnum,
                        of_type: pg_sys::getBaseType(column.atttypid),
                        output,
                        is_varlena,
                        index: Cell::new(None),
                    }
                })
                .collect()
        }
    }

    /// Whether the table has a trigger that calls a function.
    pub fn has_trigger(&self, function: pg_sys::Oid) -> bool {
        // SAFETY: the triggers of an open relation.
        unsafe {
            let triggers = (*self.0).trigdesc;
            !triggers.is_null()
                && std::slice::from_raw_parts(
                    (*triggers).triggers,
                    (*triggers).numtriggers as usize,
                )
                .iter()
                .any(|trigger| trigger.tgfoid == function)
        }
    }

    /// The rows of a transition table of this table.
    ///
    /// # Safety
    /// The store must be such a transition table.
    pub unsafe fn each_in(
        &self,
        store: *mut pg_sys::Tuplestorestate,
        mut read: impl FnMut(&OthersRow),
    ) {
        // SAFETY: a read pointer of our own; the description is that of the rows.
        unsafe {
            let slot = pg_sys::MakeSingleTupleTableSlot(
                (*self.0).rd_att,
                &raw const pg_sys::TTSOpsMinimalTuple,
            );
            let rewind = pg_sys::EXEC_FLAG_REWIND as i32;
            let pointer = pg_sys::tuplestore_alloc_read_pointer(store, rewind);
            pg_sys::tuplestore_select_read_pointer(store, pointer);
            pg_sys::tuplestore_rescan(store);
            while pg_sys::tuplestore_gettupleslot(store, true, false, slot) {
                pgrx::check_for_interrupts!();
                read(&OthersRow(slot));
            }
            pg_sys::ExecDropSingleTupleTableSlot(slot);
        }
    }

    /// Passes each row to `read`.
    pub fn each(&self, mut read: impl FnMut(&OthersRow)) {
        self.scan(&mut read);
    }

    /// Compiled once for all that read.
    fn scan(&self, read: &mut dyn FnMut(&OthersRow)) {
        // SAFETY: the relation is open; what is begun is ended, and after an ERROR the abort ends it.
        unsafe {
            let slot = slot_for_tuples((*self.0).rd_att);
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let scan = pg_sys::systable_beginscan(
                self.0,
                pg_sys::InvalidOid,
                false,
                snapshot,
                0,
                std::ptr::null_mut(),
            );
            loop {
                pgrx::check_for_interrupts!();
                let tuple = pg_sys::systable_getnext(scan);
                if tuple.is_null() {
                    break;
                }
                pg_sys::ExecStoreHeapTuple(tuple, slot, false);
                read(&OthersRow(slot));
            }
            pg_sys::ExecDropSingleTupleTableSlot(slot);
            pg_sys::systable_endscan(scan);
            pg_sys::UnregisterSnapshot(snapshot);
        }
    }

    /// The first result that `read` returns for a row whose column has exactly this text. A key that
    /// is no value of the column's type is in no row.
    pub fn find<T>(
        &self,
        column: &Column,
        key: &str,
        read: impl FnMut(&OthersRow) -> Option<T>,
    ) -> Result<Option<T>, NoIndex> {
        let mut lookups = self.lookups(column)?;
        let answer = lookups.find(key, read);
        lookups.close();
        Ok(answer)
    }

    pub fn has_index(&self, column: &Column) -> bool {
        self.lookups(column).map(OthersLookups::close).is_ok()
    }

    /// Any number of look-ups by one column, all in one state of the table.
    pub fn lookups<'t>(&'t self, column: &'t Column) -> Result<OthersLookups<'t>, NoIndex> {
        let plain = column.plain_index().ok_or(NoIndex)?;
        // SAFETY: what is opened is closed, and after an ERROR the abort closes it.
        unsafe {
            let index = self.index(column, &plain).ok_or(NoIndex)?;
            let snapshot = pg_sys::RegisterSnapshot(pg_sys::GetLatestSnapshot());
            let mut key = pg_sys::ScanKeyData::default();
            pg_sys::ScanKeyEntryInitialize(
                &raw mut key,
                0,
                1,
                pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber,
                pg_sys::InvalidOid,
                *(*index).rd_indcollation,
                plain.equals,
                pg_sys::Datum::from(0),
            );
            Ok(OthersLookups {
                column,
                index,
                snapshot,
                scan: compat::index_beginscan(self.0, index, snapshot, 1),
                slot: pg_sys::table_slot_create(self.0, std::ptr::null_mut()),
                key,
            })
        }
    }

    /// The open index for look-ups by a column, if there is a usable one.
    unsafe fn index(&self, column: &Column, plain: &PlainIndex) -> Option<pg_sys::Relation> {
        // SAFETY: the table is open and locked, so its index with this OID exists; one that is not usable is
        // closed again.
        unsafe {
            let open_if_usable = |index: pg_sys::Oid| {
                let open = pg_sys::index_open(index, LOCK);
                if plain.is(open, column.number) {
                    return Some(open);
                }
                pg_sys::index_close(open, KEEP);
                None
            };
            // It exists: the lock on the table keeps it, and a dropped one would have invalidated
            // what is known of the table.
            if let Some(known) = column.index.get()
                && let Some(open) = open_if_usable(known)
            {
                return Some(open);
            }
            let indexes = PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(self.0));
            let mut found: Option<pg_sys::Relation> = None;
            for index in indexes.iter_oid() {
                let Some(open) = open_if_usable(index) else {
                    continue;
                };
                let is_unique = (*(*open).rd_index).indisunique;
                match found {
                    Some(_) if !is_unique => pg_sys::index_close(open, KEEP),
                    before => {
                        if let Some(before) = before {
                            pg_sys::index_close(before, KEEP);
                        }
                        found = Some(open);
                    }
                }
            }
            column.index.set(found.map(|index| (*index).rd_id));
            found
        }
    }
}

impl Drop for OthersTable {
    fn drop(&mut self) {
        // SAFETY: it is open.
        unsafe { pg_sys::relation_close(self.0, KEEP) };
    }
}

/// What a btree index over a built-in type has.
struct PlainIndex {
    family: pg_sys::Oid,
    input: pg_sys::Oid,
    equals: pg_sys::Oid,
}

impl PlainIndex {
    /// Whether an index begins with the column, and its search executes only built-in functions.
    unsafe fn is(&self, index: pg_sys::Relation, column: pg_sys::AttrNumber) -> bool {
        // SAFETY: the caller has opened the index, so its entries in the relation cache are set and have as
        // many elements as it has columns.
        unsafe {
            let form = &*(*index).rd_index;
            let key_columns = form.indnatts as usize;
            let columns = form.indkey.values.as_slice(key_columns);
            (*(*index).rd_rel).relam == pg_sys::BTREE_AM_OID
                && form.indisvalid
                && form.indislive
                && columns.first() == Some(&column)
                && has_no_expression(index)
                && *(*index).rd_opfamily == self.family
                && *(*index).rd_opcintype == self.input
                && (!form.indcheckxmin || is_visible_to_all(index))
        }
    }
}

/// Neither an expression nor a predicate; their texts are read, not evaluated.
unsafe fn has_no_expression(index: pg_sys::Relation) -> bool {
    // SAFETY: the caller has opened the index, so the relation cache has its row of pg_index.
    unsafe {
        let tuple = (*index).rd_indextuple;
        [
            pg_sys::Anum_pg_index_indexprs,
            pg_sys::Anum_pg_index_indpred,
        ]
        .into_iter()
        .all(|attribute| pg_sys::heap_attisnull(tuple, attribute as i32, std::ptr::null_mut()))
    }
}

/// An index that was built over rows in use misses versions of them that old snapshots see.
unsafe fn is_visible_to_all(index: pg_sys::Relation) -> bool {
    // SAFETY: the caller has opened the index, so the relation cache has its row of pg_index, with a header.
    unsafe {
        let header = &*(*(*index).rd_indextuple).t_data;
        let built_by = header.t_choice.t_heap.t_xmin;
        // A frozen row keeps its xmin, which can be of an earlier round of the counter.
        let is_frozen =
            u32::from(header.t_infomask) & pg_sys::HEAP_XMIN_FROZEN == pg_sys::HEAP_XMIN_FROZEN;
        is_frozen || pg_sys::TransactionIdPrecedes(built_by, pg_sys::TransactionXmin)
    }
}

/// A table that is open for look-ups.
pub struct OthersLookups<'t> {
    column: &'t Column,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    scan: pg_sys::IndexScanDesc,
    slot: *mut pg_sys::TupleTableSlot,
    key: pg_sys::ScanKeyData,
}

impl OthersLookups<'_> {
    /// As `OthersTable::find`.
    pub fn find<T>(
        &mut self,
        key: &str,
        mut read: impl FnMut(&OthersRow) -> Option<T>,
    ) -> Option<T> {
        let mut answer = None;
        self.until(key, &mut |row| {
            answer = read(row);
            answer.is_some()
        });
        answer
    }

    /// Passes rows to `read` until it returns true. Compiled once for all that read.
    fn until(&mut self, key: &str, read: &mut dyn FnMut(&OthersRow) -> bool) {
        let Some(argument) = self.column.value_of(key) else {
            return;
        };
        self.key.sk_argument = argument;
        let forward = pg_sys::ScanDirection::ForwardScanDirection;
        let mut is_found = false;
        // SAFETY: everything is open; the scan copies the key, and the value lives until it ends.
        unsafe {
            pg_sys::index_rescan(self.scan, &raw mut self.key, 1, std::ptr::null_mut(), 0);
            while !is_found && pg_sys::index_getnext_slot(self.scan, forward, self.slot) {
                pgrx::check_for_interrupts!();
                let row = OthersRow(self.slot);
                // The index may take different texts for equal, by its collation.
                if row.is(self.column, key) {
                    is_found = read(&row);
                }
            }
            pg_sys::ExecClearTuple(self.slot);
            if !self.column.is_by_value() {
                pg_sys::pfree(self.key.sk_argument.cast_mut_ptr());
            }
        }
    }

    pub fn close(self) {
        // SAFETY: what `lookups` opened.
        unsafe {
            pg_sys::ExecDropSingleTupleTableSlot(self.slot);
            pg_sys::index_endscan(self.scan);
            pg_sys::UnregisterSnapshot(self.snapshot);
            pg_sys::index_close(self.index, KEEP);
        }
    }
}

impl Column {
    /// Whether its values can be ids: a uuid, a text or an integer.
    pub fn is_id(&self) -> bool {
        self.plain_index().is_some()
    }

    pub fn is_integer(&self) -> bool {
        matches!(
            self.of_type,
            pg_sys::INT2OID | pg_sys::INT4OID | pg_sys::INT8OID
        )
    }

    pub fn is_boolean(&self) -> bool {
        self.of_type == pg_sys::BOOLOID
    }

    pub fn is_time(&self) -> bool {
        matches!(self.of_type, pg_sys::TIMESTAMPTZOID | pg_sys::TIMESTAMPOID)
    }

    fn is_by_value(&self) -> bool {
        self.is_integer()
    }

    fn plain_index(&self) -> Option<PlainIndex> {
        use pg_sys::{F_INT2EQ, F_INT4EQ, F_INT8EQ, F_TEXTEQ, F_UUID_EQ};
        use pg_sys::{INT2OID, INT4OID, INT8OID, TEXTOID, UUIDOID, VARCHAROID};
        let integers = pg_sys::INTEGER_BTREE_FAM_OID;
        let (family, input, equals) = match self.of_type {
            TEXTOID | VARCHAROID => (pg_sys::TEXT_BTREE_FAM_OID, TEXTOID, F_TEXTEQ),
            UUIDOID => (UUID_BTREE_FAMILY, UUIDOID, F_UUID_EQ),
            INT2OID => (integers, INT2OID, F_INT2EQ),
            INT4OID => (integers, INT4OID, F_INT4EQ),
            INT8OID => (integers, INT8OID, F_INT8EQ),
            _ => return None,
        };
        Some(PlainIndex {
            family,
            input,
            equals: pg_sys::Oid::from(equals),
        })
    }

    /// The value that is written as this text; `None` if there is none.
    fn value_of(&self, text: &str) -> Option<pg_sys::Datum> {
        match self.of_type {
            pg_sys::UUIDOID => uuid_of(text),
            pg_sys::INT2OID => text.parse::<i16>().ok()?.into_datum(),
            pg_sys::INT4OID => text.parse::<i32>().ok()?.into_datum(),
            pg_sys::INT8OID => text.parse::<i64>().ok()?.into_datum(),
            _ => text.into_datum(),
        }
    }
}

/// A uuid in the spelling in which PostgreSQL writes it.
fn uuid_of(text: &str) -> Option<pg_sys::Datum> {
    let digits: Vec<u8> = text.bytes().filter(|&digit| digit != b'-').collect();
    if text.len() != 36 || digits.len() != 32 {
        return None;
    }
    let nibble = |digit: u8| char::from(digit).to_digit(16).map(|value| value as u8);
    // SAFETY: as many bytes as a uuid has, in memory that is fresh.
    unsafe {
        let uuid = pg_sys::palloc0(16).cast::<u8>();
        for (place, pair) in digits.chunks(2).enumerate() {
            *uuid.add(place) = nibble(pair[0])? << 4 | nibble(pair[1])?;
        }
        Some(pg_sys::Datum::from(uuid))
    }
}

/// A row, while it is in its slot. Each method returns `None` for NULL.
pub struct OthersRow(*mut pg_sys::TupleTableSlot);

impl OthersRow {
    /// The text of a value of any type, as its output function writes it.
    pub fn text(&self, column: &Column) -> Option<String> {
        let datum = self.datum(column)?;
        // SAFETY: the types of the column's values.
        unsafe {
            Some(match column.of_type {
                pg_sys::TEXTOID | pg_sys::VARCHAROID => {
                    with_text(datum, |text| String::from_utf8_lossy(text).into_owned())
                }
                pg_sys::UUIDOID => {
                    let bytes = std::slice::from_raw_parts(datum.cast_mut_ptr::<u8>(), 16);
                    written_uuid(bytes)
                }
                pg_sys::INT2OID => (datum.value() as i16).to_string(),
                pg_sys::INT4OID => (datum.value() as i32).to_string(),
                pg_sys::INT8OID => (datum.value() as i64).to_string(),
                _ => {
                    let text = pg_sys::OidOutputFunctionCall(column.output, datum);
                    let copy = CStr::from_ptr(text).to_string_lossy().into_owned();
                    pg_sys::pfree(text.cast());
                    copy
                }
            })
        }
    }

    /// Whether a value has exactly this text.
    fn is(&self, column: &Column, text: &str) -> bool {
        match column.of_type {
            pg_sys::TEXTOID | pg_sys::VARCHAROID => self.datum(column).is_some_and(|datum| {
                // SAFETY: the column is a text.
                unsafe { with_text(datum, |own| own == text.as_bytes()) }
            }),
            _ => self.text(column).as_deref() == Some(text),
        }
    }

    /// A column of type boolean.
    pub fn boolean(&self, column: &Column) -> Option<bool> {
        Some(self.datum(column)?.value() != 0)
    }

    /// A column of type timestamptz, or of type timestamp read as UTC, in microseconds since 1970.
    pub fn microseconds(&self, column: &Column) -> Option<i64> {
        Some(clock::microseconds_of(self.datum(column)?.value() as i64))
    }

    /// The size of a value as it is stored, before compression; 0 for one that cannot be large.
    pub fn size(&self, column: &Column) -> usize {
        match self.datum(column) {
            // SAFETY: reads only the header of a value of such a type.
            Some(datum) if column.is_varlena => unsafe { pg_sys::toast_raw_datum_size(datum) },
            _ => 0,
        }
    }

    /// The value itself.
    pub fn datum(&self, column: &Column) -> Option<pg_sys::Datum> {
        let mut is_null = true;
        // SAFETY: the slot holds a row of the table that has the column.
        let datum = unsafe { pg_sys::slot_getattr(self.0, column.number.into(), &raw mut is_null) };
        (!is_null).then_some(datum)
    }
}

/// Reads the bytes of a text, wherever it is stored.
///
/// # Safety
/// The datum must be a text.
pub unsafe fn with_text<T>(text: pg_sys::Datum, read: impl FnOnce(&[u8]) -> T) -> T {
    // SAFETY: as the caller promises, the datum is a text; the detoasted copy lives until `read` has returned.
    unsafe {
        let stored = text.cast_mut_ptr::<pg_sys::varlena>();
        let packed = pg_sys::pg_detoast_datum_packed(stored);
        let result = read(pgrx::varlena_to_byte_slice(packed));
        if packed != stored {
            pg_sys::pfree(packed.cast());
        }
        result
    }
}

fn written_uuid(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(36);
    for (place, byte) in bytes.iter().enumerate() {
        if matches!(place, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(DIGITS[usize::from(byte >> 4)].into());
        text.push(DIGITS[usize::from(byte & 15)].into());
    }
    text
}
