//! A line of CONTEXT in every error that is raised while something runs.

use std::ffi::{CStr, c_char, c_int, c_void};

use pgrx::pg_sys;

/// In force until it is dropped.
pub struct Context {
    /// At the address that `error_context_stack` has.
    callback: Box<pg_sys::ErrorContextCallback>,
}

impl Context {
    pub fn enter(line: &'static CStr) -> Self {
        // SAFETY: a variable of this process; `drop` removes the callback, also while a panic unwinds.
        unsafe {
            let mut callback = Box::new(pg_sys::ErrorContextCallback {
                previous: pg_sys::error_context_stack,
                callback: Some(add),
                arg: line.as_ptr().cast_mut().cast(),
            });
            pg_sys::error_context_stack = &raw mut *callback;
            Self { callback }
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: as in `enter`.
        unsafe { pg_sys::error_context_stack = self.callback.previous };
    }
}

unsafe extern "C-unwind" fn add(line: *mut c_void) {
    unsafe extern "C-unwind" {
        // Without pgrx's guard: they raise no errors, and PostgreSQL calls them in the middle of one.
        fn set_errcontext_domain(domain: *const c_char) -> c_int;
        fn errcontext_msg(format: *const c_char, ...) -> c_int;
    }
    // SAFETY: PostgreSQL calls it with the constant of `enter`.
    unsafe {
        set_errcontext_domain(std::ptr::null());
        errcontext_msg(c"%s".as_ptr(), line.cast::<c_char>());
    }
}
