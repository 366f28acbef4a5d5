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
}

/// Has a worker come when this transaction commits.
pub fn at_commit() {
    if !shared::is_preloaded() || WILL_TELL.replace(true) {
        return;
    }
    register_xact_callback(PgXactCallbackEvent::Abort, || WILL_TELL.set(false));
    register_xact_callback(PgXactCallbackEvent::Prepare, || WILL_TELL.set(false));
    register_xact_callback(PgXactCallbackEvent::Commit, || {
        WILL_TELL.set(false);
        if let Some(here) = shared::here() {
            here.wanted.store(true, Ordering::Release);
            shared::wake_launcher();
        }
    });
}

/// `neon_auth.wake_worker()`: statement-level trigger on what workers care for.
#[pg_trigger(sql = false)]
fn wake_worker<'a>(
    _trigger: &'a PgTrigger<'a>,
) -> Result<Option<PgHeapTuple<'a, AllocatedByPostgres>>, PgTriggerError> {
    at_commit();
    Ok(None)
}
