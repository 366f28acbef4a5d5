//! Whether an identity is still valid, checked once per transaction.
//!
//! A credential can be revoked, and its user banned or deleted, while an identity outlives its
//! transaction. Its rows are looked up before the first query of each transaction that takes a
//! snapshot. An identity that was signed in within the transaction was checked then. Once
//! ended, an identity stays ended in this process: its role was reset, and signing in again is the
//! only way back.

use std::cell::{Cell, RefCell};
use std::ffi::c_void;

use pgrx::pg_sys;

use crate::error::Problem;
use crate::identity::Identity;
use crate::process_local::process_local;
use crate::provider;

/// When to look.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Now,
    /// The statement has no snapshot: taking one would fix the transaction's isolation level.
    AtTheNextQuery,
}

process_local! {
    static CHECKED: Cell<Checked> = const { Cell::new(Checked::NOTHING) };
    /// Why the identity of `CHECKED` has ended, if it has.
    static WHY: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// The identity that was checked last.
#[derive(Clone, Copy)]
struct Checked {
    epoch: u64,
    /// Whether that was in the current transaction.
    in_transaction: bool,
    has_ended: bool,
}

impl Checked {
    /// No identity has this epoch.
    const NOTHING: Self = Self {
        epoch: 0,
        in_transaction: false,
        has_ended: false,
    };
}

/// Registers for the ends of transactions.
pub fn define() {
    // SAFETY: a callback that touches this process's memory only.
    unsafe { pg_sys::RegisterXactCallback(Some(transaction_ends), std::ptr::null_mut()) };
}

unsafe extern "C-unwind" fn transaction_ends(event: pg_sys::XactEvent::Type, _: *mut c_void) {
    use pg_sys::XactEvent::{XACT_EVENT_ABORT, XACT_EVENT_COMMIT, XACT_EVENT_PREPARE};
    if matches!(
        event,
        XACT_EVENT_ABORT | XACT_EVENT_COMMIT | XACT_EVENT_PREPARE
    ) {
        CHECKED.set(Checked {
            in_transaction: false,
            ..CHECKED.get()
        });
    }
}

/// An identity was signed in just now.
pub fn found_good(epoch: u64) {
    note(epoch, None);
}

/// An error if the service has ended the identity.
pub fn demand(epoch: u64, identity: &Identity) -> Result<(), Problem> {
    let checked = CHECKED.get();
    if checked.epoch == epoch {
        if checked.has_ended {
            let why = WHY.with_borrow(|why| why.clone().unwrap_or_default());
            return Err(Problem::IdentityEnded { why });
        }
        if checked.in_transaction {
            return Ok(());
        }
    }
    // SAFETY: reads variables of this process.
    if unsafe { pg_sys::ParallelWorkerNumber } >= 0 || !provider::can_end(identity) {
        return Ok(());
    }
    match provider::still_stands(identity) {
        Ok(()) => {
            note(epoch, None);
            Ok(())
        }
        // Says nothing about the identity, which is in force again after the update.
        Err(problem @ Problem::OtherVersion { .. }) => Err(problem),
        Err(problem) => {
            let why = problem.sentence();
            note(epoch, Some(why.clone()));
            Err(Problem::IdentityEnded { why })
        }
    }
}

/// The error in a parallel worker, whose leader has found that the identity has ended.
pub fn ended_for_workers() -> Problem {
    Problem::IdentityEnded { why: String::new() }
}

fn note(epoch: u64, ended: Option<String>) {
    CHECKED.set(Checked {
        epoch,
        in_transaction: true,
        has_ended: ended.is_some(),
    });
    WHY.set(ended);
}
