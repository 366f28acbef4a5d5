//! The one process that knows when a worker is due in each database.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus, BgWorkerStartTime,
    DynamicBackgroundWorker,
};
use pgrx::memcxt::PgMemoryContexts;
use pgrx::prelude::*;

use super::retry::retry_after;
use crate::background::process;
use crate::clock::{self, SECOND};
use crate::pg::compat;
use crate::settings;
use crate::shared::{self, NEVER};

/// How often the list of databases is read again, to find copies of databases that workers serve.
const LIST_INTERVAL: i64 = 10 * SECOND;
/// How often running workers are checked, and how long one may block other sessions.
const WATCH_INTERVAL: i64 = SECOND / 2;
/// When to retry a run that another launcher started, if it does not end.
const RETRY_INTERVAL: i64 = 60 * SECOND;
/// After a crash, or after pg_terminate_backend().
const RESTART_TIME: Duration = Duration::from_secs(5);

pub fn register() {
    BackgroundWorkerBuilder::new("neon_auth launcher")
        .set_type("neon_auth launcher")
        .set_library("neon_auth")
        .set_function("neon_auth_launcher_main")
        .enable_spi_access()
        // Not on a standby; after its promotion.
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(RESTART_TIME))
        .load();
}

/// # Safety
/// PostgreSQL calls it, in a process of its own.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn neon_auth_launcher_main(_argument: pg_sys::Datum) {
    process::settle_in(c"0");
    reload_on_sighup();
    // The shared catalogs, but no database: no session has to wait for this process to leave one.
    BackgroundWorker::connect_worker_to_spi(None, None);
    shared::become_launcher();
    let mut launcher = Launcher {
        visits: Vec::new(),
        served: HashSet::new(),
        listed_at: 0,
        looked_at: clock::microseconds(),
        lacks_slots: false,
    };
    launcher.expect_all_within(RETRY_INTERVAL);
    loop {
        let next = launcher.round();
        let left = (next - clock::microseconds()).clamp(0, LIST_INTERVAL);
        wait(Duration::from_micros(left.unsigned_abs()));
        if reload_if_asked() {
            launcher.look_everywhere();
        }
    }
}

struct Launcher {
    visits: Vec<RunningVisit>,
    /// Databases that accept connections. A worker runs once in each, whether it has the extension
    /// or not.
    served: HashSet<pg_sys::Oid>,
    listed_at: i64,
    looked_at: i64,
    /// Whether the last worker could not be started because max_worker_processes was reached.
    lacks_slots: bool,
}

/// A running worker.
struct RunningVisit {
    database: pg_sys::Oid,
    place: &'static shared::Database,
    /// The worker overwrites this with the time of its next run, if it ends normally.
    unfinished: i64,
    in_the_way_since: Option<i64>,
    worker: DynamicBackgroundWorker,
    /// Contains what PostgreSQL allocates for the worker's handle.
    _memory: PgMemoryContexts,
}

impl Launcher {
    /// Starts the workers that are due, and returns when to check again.
    fn round(&mut self) -> i64 {
        let now = clock::microseconds();
        if now < self.looked_at {
            // The clock was set back: workers that were due soon must not wait until the old time
            // is reached again.
            self.expect_all_within(0);
            self.listed_at = 0;
        }
        self.looked_at = now;
        self.end_visits(now);
        if self.listed_at + LIST_INTERVAL <= now {
            self.list(now);
        }
        let mut next = self.listed_at + LIST_INTERVAL;
        let mut due = Vec::new();
        for (oid, place) in shared::databases() {
            let is_visited = self.visits.iter().any(|visit| visit.database == oid);
            // The end of a worker wakes us.
            if is_visited {
                continue;
            }
            match place.next_visit() {
                at if at <= now => {
                    // If no worker can be started, this shows since when it is due.
                    place.due_at.fetch_min(now, Ordering::AcqRel);
                    due.push((oid, place));
                }
                at if self.served.contains(&oid) => next = next.min(at),
                _ => {}
            }
        }
        if !due.is_empty() {
            // Some databases may be new, or were dropped meanwhile; the one that has waited longest
            // is first.
            self.list(now);
            due.sort_by_key(|(_, place)| place.visited_at.load(Ordering::Relaxed));
        }
        for (oid, place) in due {
            if !self.served.contains(&oid) || !place.belongs_to(oid) {
                continue;
            }
            if self.visits.len() >= settings::MAX_WORKERS.get().unsigned_abs() as usize {
                break;
            }
            if !process::is_free(oid) {
                // It is being copied, dropped or moved.
                next = next.min(now + SECOND);
            } else if !self.visit(oid, place) {
                next = next.min(now + SECOND);
                break;
            }
        }
        if !self.visits.is_empty() {
            next = next.min(now + WATCH_INTERVAL);
        }
        next
    }

    fn visit(&mut self, oid: pg_sys::Oid, place: &'static shared::Database) -> bool {
        // SAFETY: reads a variable of this process.
        let me = unsafe { pg_sys::MyProcPid };
        let builder = BackgroundWorkerBuilder::new("neon_auth worker")
            .set_type("neon_auth worker")
            .set_library("neon_auth")
            .set_function("neon_auth_visit_main")
            .set_argument(Some(pg_sys::Datum::from(oid)))
            .set_notify_pid(me)
            .enable_spi_access();
        // Before it starts: a later request is for this worker or for the next one.
        let unfinished = clock::microseconds() + RETRY_INTERVAL;
        let was_due_at = place.due_at.swap(unfinished, Ordering::AcqRel);
        let was_wanted = place.wanted.swap(false, Ordering::AcqRel);
        let mut memory = PgMemoryContexts::new("neon_auth visit");
        // SAFETY: the context outlives the handle, which is the only allocation.
        let worker = unsafe { memory.switch_to(|_| builder.load_dynamic()) };
        let Ok(worker) = worker else {
            place.due_at.store(was_due_at, Ordering::Release);
            place.wanted.fetch_or(was_wanted, Ordering::AcqRel);
            if !std::mem::replace(&mut self.lacks_slots, true) {
                pgrx::log!(
                    "neon_auth: cannot start a background worker: max_worker_processes is reached"
                );
            }
            return false;
        };
        self.lacks_slots = false;
        self.visits.push(RunningVisit {
            database: oid,
            place,
            unfinished,
            in_the_way_since: None,
            worker,
            _memory: memory,
        });
        true
    }

    /// Removes workers that have ended, and cancels workers that block other sessions: a worker
    /// leaves its database while it waits for the auth service, but not during a statement.
    fn end_visits(&mut self, now: i64) {
        self.visits.retain_mut(|visit| match visit.worker.pid() {
            Err(BackgroundWorkerStatus::Stopped) => {
                visit.end(now);
                false
            }
            Ok(pid) => {
                let is_there = visit.place.visitor.load(Ordering::Acquire) == pid;
                if !is_there || process::is_free(visit.database) {
                    visit.in_the_way_since = None;
                } else if *visit.in_the_way_since.get_or_insert(now) + WATCH_INTERVAL <= now {
                    // SAFETY: a signal to the running worker; PostgreSQL's own handler treats it as
                    // a request to cancel.
                    unsafe { libc::kill(pid, libc::SIGINT) };
                }
                true
            }
            Err(_) => true,
        });
    }

    /// Compares the existing databases with the known ones.
    fn list(&mut self, now: i64) {
        // Before the catalog is read: a database that has a slot by now is in the catalog.
        let places: Vec<_> = shared::databases().collect();
        let present = BackgroundWorker::transaction(databases);
        for (oid, place) in places {
            if !present.iter().any(|database| database.oid == oid) {
                place.free();
            }
        }
        let open = present.iter().filter(|database| database.is_open);
        let open: HashSet<_> = open.map(|database| database.oid).collect();
        for oid in open.difference(&self.served) {
            if let Some(place) = shared::database(*oid) {
                place.wanted.store(true, Ordering::Release);
            }
        }
        self.served = open;
        self.listed_at = now;
    }

    /// Starts workers in the databases that use the extension, because settings may have changed.
    fn look_everywhere(&self) {
        for (_, place) in shared::databases() {
            if place.visited_at.load(Ordering::Relaxed) != 0 {
                place.request_reset();
            }
        }
    }

    /// Moves all planned runs to at most this number of microseconds from now.
    fn expect_all_within(&self, time: i64) {
        let latest = clock::microseconds() + time;
        for (_, place) in shared::databases() {
            place.retry_at.fetch_min(latest, Ordering::AcqRel);
            if place.due_at.load(Ordering::Acquire) != NEVER {
                place.due_at.fetch_min(latest, Ordering::AcqRel);
            }
        }
    }
}

impl RunningVisit {
    /// Plans the next run if this one did not end normally.
    fn end(&self, now: i64) {
        if !self.place.belongs_to(self.database) {
            return;
        }
        // It may have ended before it could clear this.
        self.place.visitor.store(0, Ordering::Release);
        let is_unfinished = self.place.due_at.load(Ordering::Acquire) == self.unfinished;
        if is_unfinished {
            let failures = self.place.failures.fetch_add(1, Ordering::Relaxed) + 1;
            let retry_at = now + retry_after(failures);
            self.place.due_at.store(retry_at, Ordering::Release);
            self.place.retry_at.store(retry_at, Ordering::Release);
        }
    }
}

struct Present {
    oid: pg_sys::Oid,
    /// Whether it accepts connections.
    is_open: bool,
}

/// The databases of the server.
fn databases() -> Vec<Present> {
    let mut databases = Vec::new();
    let mode = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: a scan of a shared catalog inside a transaction, as the autovacuum launcher does it.
    unsafe {
        let catalog = pg_sys::table_open(pg_sys::DatabaseRelationId, mode);
        let scan = pg_sys::table_beginscan_catalog(catalog, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let row = pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            databases.push(Present {
                oid: (*row).oid,
                // A limit of -2 marks an unfinished DROP DATABASE.
                is_open: (*row).datallowconn && (*row).datconnlimit != -2,
            });
        }
        pg_sys::table_endscan(scan);
        pg_sys::table_close(catalog, mode);
    }
    databases
}

/// Waits for the latch or for the time to pass, and ends this process at once on request: the
/// postmaster logs it, and starts another unless the server is shutting down.
fn wait(longest: Duration) {
    let events = pg_sys::WL_LATCH_SET | pg_sys::WL_TIMEOUT | pg_sys::WL_EXIT_ON_PM_DEATH;
    // SAFETY: our own latch, and a flag that a signal handler sets.
    unsafe {
        pg_sys::WaitLatch(
            pg_sys::MyLatch,
            events as i32,
            longest.as_millis() as std::ffi::c_long,
            pg_sys::PG_WAIT_EXTENSION,
        );
        pg_sys::ResetLatch(pg_sys::MyLatch);
        if (&raw const pg_sys::ProcDiePending).read_volatile() != 0 {
            pg_sys::proc_exit(1);
        }
    }
    pgrx::check_for_interrupts!();
}

fn reload_on_sighup() {
    unsafe extern "C-unwind" {
        fn SignalHandlerForConfigReload(signal: i32);
    }
    // SAFETY: the handler is PostgreSQL's own.
    unsafe { compat::handle_signal(pg_sys::SIGHUP, SignalHandlerForConfigReload) };
}

fn reload_if_asked() -> bool {
    // SAFETY: the flag that the handler sets, read between two rounds.
    unsafe {
        let asked = (&raw mut pg_sys::ConfigReloadPending).cast::<i32>();
        if asked.read_volatile() == 0 {
            return false;
        }
        asked.write_volatile(0);
        pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
    }
    true
}
