//! Cache of membership and permission checks, valid for one statement.
//!
//! A policy calls for each row, and most rows belong to the same few teams. A cached result is
//! valid while the same rows are visible: for snapshots that see the same transactions as finished,
//! at the same command of the same (sub)transaction. So a revoked right does not outlive the
//! statement.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::ffi::c_void;

use pgrx::prelude::*;

use crate::process_local::process_local;

/// Maximum number of cached results; when it is reached, the cache is cleared.
const MOST: usize = 1000;
/// Longest cached key in bytes. Its parts are ids of at most 255 bytes; a longer one cannot match a
/// stored id, and looking it up again is as cheap as caching it.
const LONGEST: usize = 1024;

process_local! {
    static KNOWN: RefCell<Option<Known>> = const { RefCell::new(None) };
    /// Whether the callbacks for ends of transactions are registered.
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

struct Known {
    moment: Moment,
    answers: HashMap<String, bool>,
}

/// The result for a key; its words distinguish it from all others.
pub fn answer(question: &[&str], find: impl FnOnce() -> bool) -> bool {
    if question.iter().map(|word| word.len() + 1).sum::<usize>() > LONGEST {
        return find();
    }
    let Some(moment) = Moment::current() else {
        return find();
    };
    // Text contains no NUL.
    let question = question.join("\0");
    listen();
    let known = KNOWN.with_borrow_mut(|known| match known {
        Some(known) if known.moment == moment && known.answers.len() < MOST => {
            known.answers.get(&question).copied()
        }
        _ => {
            *known = Some(Known {
                moment,
                answers: HashMap::new(),
            });
            None
        }
    });
    known.unwrap_or_else(|| {
        let answer = find();
        KNOWN.with_borrow_mut(|known| {
            if let Some(known) = known {
                known.answers.insert(question, answer);
            }
        });
        answer
    })
}

/// What a snapshot sees, within one (sub)transaction: the changes of finished transactions, and its
/// own up to a command.
#[derive(PartialEq)]
struct Moment {
    xmin: pg_sys::TransactionId,
    xmax: pg_sys::TransactionId,
    running: Vec<pg_sys::TransactionId>,
    command: pg_sys::CommandId,
}

impl Moment {
    /// The view of the statement's snapshot; `None` without a snapshot, and for one that does not
    /// contain all the numbers.
    fn current() -> Option<Self> {
        // SAFETY: a snapshot has as many numbers as it says.
        unsafe {
            if !pg_sys::ActiveSnapshotSet() {
                return None;
            }
            let snapshot = &*pg_sys::GetActiveSnapshot();
            if snapshot.snapshot_type != pg_sys::SnapshotType::SNAPSHOT_MVCC
                || snapshot.suboverflowed
            {
                return None;
            }
            let mut running = Vec::new();
            for (numbers, count) in [
                (snapshot.xip, snapshot.xcnt as usize),
                (snapshot.subxip, snapshot.subxcnt as usize),
            ] {
                if count > 0 {
                    running.extend_from_slice(std::slice::from_raw_parts(numbers, count));
                }
            }
            Some(Self {
                xmin: snapshot.xmin,
                xmax: snapshot.xmax,
                running,
                command: snapshot.curcid,
            })
        }
    }
}

/// Registers, once, for ends of transactions, after which their own changes may disappear.
fn listen() {
    if LISTENING.replace(true) {
        return;
    }
    // SAFETY: guarded callbacks that touch only this process's memory.
    unsafe {
        pg_sys::RegisterXactCallback(Some(transaction_changed), std::ptr::null_mut());
        pg_sys::RegisterSubXactCallback(Some(subtransaction_changed), std::ptr::null_mut());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn transaction_changed(
    _event: pg_sys::XactEvent::Type,
    _argument: *mut c_void,
) {
    KNOWN.take();
}

#[pg_guard]
unsafe extern "C-unwind" fn subtransaction_changed(
    _event: pg_sys::SubXactEvent::Type,
    _own: pg_sys::SubTransactionId,
    _parent: pg_sys::SubTransactionId,
    _argument: *mut c_void,
) {
    KNOWN.take();
}
