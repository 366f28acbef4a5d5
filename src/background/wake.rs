//! A session wakes the workers for its database when its transaction commits.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use pgrx::heap_tuple::PgHeapTuple;
use pgrx::prelude::*;
use pgrx::trigger_support::PgTriggerError;
use pgrx::{PgXactCallbackEvent, register_xact_callback};

use crate::shared;

thread_local! {
    /// Whether this transaction will wake them.
    static WILL_TELL: Cell<bool> = const { Cell::new(false) };
    /// Whether it will also report changed settings.
    static RESETS: Cell<bool> = const { Cell::new(false) };
}

/// Wakes a worker when this transaction commits, even during back-off after failures: settings
/// change.
pub fn reset_at_commit() {
    RESETS.set(true);
    at_commit();
}

/// Wakes a worker when this transaction commits.
pub fn at_commit() {
    // Find the slot now: no error may be raised after the commit.
    if shared::here().is_none() || WILL_TELL.replace(true) {
        return;
    }
    register_xact_callback(PgXactCallbackEvent::Abort, forget);
    // COMMIT PREPARED runs none of this; the worker sees that a prepared transaction is pending.
    register_xact_callback(PgXactCallbackEvent::Prepare, tell);
    register_xact_callback(PgXactCallbackEvent::Commit, tell);
}

fn tell() {
    if let Some(here) = shared::here() {
        if RESETS.get() {
            here.request_reset();
        } else {
            here.wanted.store(true, Ordering::Release);
        }
        shared::wake_launcher();
    }
    forget();
}

fn forget() {
    WILL_TELL.set(false);
    RESETS.set(false);
}

/// `neon_auth_internal.wake_worker()`: trigger on tables whose changes give workers something to
/// do. On the queue it is a row trigger, because most statements write no row there; on the other
/// tables it is a statement trigger.
#[pg_trigger(sql = false)]
fn wake_worker<'a>(
    trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, PgTriggerError> {
    if trigger.event().fired_for_row() {
        at_commit();
    } else {
        reset_at_commit();
    }
    Ok(None)
}
