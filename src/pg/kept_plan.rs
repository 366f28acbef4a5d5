//! Statements that a session prepares once.
//!
//! PL/pgSQL also keeps plans, but prepares each of its expressions again in every transaction. Where
//! a transaction is one short call, that costs as much as a row.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_long};

use pgrx::pg_sys;

use super::raised;

unsafe extern "C-unwind" {
    // Without pgrx's guard: `caught_as_raised` is theirs.
    fn SPI_prepare_cursor(
        text: *const c_char,
        count: c_int,
        types: *mut pg_sys::Oid,
        options: c_int,
    ) -> pg_sys::SPIPlanPtr;
    fn SPI_keepplan(plan: pg_sys::SPIPlanPtr) -> c_int;
    fn SPI_execute_plan(
        plan: pg_sys::SPIPlanPtr,
        values: *mut pg_sys::Datum,
        nulls: *const c_char,
        read_only: bool,
        most: c_long,
    ) -> c_int;
}

/// A statement with parameters that are never NULL. PostgreSQL plans it again after a change of what
/// it refers to.
pub struct Statement {
    text: &'static str,
    types: &'static [pg_sys::Oid],
    plan: Cell<pg_sys::SPIPlanPtr>,
}

impl Statement {
    pub const fn new(text: &'static str, types: &'static [pg_sys::Oid]) -> Self {
        Self {
            text,
            types,
            plan: Cell::new(std::ptr::null_mut()),
        }
    }

    /// Executes it, and returns how many rows it wrote or returned. It sees the changes of earlier
    /// statements, and in READ COMMITTED what others have committed. An error passes as it was raised.
    ///
    /// # Safety
    /// Between `SPI_connect` and `SPI_finish`, as a user who may execute it, with a `search_path` that
    /// cannot be shadowed. The values must have the types.
    pub unsafe fn execute(&self, values: &mut [pg_sys::Datum]) -> u64 {
        assert_eq!(values.len(), self.types.len());
        if self.plan.get().is_null() {
            // SAFETY: as the caller promises.
            self.plan.set(unsafe { self.prepare() });
        }
        let (plan, values) = (self.plan.get(), values.as_mut_ptr());
        // SAFETY: the plan is kept, and what the pointers point to outlives the call. All rows, because a
        // statement that is stopped early fires no AFTER triggers.
        unsafe {
            let outcome = raised::caught_as_raised(|| {
                SPI_execute_plan(plan, values, std::ptr::null(), false, 0)
            });
            if outcome < 0 {
                pgrx::error!("SPI_execute_plan returned {outcome}");
            }
            pg_sys::SPI_processed
        }
    }

    /// Executes it, and returns the first column of the only row as text; `None` for NULL or no row.
    ///
    /// # Safety
    /// As for `execute`.
    pub unsafe fn value(&self, values: &mut [pg_sys::Datum]) -> Option<String> {
        // SAFETY: as the caller promises; the text is copied.
        unsafe {
            if self.execute(values) == 0 {
                return None;
            }
            let table = pg_sys::SPI_tuptable;
            let text = pg_sys::SPI_getvalue(*(*table).vals, (*table).tupdesc, 1);
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        }
    }

    /// # Safety
    /// As for `execute`.
    unsafe fn prepare(&self) -> pg_sys::SPIPlanPtr {
        debug_assert!(
            !self.text.contains("neon_auth."),
            "schema neon_auth can belong to another role: {}",
            self.text
        );
        let text = CString::new(self.text).expect("SQL contains no NUL");
        let mut types = self.types.to_vec();
        let (text, count, types) = (text.as_ptr(), types.len() as c_int, types.as_mut_ptr());
        // Plans for the very values would contain copies of them, and be of use for one call.
        let options = pg_sys::CURSOR_OPT_GENERIC_PLAN as c_int;
        // SAFETY: as the caller promises; the text and types are copied.
        unsafe {
            let plan = raised::caught_as_raised(|| SPI_prepare_cursor(text, count, types, options));
            if plan.is_null() || SPI_keepplan(plan) != 0 {
                pgrx::error!("a statement could not be prepared: {}", self.text);
            }
            plan
        }
    }
}
