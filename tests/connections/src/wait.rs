//! Waiting for others, with a limit that only a broken test reaches.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use crate::session::Session;

const LIMIT: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(20);

/// Waits until something holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < LIMIT, "it has not come to pass: {what}");
        thread::sleep(INTERVAL);
    }
}

/// Waits until a session's statement waits for a lock.
#[track_caller]
pub fn await_lock(observer: &mut Session, pid: i32) {
    let waits = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = $1";
    eventually("it waits for a lock", || {
        observer.values(waits, &[&pid]) == [Some("Lock".to_owned())]
    });
}

/// Runs `work` once for each item, all at the same moment, and answers the results in order.
/// `prepare` runs before that moment.
pub fn together<I: Send, P, R: Send>(
    items: Vec<I>,
    prepare: impl Fn(I) -> P + Sync,
    work: impl Fn(P) -> R + Sync,
) -> Vec<R> {
    let barrier = Barrier::new(items.len());
    thread::scope(|scope| {
        let threads: Vec<_> = items
            .into_iter()
            .map(|item| {
                scope.spawn(|| {
                    let prepared = prepare(item);
                    barrier.wait();
                    work(prepared)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .collect()
    })
}
