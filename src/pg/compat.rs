//! What differs between the majors of PostgreSQL.
//!
//! Each `cfg` names the old majors, so that a new major is treated like the newest.

use std::ffi::{CStr, c_char, c_int, c_void};

use pgrx::pg_sys;

/// What a walk does with a node: true ends the walk.
pub type Walker = unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut c_void) -> bool;
/// What replaces a node in a mutation.
pub type Mutator = unsafe extern "C-unwind" fn(*mut pg_sys::Node, *mut c_void) -> *mut pg_sys::Node;

// Since 16 these are macros around functions with other names.
unsafe extern "C-unwind" {
    #[cfg_attr(
        not(any(feature = "pg14", feature = "pg15")),
        link_name = "expression_tree_walker_impl"
    )]
    pub fn expression_tree_walker(
        node: *mut pg_sys::Node,
        walker: Walker,
        context: *mut c_void,
    ) -> bool;

    #[cfg_attr(
        not(any(feature = "pg14", feature = "pg15")),
        link_name = "query_tree_walker_impl"
    )]
    pub fn query_tree_walker(
        query: *mut pg_sys::Query,
        walker: Walker,
        context: *mut c_void,
        flags: c_int,
    ) -> bool;

    #[cfg_attr(
        not(any(feature = "pg14", feature = "pg15")),
        link_name = "expression_tree_mutator_impl"
    )]
    pub fn expression_tree_mutator(
        node: *mut pg_sys::Node,
        mutator: Mutator,
        context: *mut c_void,
    ) -> *mut pg_sys::Node;

    #[cfg_attr(
        not(any(feature = "pg14", feature = "pg15")),
        link_name = "query_tree_mutator_impl"
    )]
    pub fn query_tree_mutator(
        query: *mut pg_sys::Query,
        mutator: Mutator,
        context: *mut c_void,
        flags: c_int,
    ) -> *mut pg_sys::Query;
}

/// Calls a macro with the arguments that ExecutorRun has: until 17 it was told whether it runs once.
#[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17"))]
macro_rules! with_arguments_of_executor_run {
    ($macro:ident!($($given:tt)*)) => {
        $macro!($($given)*, (query: *mut pg_sys::QueryDesc, direction: pg_sys::ScanDirection::Type,
                             count: u64, once: bool));
    };
}
#[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17")))]
macro_rules! with_arguments_of_executor_run {
    ($macro:ident!($($given:tt)*)) => {
        $macro!($($given)*, (query: *mut pg_sys::QueryDesc, direction: pg_sys::ScanDirection::Type,
                             count: u64));
    };
}
pub(crate) use with_arguments_of_executor_run;

/// Runs a started query until it has no more rows, without pgrx's guard.
///
/// # Safety
/// Inside `raised::attempt`, with a query that has been started.
pub unsafe fn run_to_the_end(query: *mut pg_sys::QueryDesc) {
    #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17"))]
    unsafe extern "C-unwind" {
        fn ExecutorRun(
            query: *mut pg_sys::QueryDesc,
            direction: pg_sys::ScanDirection::Type,
            count: u64,
            once: bool,
        );
    }
    #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17")))]
    unsafe extern "C-unwind" {
        fn ExecutorRun(
            query: *mut pg_sys::QueryDesc,
            direction: pg_sys::ScanDirection::Type,
            count: u64,
        );
    }
    let forward = pg_sys::ScanDirection::ForwardScanDirection;
    // SAFETY: as the caller promises, the query has been started; this is the function's signature in each
    // major.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17"))]
        ExecutorRun(query, forward, 0, true);
        #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17")))]
        ExecutorRun(query, forward, 0);
    }
}

/// Begins an index scan with this number of keys. Since 18 scans can be counted.
///
/// # Safety
/// Both must be open, and the snapshot in use until the scan ends.
pub unsafe fn index_beginscan(
    relation: pg_sys::Relation,
    index: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    keys: c_int,
) -> pg_sys::IndexScanDesc {
    // SAFETY: as the caller promises, both relations are open and the snapshot lasts as long as the scan.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17"))]
        let scan = pg_sys::index_beginscan(relation, index, snapshot, keys, 0);
        #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17")))]
        let scan = {
            let uncounted = std::ptr::null_mut();
            pg_sys::index_beginscan(relation, index, snapshot, uncounted, keys, 0)
        };
        scan
    }
}

/// Installs a handler for a signal. Since 18 the function has another name in the server.
///
/// # Safety
/// The handler must do what is safe in one.
pub unsafe fn handle_signal(signal: u32, handler: unsafe extern "C-unwind" fn(c_int)) {
    // SAFETY: the caller promises that the handler does only what is safe in one.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17"))]
        pg_sys::pqsignal(signal as c_int, Some(handler));
        #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17")))]
        pg_sys::pqsignal_be(signal as c_int, Some(handler));
    }
}

/// Whether a user may set a role by SET ROLE. Until 15 every member could.
///
/// # Safety
/// Inside a transaction.
pub unsafe fn can_set_role(user: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    // SAFETY: as the caller promises, a transaction is active, so roles can be looked up.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15"))]
        let can_set = pg_sys::is_member_of_role(user, role);
        #[cfg(not(any(feature = "pg14", feature = "pg15")))]
        let can_set = pg_sys::member_can_set_role(user, role);
        can_set
    }
}

/// The tables of a query: one relation, whose privilege SELECT the query needs. Since 16 privileges have a list of
/// their own.
pub struct RangeTable {
    pub first: *mut pg_sys::RangeTblEntry,
    state: *mut pg_sys::ParseState,
}

/// # Safety
/// In a transaction; the relation must exist.
pub unsafe fn range_table_of(relation: pg_sys::Oid) -> RangeTable {
    const LOCK: pg_sys::LOCKMODE = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: as the caller promises, the relation exists; its entry is copied before it is closed, and the
    // lock stays.
    unsafe {
        let open = pg_sys::relation_open(relation, LOCK);
        let state = pg_sys::make_parsestate(std::ptr::null_mut());
        let no_alias = std::ptr::null_mut();
        let item = pg_sys::addRangeTableEntryForRelation(state, open, LOCK, no_alias, true, true);
        pg_sys::relation_close(open, pg_sys::NoLock as pg_sys::LOCKMODE);
        RangeTable {
            first: (*item).p_rte,
            state,
        }
    }
}

impl RangeTable {
    /// # Safety
    /// A query without tables.
    pub unsafe fn put_into(self, query: *mut pg_sys::Query) {
        // SAFETY: as the caller promises, the query has no tables, so that the only entry gets the number 1;
        // both are nodes of this memory context.
        unsafe {
            (*query).rtable = (*self.state).p_rtable;
            #[cfg(not(any(feature = "pg14", feature = "pg15")))]
            {
                (*query).rteperminfos = (*self.state).p_rteperminfos;
            }
        }
    }
}

/// Refuses undefined settings with this prefix from now on; 14 warns about them.
///
/// # Safety
/// While the library is loaded.
pub unsafe fn reserve_settings(prefix: &CStr) {
    // SAFETY: as the caller promises, the library is being loaded; the prefix is a C string, which PostgreSQL
    // copies.
    unsafe {
        #[cfg(feature = "pg14")]
        pg_sys::EmitWarningsOnPlaceholders(prefix.as_ptr());
        #[cfg(not(feature = "pg14"))]
        pg_sys::MarkGUCPrefixReserved(prefix.as_ptr());
    }
}

/// Writes a transactional logical message into the WAL. Since 17 it can be flushed at once.
///
/// # Safety
/// Inside a transaction that may write.
pub unsafe fn log_message(prefix: &CStr, message: &[u8]) {
    unsafe extern "C-unwind" {
        fn LogLogicalMessage(
            prefix: *const c_char,
            message: *const c_char,
            size: usize,
            transactional: bool,
            #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))] flush: bool,
        ) -> pg_sys::XLogRecPtr;
    }
    // SAFETY: the prefix is a C string and the message has the length that is passed; both are copied into the
    // WAL.
    unsafe {
        LogLogicalMessage(
            prefix.as_ptr(),
            message.as_ptr().cast(),
            message.len(),
            true,
            #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16")))]
            false,
        );
    }
}

/// A row of a heap by its place; false if the snapshot does not see it. The buffer of a row that is found is
/// pinned.
///
/// # Safety
/// The relation must be an open heap.
pub unsafe fn heap_fetch(
    relation: pg_sys::Relation,
    snapshot: pg_sys::Snapshot,
    row: pg_sys::HeapTuple,
    buffer: *mut pg_sys::Buffer,
) -> bool {
    // SAFETY: as the caller promises, the relation is an open heap; row and buffer are the caller's own.
    unsafe {
        pg_sys::heap_fetch(
            relation,
            snapshot,
            row,
            buffer,
            #[cfg(not(feature = "pg14"))]
            false,
        )
    }
}

/// The description of a column, counted from 0. Since 18 they are stored elsewhere.
///
/// # Safety
/// The description must have that many columns.
pub unsafe fn attribute(
    description: pg_sys::TupleDesc,
    place: c_int,
) -> *const pg_sys::FormData_pg_attribute {
    // SAFETY: as the caller promises, the description has that many columns, so the place is one of its own.
    unsafe {
        #[cfg(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17"))]
        let attribute = (*description).attrs.as_ptr().add(place as usize);
        #[cfg(not(any(feature = "pg14", feature = "pg15", feature = "pg16", feature = "pg17")))]
        let attribute = pg_sys::TupleDescAttr(description, place).cast_const();
        attribute
    }
}

/// Calls a function when shared memory may be requested: since 15 in a hook.
///
/// # Safety
/// While the server loads the library, and only once.
pub unsafe fn on_shmem_request(request: fn()) {
    #[cfg(feature = "pg14")]
    request();
    #[cfg(not(feature = "pg14"))]
    // SAFETY: on the one thread of the postmaster.
    unsafe {
        shmem_request::join(request);
    }
}

#[cfg(not(feature = "pg14"))]
mod shmem_request {
    use pgrx::{pg_guard, pg_sys};

    static mut PREVIOUS: pg_sys::shmem_request_hook_type = None;
    static mut OURS: Option<fn()> = None;

    /// Joins the hook's chain.
    pub unsafe fn join(request: fn()) {
        // SAFETY: only the postmaster's one thread loads the library, so nobody else reads or writes the hook
        // or our variables.
        unsafe {
            OURS = Some(request);
            PREVIOUS = pg_sys::shmem_request_hook;
            pg_sys::shmem_request_hook = Some(call);
        }
    }

    #[pg_guard]
    unsafe extern "C-unwind" fn call() {
        // SAFETY: the next hook, as PostgreSQL calls it.
        unsafe {
            if let Some(previous) = PREVIOUS {
                pg_sys::submodules::ffi::pg_guard_ffi_boundary(|| previous());
            }
            if let Some(request) = OURS {
                request();
            }
        }
    }
}
