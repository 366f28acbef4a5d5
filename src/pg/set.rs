//! Sets of rows that a function for SQL returns, written to a tuplestore: they may be larger than memory.

use std::ffi::CStr;

use pgrx::pg_sys;

/// A set under construction.
pub struct ReturnedSet {
    store: *mut pg_sys::Tuplestorestate,
    description: pg_sys::TupleDesc,
    /// Reset after each row.
    row_context: pg_sys::MemoryContext,
}

impl ReturnedSet {
    /// # Safety
    /// Of a call that PostgreSQL makes, of a function that returns a set of rows.
    pub unsafe fn begin(call: pg_sys::FunctionCallInfo) -> Self {
        // SAFETY: as the caller promises, PostgreSQL calls a function that returns a set, so resultinfo is
        // NULL or a ReturnSetInfo.
        unsafe {
            let info = (*call).resultinfo.cast::<pg_sys::ReturnSetInfo>();
            let modes = if info.is_null() {
                0
            } else {
                (*info).allowedModes as u32
            };
            if modes & pg_sys::SetFunctionReturnMode::SFRM_Materialize == 0
                || (*info).expectedDesc.is_null()
            {
                pgrx::error!("this function can only be called in FROM");
            }
            let before = pg_sys::MemoryContextSwitchTo((*(*info).econtext).ecxt_per_query_memory);
            let any_order = modes & pg_sys::SetFunctionReturnMode::SFRM_Materialize_Random != 0;
            let set = Self {
                store: pg_sys::tuplestore_begin_heap(any_order, false, pg_sys::work_mem),
                description: pg_sys::CreateTupleDescCopy((*info).expectedDesc),
                row_context: new_context(before, c"neon_auth row"),
            };
            (*info).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
            (*info).setResult = set.store;
            (*info).setDesc = set.description;
            (*call).isnull = true;
            pg_sys::MemoryContextSwitchTo(before);
            set
        }
    }

    /// Adds a row, whose values are made in memory that is freed afterwards.
    pub fn add<const COLUMNS: usize>(
        &self,
        values: impl FnOnce() -> [Option<pg_sys::Datum>; COLUMNS],
    ) {
        // SAFETY: the row is copied before the context is reset.
        unsafe {
            let before = pg_sys::MemoryContextSwitchTo(self.row_context);
            let values = values();
            assert_eq!(COLUMNS, (*self.description).natts as usize);
            let mut nulls = values.map(|value| value.is_none());
            let mut values = values.map(|value| value.unwrap_or(pg_sys::Datum::null()));
            let (values, nulls) = (values.as_mut_ptr(), nulls.as_mut_ptr());
            pg_sys::tuplestore_putvalues(self.store, self.description, values, nulls);
            pg_sys::MemoryContextSwitchTo(before);
            pg_sys::MemoryContextReset(self.row_context);
        }
    }
}

unsafe fn new_context(parent: pg_sys::MemoryContext, name: &'static CStr) -> pg_sys::MemoryContext {
    // SAFETY: the parent is a memory context, and the name is a literal, as PostgreSQL requires.
    unsafe {
        pg_sys::AllocSetContextCreateInternal(
            parent,
            name.as_ptr(),
            pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
            pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
        )
    }
}
