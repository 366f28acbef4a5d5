//! The one process that knows when which database is to be visited.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use pgrx::bgworkers::{
    BackgroundWorker, BackgroundWorkerBuilder, BackgroundWorkerStatus, BgWorkerStartTime,
    DynamicBackgroundWorker,
};
use pgrx::prelude::*;

use crate::{http, provider, settings, shared};

/// How often the list of databases is read again: a copy of one that is served must be found.
const LIST_INTERVAL: i64 = 60_000_000;
/// When a visit that did not come to its end is made again.
const RETRY_INTERVAL: i64 = 60_000_000;
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
    super::die_on_sigterm();
    reload_on_sighup();
    // The shared catalogs, and no database: nobody has to wait for this process to leave.
    BackgroundWorker::connect_worker_to_spi(None, None);
    shared::become_launcher();
    let mut launcher = Launcher {
        visits: Vec::new(),
        listed_at: 0,
        known: HashSet::new(),
    };
    loop {
        let next = launcher.round();
        let wait = (next - provider::now_in_microseconds()).clamp(0, LIST_INTERVAL);
        http::wait(None, Duration::from_micros(wait.unsigned_abs()));
        reload_if_asked();
    }
}

struct Launcher {
    visits: Vec<Visit>,
    listed_at: i64,
    /// Databases that have been visited once, whether they have the extension or not.
    known: HashSet<pg_sys::Oid>,
}

/// A visit under way.
struct Visit {
    database: pg_sys::Oid,
    worker: DynamicBackgroundWorker,
}

impl Launcher {
    /// Does what is due, and answers when to look again.
    fn round(&mut self) -> i64 {
        let now = provider::now_in_microseconds();
        self.visits
            .retain(|visit| !matches!(visit.worker.pid(), Err(BackgroundWorkerStatus::Stopped)));
        if self.listed_at + LIST_INTERVAL <= now || now < self.listed_at {
            self.list();
            self.listed_at = now;
        }
        let mut next = self.listed_at + LIST_INTERVAL;
        for (oid, database) in shared::databases() {
            if self.visits.iter().any(|visit| visit.database == oid) {
                // Its end wakes us.
                continue;
            }
            let due_at = if database.wanted.load(Ordering::Acquire) {
                0
            } else {
                database.due_at.load(Ordering::Acquire)
            };
            if due_at > now {
                next = next.min(due_at);
            } else if !self.visit(oid, database) {
                // No room: the end of another visit wakes us, or a slot becomes free elsewhere.
                next = next.min(now + 1_000_000);
            }
        }
        next
    }

    fn visit(&mut self, oid: pg_sys::Oid, database: &shared::Database) -> bool {
        if self.visits.len() >= settings::MAX_WORKERS.get().unsigned_abs() as usize {
            return false;
        }
        // SAFETY: reads a variable of this process.
        let me = unsafe { pg_sys::MyProcPid };
        let worker = BackgroundWorkerBuilder::new("neon_auth worker")
            .set_type("neon_auth worker")
            .set_library("neon_auth")
            .set_function("neon_auth_visit_main")
            .set_argument(Some(pg_sys::Datum::from(oid)))
            .set_notify_pid(me)
            .enable_spi_access()
            .load_dynamic();
        let Ok(worker) = worker else {
            return false;
        };
        let retry_at = provider::now_in_microseconds() + RETRY_INTERVAL;
        database.due_at.store(retry_at, Ordering::Release);
        database.wanted.store(false, Ordering::Release);
        self.visits.push(Visit {
            database: oid,
            worker,
        });
        true
    }

    /// Compares the databases that are with those that are known.
    fn list(&mut self) {
        let present = BackgroundWorker::transaction(databases);
        for (oid, database) in shared::databases() {
            if !present.contains(&oid) {
                database.free();
            }
        }
        self.known.retain(|oid| present.contains(oid));
        for oid in present {
            if self.known.insert(oid)
                && let Some(database) = shared::database(oid)
            {
                database.wanted.store(true, Ordering::Release);
            }
        }
    }
}

/// The OIDs of the databases that take connections.
fn databases() -> HashSet<pg_sys::Oid> {
    let mut oids = HashSet::new();
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
            // A limit of -2 marks what a DROP DATABASE has left half done.
            if (*row).datallowconn && (*row).datconnlimit != -2 {
                oids.insert((*row).oid);
            }
        }
        pg_sys::table_endscan(scan);
        pg_sys::table_close(catalog, mode);
    }
    oids
}

fn reload_on_sighup() {
    unsafe extern "C-unwind" {
        fn SignalHandlerForConfigReload(signal: i32);
    }
    // SAFETY: the handler is PostgreSQL's own.
    unsafe { super::handle(pg_sys::SIGHUP, SignalHandlerForConfigReload) };
}

fn reload_if_asked() {
    // SAFETY: the flag that the handler sets, read between two rounds.
    unsafe {
        let asked = (&raw mut pg_sys::ConfigReloadPending).cast::<i32>();
        if asked.read_volatile() != 0 {
            asked.write_volatile(0);
            pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
        }
    }
}
