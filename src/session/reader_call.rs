//! Calls of readers: functions with the support function `once_per_query`.

use std::cell::Cell;
use std::ffi::c_void;

use pgrx::prelude::*;

use super::once::support_address;
use crate::pg::nodes::walk_into;

unsafe extern "C-unwind" {
    safe fn get_func_support(function: pg_sys::Oid) -> pg_sys::Oid;
    safe fn fmgr_info(function: pg_sys::Oid, info: &mut pg_sys::FmgrInfo);
}

/// A walker that ends at a reader.
///
/// # Safety
/// It must be an expression or a query.
pub unsafe extern "C-unwind" fn finds_reader(
    node: *mut pg_sys::Node,
    nothing: *mut c_void,
) -> bool {
    // SAFETY: PostgreSQL's walkers, and the callers, pass an expression or a query.
    unsafe { is_reader_call(node) || walk_into(node, finds_reader, nothing) }
}

thread_local! {
    /// Readers that the query being planned calls; a function's row in the catalog may change later.
    static MET: Cell<[pg_sys::Oid; 4]> = const { Cell::new([pg_sys::InvalidOid; 4]) };
}

/// Begins with a query that is to be planned.
pub fn begin_query() {
    MET.set([pg_sys::InvalidOid; 4]);
}

/// Whether a call is of a function with our support function. A query is asked about each of its calls
/// several times.
pub fn is_reader(call: &pg_sys::FuncExpr) -> bool {
    // Most calls are of PostgreSQL's own functions.
    if call.funcid.to_u32() < pg_sys::FirstNormalObjectId {
        return false;
    }
    let met = MET.get();
    if met.contains(&call.funcid) {
        return true;
    }
    let is_reader = has_our_support(call.funcid);
    if is_reader {
        MET.set([call.funcid, met[0], met[1], met[2]]);
    }
    is_reader
}

fn has_our_support(function: pg_sys::Oid) -> bool {
    thread_local! {
        /// The most recently seen support functions: ours, and one that is not ours.
        static OURS: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
        static OTHER: Cell<pg_sys::Oid> = const { Cell::new(pg_sys::InvalidOid) };
    }
    let support = get_func_support(function);
    if support.to_u32() < pg_sys::FirstNormalObjectId || support == OTHER.get() {
        return false;
    }
    if support == OURS.get() {
        return true;
    }
    let mut info = pg_sys::FmgrInfo::default();
    fmgr_info(support, &mut info);
    let is_ours = info
        .fn_addr
        .is_some_and(|address| address as *const () as usize == support_address());
    let met = if is_ours { &OURS } else { &OTHER };
    met.set(support);
    is_ours
}

/// Whether an expression is such a call.
///
/// # Safety
/// It must be an expression.
pub unsafe fn is_reader_call(node: *mut pg_sys::Node) -> bool {
    // SAFETY: as the caller promises, an expression; it has the type that its tag says.
    unsafe {
        !node.is_null()
            && (*node).type_ == pg_sys::NodeTag::T_FuncExpr
            && is_reader(&*node.cast::<pg_sys::FuncExpr>())
    }
}
