//! `neon_auth.actor_in_wal`: a message in the WAL says who acts, in each transaction that writes.
//!
//! Anybody can write messages with our prefix by pg_logical_emit_message(). So ours is written when
//! all code of users has run, also when nobody is signed in, and the last one of a transaction
//! counts.
//!
//! An identity may have written if it was in force after the transaction got its number, which
//! PostgreSQL assigns before the first write. `leaves` collects identities that go out of force
//! after that. Some of them have not written, but none that has written is left out.

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_void};

use pgrx::pg_sys;
use pgrx::prelude::*;

use crate::pg::compat;
use crate::process_local::process_local;
use crate::settings::ACTOR_IN_WAL;
use crate::shared;

const PREFIX: &CStr = c"neon_auth";
const NOBODY: &str = "{}";

/// Returns who is signed in as JSON.
type InForce = fn() -> Option<String>;

process_local! {
    static IN_FORCE: Cell<Option<InForce>> = const { Cell::new(None) };
    /// The identities that went out of force in the transaction with this number, as JSON.
    static LEFT: RefCell<(pg_sys::TransactionId, Vec<String>)> =
        const { RefCell::new((pg_sys::InvalidTransactionId, Vec::new())) };
    /// Whether a credential is being verified: what is written meanwhile is of neither identity.
    static ENTERING: Cell<bool> = const { Cell::new(false) };
}

/// Registers for the ends of transactions, with the function that knows who is signed in.
pub fn define(in_force: InForce) {
    IN_FORCE.set(Some(in_force));
    // SAFETY: the callback is guarded.
    unsafe { pg_sys::RegisterXactCallback(Some(before_transaction_ends), std::ptr::null_mut()) };
}

/// The verification of a credential begins, or ends without an identity.
pub fn enter(is_entering: bool) {
    if is_entering {
        leaves();
    }
    ENTERING.set(is_entering);
}

/// The identity in force is about to change.
pub fn leaves() {
    let number = writes();
    if number == pg_sys::InvalidTransactionId || ENTERING.get() || !is_wanted() {
        return;
    }
    let leaving = in_force();
    LEFT.with_borrow_mut(|(of, left)| {
        if *of != number {
            *of = number;
            left.clear();
        }
        if !left.contains(&leaving) {
            left.push(leaving);
        }
    });
}

/// Reads variables of this process only: settings also change while a transaction aborts.
fn is_wanted() -> bool {
    ACTOR_IN_WAL.get() && is_logical()
}

fn is_logical() -> bool {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::wal_level >= pg_sys::WalLevel::WAL_LEVEL_LOGICAL as i32 }
}

/// The number of the transaction, if it has one.
fn writes() -> pg_sys::TransactionId {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetTopTransactionIdIfAny() }
}

fn in_force() -> String {
    let actor = IN_FORCE.get().and_then(|in_force| in_force());
    actor.unwrap_or_else(|| NOBODY.to_owned())
}

#[pg_guard]
unsafe extern "C-unwind" fn before_transaction_ends(
    event: pg_sys::XactEvent::Type,
    _nothing: *mut c_void,
) {
    use pg_sys::XactEvent::{XACT_EVENT_PRE_COMMIT, XACT_EVENT_PRE_PREPARE};
    if matches!(event, XACT_EVENT_PRE_COMMIT | XACT_EVENT_PRE_PREPARE) && is_wanted() {
        let number = writes();
        if number != pg_sys::InvalidTransactionId {
            let message = message(number);
            // SAFETY: PostgreSQL writes it as the transaction's last record but those of its end.
            unsafe { compat::log_message(PREFIX, message.as_bytes()) };
        }
    }
}

/// One actor, or all that may have written.
fn message(number: pg_sys::TransactionId) -> String {
    let last = in_force();
    let mut actors = LEFT.take();
    if actors.0 != number {
        actors.1.clear();
    }
    let mut actors = actors.1;
    if !actors.contains(&last) {
        actors.push(last);
    }
    match &actors[..] {
        [only] => only.clone(),
        _ => format!(r#"{{"actors":[{}]}}"#, actors.join(",")),
    }
}

/// `neon_auth_internal.actor_in_wal()`: whether actors are wanted, whether the WAL can contain them, and
/// whether every session writes them. `session_preload_libraries` is not enough for that: a client can
/// undo a setting that the server does not know yet by an option of its connection.
#[pg_extern(sql = false)]
fn actor_in_wal() -> TableIterator<
    'static,
    (
        name!(wanted, bool),
        name!(logical, bool),
        name!(preloaded, bool),
    ),
> {
    TableIterator::once((ACTOR_IN_WAL.get(), is_logical(), shared::is_preloaded()))
}
