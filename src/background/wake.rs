//! A session tells the workers that its database has something to do, once that is committed.

use std::cell::Cell;
use std::sync::atomic::Ordering;

use pgrx::heap_tuple::PgHeapTuple;
use pgrx::prelude::*;
use pgrx::trigger_support::PgTriggerError;
use pgrx::{PgXactCallbackEvent, register_xact_callback};

use crate::shared;

thread_local! {
    /// Whether this transaction will tell.
    static WILL_TELL: Cell<bool> = const { Cell::new(false) };
    /// And whether it will tell of settings that have changed.
    static RESETS: Cell<bool> = const { Cell::new(false) };
}

/// Has a worker come when this transaction commits, whatever went wrong before: settings change.
pub fn reset_at_commit() {
    RESETS.set(true);
    at_commit();
}

/// Has a worker come when this transaction commits.
fn at_commit() {
    // The place is found now: after the commit there is no room for errors.
    if shared::here().is_none() || WILL_TELL.replace(true) {
        return;
    }
    register_xact_callback(PgXactCallbackEvent::Abort, forget);
    // COMMIT PREPARED runs none of this; the worker who comes sees that it is yet to come.
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

/// `neon_auth_internal.wake_worker()`: trigger on what workers care for. On the queue it is for rows, of
/// which most statements write none; elsewhere for statements.
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
