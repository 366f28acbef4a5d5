//! Errors of PostgreSQL that pass through Rust unchanged.
//!
//! pgrx catches an ERROR of each C function that Rust calls, unwinds Rust by a panic, and raises a
//! new ERROR where the panic leaves our function. The new ERROR has message, DETAIL, HINT, and the
//! SQLSTATE if pgrx knows it. A trigger's own SQLSTATE becomes XX000, and its CONTEXT and the names
//! of tables and constraints are lost. So where a C function may run other people's code,
//! `caught_as_raised` saves the ERROR itself, and where the panic leaves the function that SQL
//! called, `pass` raises the saved ERROR instead.

use std::cell::Cell;
use std::ffi::CStr;
use std::mem::MaybeUninit;

use cee_scape::{SigJmpBufFields, call_with_sigsetjmp};
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportWithLevel};
use pgrx::{PgLogLevel, PgSqlErrorCode, pg_sys};

/// Marks an ERROR of pgrx that stands for the saved one. For PostgreSQL this field is the domain
/// for translations.
const MARK: &CStr = c"neon_auth: as raised";

thread_local! {
    /// The last saved ERROR; it lives until the next one.
    static KEPT: Cell<*mut pg_sys::ErrorData> = const { Cell::new(std::ptr::null_mut()) };
}

/// Calls PostgreSQL code that may run other people's code.
///
/// # Safety
/// As the call itself requires; it must own nothing that needs dropping.
pub unsafe fn caught_as_raised<T>(call: impl FnOnce() -> T) -> T {
    // SAFETY: as the caller promises, the call owns nothing that needs dropping; after an ERROR, which is on
    // PostgreSQL's stack, `keep` takes it from there.
    unsafe {
        match caught(call) {
            Some(result) => result,
            None => keep(),
        }
    }
}

/// An ERROR that was caught.
#[derive(Clone, Debug)]
pub struct Raised {
    code: i32,
    is_interrupt: bool,
    pub message: String,
}

impl Raised {
    /// As five characters.
    pub fn sqlstate(&self) -> String {
        (0..5)
            .map(|place| char::from(b'0' + ((self.code >> (6 * place)) & 0x3f) as u8))
            .collect()
    }

    /// Whether the user, or a limit of time, has cancelled the statement, and not other people's code that raised
    /// this code.
    pub fn is_cancel(&self) -> bool {
        self.is_interrupt
            && PgSqlErrorCode::from(self.code) == PgSqlErrorCode::ERRCODE_QUERY_CANCELED
    }

    /// Raises it as the error of the whole call.
    pub fn raise_again(self) -> ! {
        let code = PgSqlErrorCode::from(self.code);
        ErrorReport::new(code, self.message, "neon_auth").report(PgLogLevel::ERROR);
        unreachable!("an ERROR panics")
    }
}

/// Calls PostgreSQL code, whose ERROR is returned. A subtransaction must be rolled back then.
///
/// # Safety
/// No panic may leave the call: it has no function with pgrx's guard, whose ERRORs are panics, or catches them. Between
/// functions without that guard it must own nothing that needs dropping; what it owns may leak after their ERRORs.
pub unsafe fn attempt<T>(call: impl FnOnce() -> T) -> Result<T, Raised> {
    // SAFETY: as the caller promises for the call; after an ERROR it is on PostgreSQL's stack, and is copied
    // before it is flushed.
    unsafe {
        if let Some(result) = caught(call) {
            return Ok(result);
        }
        let error = pg_sys::CopyErrorData();
        pg_sys::FlushErrorState();
        let message = match (*error).message.is_null() {
            true => String::new(),
            false => CStr::from_ptr((*error).message)
                .to_string_lossy()
                .into_owned(),
        };
        let file = (*error).filename;
        let raised = Raised {
            code: (*error).sqlerrcode,
            is_interrupt: !file.is_null()
                && CStr::from_ptr(file).to_bytes().ends_with(b"postgres.c"),
            message,
        };
        pg_sys::FreeErrorData(error);
        Err(raised)
    }
}

/// Calls a function of ours for SQL. A saved ERROR leaves it as it was raised.
///
/// # Safety
/// PostgreSQL must have passed the arguments.
pub unsafe fn pass(
    call: pg_sys::FunctionCallInfo,
    function: unsafe extern "C-unwind" fn(pg_sys::FunctionCallInfo) -> pg_sys::Datum,
) -> pg_sys::Datum {
    // Without pgrx's guard, because no frame of Rust remains that owns anything.
    unsafe extern "C-unwind" {
        fn ReThrowError(error: *mut pg_sys::ErrorData) -> !;
        fn pg_re_throw() -> !;
    }
    // SAFETY: the call is PostgreSQL's own; no frame of Rust that owns anything is left when the ERROR is
    // thrown again.
    unsafe {
        if let Some(datum) = caught(|| function(call)) {
            return datum;
        }
        let kept = KEPT.get();
        let error = pg_sys::CopyErrorData();
        let is_kept = !kept.is_null()
            && is_same((*error).domain, MARK.as_ptr())
            && is_same((*error).message, (*kept).message);
        pg_sys::FreeErrorData(error);
        if is_kept {
            pg_sys::FlushErrorState();
            // It copies the data that it is given.
            ReThrowError(kept);
        }
        pg_re_throw()
    }
}

/// `None` after an ERROR, which is then on PostgreSQL's error stack.
unsafe fn caught<T>(call: impl FnOnce() -> T) -> Option<T> {
    // SAFETY: the handler is set to a buffer that lives during the call, and set back to the one before
    // afterwards, either way.
    unsafe {
        let context = pg_sys::CurrentMemoryContext;
        let (handler, callbacks) = (pg_sys::PG_exception_stack, pg_sys::error_context_stack);
        let mut result = MaybeUninit::uninit();
        let jumped = call_with_sigsetjmp(false, |buffer| {
            pg_sys::PG_exception_stack = std::ptr::from_ref::<SigJmpBufFields>(buffer)
                .cast_mut()
                .cast();
            result.write(call());
            0
        });
        pg_sys::PG_exception_stack = handler;
        pg_sys::error_context_stack = callbacks;
        if jumped == 0 {
            return Some(result.assume_init());
        }
        pg_sys::MemoryContextSwitchTo(context);
        None
    }
}

/// Saves the caught ERROR, and lets pgrx's panic unwind Rust instead.
unsafe fn keep() -> ! {
    // SAFETY: `caught` has just returned `None`, so an ERROR is on PostgreSQL's stack; its copy lives in a
    // context that outlives the panic.
    unsafe {
        let context = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let error = pg_sys::CopyErrorData();
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::FlushErrorState();
        let before = KEPT.replace(error);
        if !before.is_null() {
            pg_sys::FreeErrorData(before);
        }
        let text = |text: *const std::ffi::c_char| {
            (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
        };
        let error = &*error;
        let code = PgSqlErrorCode::from(error.sqlerrcode);
        let message = text(error.message).unwrap_or_default();
        let mut report = ErrorReport::new(code, message, "neon_auth");
        if let Some(detail) = text(error.detail) {
            report = report.set_detail(detail);
        }
        if let Some(hint) = text(error.hint) {
            report = report.set_hint(hint);
        }
        report
            .set_domain(MARK.to_string_lossy())
            .report(PgLogLevel::ERROR);
        unreachable!("an ERROR panics")
    }
}

/// The file of PostgreSQL's source that raised a caught ERROR.
pub fn file_of(report: &ErrorReportWithLevel) -> String {
    let kept = KEPT.get();
    // SAFETY: it lives until the next one is saved, and the names of files are constants.
    unsafe {
        if !kept.is_null()
            && !(*kept).filename.is_null()
            && !(*kept).message.is_null()
            && report.file().ends_with(".rs")
            && CStr::from_ptr((*kept).message).to_string_lossy() == report.message()
        {
            return CStr::from_ptr((*kept).filename)
                .to_string_lossy()
                .into_owned();
        }
    }
    report.file().to_owned()
}

unsafe fn is_same(one: *const std::ffi::c_char, other: *const std::ffi::c_char) -> bool {
    // SAFETY: each is NULL or a C string: both are fields of an ErrorData, or literals.
    unsafe { !one.is_null() && !other.is_null() && CStr::from_ptr(one) == CStr::from_ptr(other) }
}

/// Writes the location of panics only into the server log. pgrx records a backtrace for every ERROR
/// that passes through Rust, and with `RUST_BACKTRACE` set that becomes the ERROR's DETAIL. Call it
/// after pgrx has registered its hook, which it does when the library is loaded.
pub fn keep_backtraces_in_the_log() {
    drop(std::panic::take_hook());
    let write_to_log = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        // An ERROR that is being raised is not a text.
        if panic.payload_as_str().is_some() {
            write_to_log(panic);
        }
    }));
}

/// Defines for SQL a function that passes errors on as they were raised, around one that pgrx
/// generated.
macro_rules! passes_errors {
    ($($name:ident, $info:ident => $function:ident;)*) => {$(
        /// What PostgreSQL requires of each function of a library.
        #[unsafe(no_mangle)]
        pub extern "C" fn $info() -> &'static pgrx::pg_sys::Pg_finfo_record {
            const V1: pgrx::pg_sys::Pg_finfo_record =
                pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &V1
        }

        /// # Safety
        /// PostgreSQL calls it.
        #[unsafe(no_mangle)]
        pub unsafe extern "C-unwind" fn $name(
            call: pgrx::pg_sys::FunctionCallInfo,
        ) -> pgrx::pg_sys::Datum {
            // SAFETY: as PostgreSQL calls it.
            unsafe { $crate::pg::raised::pass(call, $function) }
        }
    )*};
}
pub(crate) use passes_errors;
