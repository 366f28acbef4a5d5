//! Settings that decide whom a condition lets in: `tenant = current_setting('app.tenant')`.

use std::ffi::{CStr, c_void};

use pgrx::pg_sys;

use super::nobody::never_true;
use crate::pg::nodes::{elements, walk_into};

/// The names of customised settings that let rows pass with nobody signed in.
///
/// # Safety
/// It must be a condition, in which readers are replaced by NULL.
pub unsafe fn settings(condition: *mut pg_sys::Node) -> Vec<String> {
    let mut names = Vec::new();
    // SAFETY: as the caller promises, a condition; `look` gets the names that it expects.
    unsafe { look(condition, std::ptr::from_mut(&mut names).cast()) };
    names
}

/// A walker, which never ends early. What is joined by AND with something that is never true decides nothing.
unsafe extern "C-unwind" fn look(node: *mut pg_sys::Node, names: *mut c_void) -> bool {
    // SAFETY: PostgreSQL's walker passes nodes of the expression, each of the type that its tag says, and the
    // names of `settings`.
    unsafe {
        if node.is_null() {
            return false;
        }
        match (*node).type_ {
            pg_sys::NodeTag::T_BoolExpr => {
                let joint = &*node.cast::<pg_sys::BoolExpr>();
                if joint.boolop == pg_sys::BoolExprType::AND_EXPR
                    && elements(joint.args).any(|part| never_true(part))
                {
                    return false;
                }
            }
            pg_sys::NodeTag::T_FuncExpr => {
                if let Some(name) = customised(&*node.cast()) {
                    (*names.cast::<Vec<String>>()).push(name);
                }
            }
            _ => {}
        }
        walk_into(node, look, names)
    }
}

/// The name of the setting that `current_setting` is called with, if it is a customised one.
unsafe fn customised(call: &pg_sys::FuncExpr) -> Option<String> {
    // SAFETY: a call in the condition, whose arguments are expressions.
    unsafe {
        if !matches!(
            call.funcid.to_u32(),
            pg_sys::F_CURRENT_SETTING_TEXT | pg_sys::F_CURRENT_SETTING_TEXT_BOOL
        ) {
            return None;
        }
        let name = elements::<pg_sys::Node>(call.args).next()?;
        if (*name).type_ != pg_sys::NodeTag::T_Const {
            return None;
        }
        let name = &*name.cast::<pg_sys::Const>();
        if name.constisnull {
            return None;
        }
        let name = pg_sys::text_to_cstring(name.constvalue.cast_mut_ptr());
        let name = CStr::from_ptr(name).to_string_lossy().into_owned();
        name.contains('.').then_some(name)
    }
}
