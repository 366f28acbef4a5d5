//! The faults, and the plan of them that a seed makes.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use neon_auth_connections::{Random, eventually};
use neon_auth_stack::{Endpoint, Fault as ServiceFault};

use crate::site::Site;
use crate::watch::Watch;

/// How long a fault lasts, if it lasts.
const LASTING: Duration = Duration::from_secs(2);
/// How long everything must work between two faults.
const CALM: Duration = Duration::from_millis(700);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    TerminateBackend,
    CancelStatements,
    TerminateWorker,
    TerminateLauncher,
    RotateKeys,
    KeyServerFails,
    ServiceFails,
    ServiceHangs,
    DiskFull,
    ClockAhead,
    ClockBehind,
    KillBackend,
    KillWorker,
    KillPostmaster,
    StopImmediately,
    RestartFast,
    FailOver,
}

/// Those that leave most processes alive.
const GENTLE: [Fault; 11] = [
    Fault::TerminateBackend,
    Fault::CancelStatements,
    Fault::TerminateWorker,
    Fault::TerminateLauncher,
    Fault::RotateKeys,
    Fault::KeyServerFails,
    Fault::ServiceFails,
    Fault::ServiceHangs,
    Fault::DiskFull,
    Fault::ClockAhead,
    Fault::ClockBehind,
];

const CRASHES: [Fault; 6] = [
    Fault::KillBackend,
    Fault::KillWorker,
    Fault::KillPostmaster,
    Fault::StopImmediately,
    Fault::RestartFast,
    Fault::FailOver,
];

const BACKENDS: &str = "SELECT pid FROM pg_stat_activity
    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY pid";
const WORKERS: &str =
    "SELECT pid FROM pg_stat_activity WHERE backend_type = 'neon_auth worker' ORDER BY pid";
const LAUNCHER: &str = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'neon_auth launcher'";

/// In the first half of the time only faults that leave most processes alive, so that some become old; then crashes, and
/// then all. Each is inflicted once, however short the time.
pub struct Plan {
    random: Random,
    started: Instant,
    duration: Duration,
}

impl Plan {
    pub fn new(seed: u64, duration: Duration) -> Self {
        Self {
            random: Random::seeded(seed),
            started: Instant::now(),
            duration,
        }
    }

    pub fn inflict(mut self, site: &Site, watch: &Watch) {
        watch.guard("the faults", || {
            watch.await_calm("the start");
            let (half, whole) = (self.duration / 2, self.duration);
            self.round(&GENTLE, Duration::MAX, site, watch);
            while self.started.elapsed() < half && !watch.is_over() {
                self.round(&GENTLE, half, site, watch);
            }
            self.round(&CRASHES, Duration::MAX, site, watch);
            let all = [&GENTLE[..], &CRASHES[..]].concat();
            while self.started.elapsed() < whole && !watch.is_over() {
                self.round(&all, whole, site, watch);
            }
        });
    }

    /// Inflicts these faults in any order, until so much time has passed.
    fn round(&mut self, faults: &[Fault], until: Duration, site: &Site, watch: &Watch) {
        let mut faults = faults.to_vec();
        self.random.shuffle(&mut faults);
        for fault in faults {
            if watch.is_over() || self.started.elapsed() >= until {
                return;
            }
            eprintln!(
                "{:>6} s  {}",
                self.started.elapsed().as_secs(),
                fault.name()
            );
            watch.begin_fault(fault.name());
            self.inflict_one(fault, site, watch);
            watch.await_calm(fault.name());
            watch.pause(CALM);
        }
    }

    fn inflict_one(&mut self, fault: Fault, site: &Site, watch: &Watch) {
        let service = &site.stack.stack;
        match fault {
            Fault::TerminateBackend => self.signal(site, BACKENDS, "TERM"),
            Fault::CancelStatements => {
                for _ in 0..5 {
                    self.signal(site, BACKENDS, "INT");
                }
            }
            Fault::TerminateWorker => self.signal(site, WORKERS, "TERM"),
            Fault::TerminateLauncher => self.signal(site, LAUNCHER, "TERM"),
            Fault::RotateKeys => service.rotate_keys(),
            Fault::KeyServerFails => {
                service.set_fault(Endpoint::Jwks, self.service_fault());
                service.rotate_keys();
                watch.pause(LASTING);
                service.clear_fault(Endpoint::Jwks);
            }
            Fault::ServiceFails => {
                service.begin_outage(Endpoint::Users, 0);
                watch.pause(LASTING);
                service.end_outage();
            }
            Fault::ServiceHangs => {
                const ENDPOINTS: [Endpoint; 5] = [
                    Endpoint::Users,
                    Endpoint::User,
                    Endpoint::Team,
                    Endpoint::TeamMemberProfiles,
                    Endpoint::TeamPermissions,
                ];
                for endpoint in ENDPOINTS {
                    service.set_fault(endpoint, self.service_fault());
                }
                watch.pause(LASTING);
                for endpoint in ENDPOINTS {
                    service.clear_fault(endpoint);
                }
            }
            Fault::DiskFull => {
                site.disk.fill();
                watch.pause(LASTING);
                site.disk.free();
            }
            Fault::ClockAhead | Fault::ClockBehind => {
                let seconds = *self.random.pick(&[5, 20, 100, 700, 3600]);
                let ahead = if fault == Fault::ClockAhead {
                    seconds
                } else {
                    -seconds
                };
                site.clock.set_ahead(ahead);
                watch.pause(LASTING);
                let found = site.seconds_ahead();
                assert!(
                    found.abs_diff(ahead) < 5,
                    "the server is {found} s ahead instead of {ahead}"
                );
                site.clock.set_ahead(0);
                cancel_waits(site, watch);
            }
            Fault::KillBackend => self.crash(site, BACKENDS),
            Fault::KillWorker => self.crash(site, WORKERS),
            Fault::KillPostmaster => {
                let cluster = site.cluster();
                cluster.kill();
                cluster.start_again();
            }
            Fault::StopImmediately => restart(site, "immediate"),
            Fault::RestartFast => restart(site, "fast"),
            Fault::FailOver => site.fail_over(watch),
        }
        if CRASHES.contains(&fault) {
            watch.guard("deliveries after a crash", || {
                let mut session = site.stack.superuser();
                if let Err(trouble) = site.check_deliveries(&mut session) {
                    watch.broken(format!("after {}: {trouble:?}", fault.name()));
                }
            });
            watch.checked("no acknowledged delivery is lost");
        }
    }

    /// Something that a service does instead of its work.
    fn service_fault(&mut self) -> ServiceFault {
        self.random
            .pick(&[
                ServiceFault::Hang,
                ServiceFault::Reset,
                ServiceFault::Close,
                ServiceFault::Truncate,
                ServiceFault::Html,
                ServiceFault::Malformed,
                ServiceFault::EmptySet,
                ServiceFault::status(500),
                ServiceFault::status(503),
                ServiceFault::Delay { millis: 800 },
            ])
            .clone()
    }

    /// Sends a signal to one of the processes that a query finds, if there are any.
    fn signal(&mut self, site: &Site, processes: &str, signal: &str) {
        let found = site.cluster().administrator().query(processes, &[]);
        let found: Vec<i32> = found
            .expect("processes are listed")
            .iter()
            .map(|row| row.get(0))
            .collect();
        if !found.is_empty() {
            kill(*self.random.pick(&found), signal);
        }
    }

    /// Kills one of the processes that a query finds, or the launcher, and waits until the server has recovered.
    fn crash(&mut self, site: &Site, processes: &str) {
        let cluster = site.cluster();
        let crashes = || {
            cluster
                .log()
                .matches("all server processes terminated")
                .count()
        };
        let before = crashes();
        let mut administrator = cluster.administrator();
        let mut pids = |query: &str| -> Vec<i32> {
            let found = administrator
                .query(query, &[])
                .expect("processes are listed");
            found.iter().map(|row| row.get(0)).collect()
        };
        let started = Instant::now();
        let mut found = pids(processes);
        while found.is_empty() && started.elapsed() < Duration::from_secs(10) {
            thread::sleep(Duration::from_millis(20));
            found = pids(processes);
        }
        if !found.is_empty() {
            kill(*self.random.pick(&found), "KILL");
        }
        let started = Instant::now();
        while crashes() == before {
            // The process may have ended by itself.
            if started.elapsed() > Duration::from_secs(2) {
                let mut administrator = cluster.administrator();
                let launcher = administrator
                    .query(LAUNCHER, &[])
                    .expect("processes are listed");
                launcher.iter().for_each(|row| kill(row.get(0), "KILL"));
                eventually("the server has seen it", || crashes() > before);
            }
            thread::sleep(Duration::from_millis(20));
        }
        cluster.await_recovery();
    }
}

impl Fault {
    fn name(self) -> &'static str {
        match self {
            Self::TerminateBackend => "a backend terminated (SIGTERM)",
            Self::CancelStatements => "statements cancelled (SIGINT)",
            Self::TerminateWorker => "a worker terminated (SIGTERM)",
            Self::TerminateLauncher => "the launcher terminated (SIGTERM)",
            Self::RotateKeys => "keys rotated",
            Self::KeyServerFails => "keys rotated while the key server failed",
            Self::ServiceFails => "the auth service failed",
            Self::ServiceHangs => "endpoints of the auth service failed in ways of their own",
            Self::DiskFull => "the disk full",
            Self::ClockAhead => "the clock ahead",
            Self::ClockBehind => "the clock behind",
            Self::KillBackend => "a backend killed (SIGKILL)",
            Self::KillWorker => "a worker killed (SIGKILL)",
            Self::KillPostmaster => "the postmaster killed (SIGKILL)",
            Self::StopImmediately => "the server stopped at once",
            Self::RestartFast => "the server restarted",
            Self::FailOver => "the server killed and a standby promoted",
        }
    }
}

/// Cancels statements that wait for locks. PostgreSQL sets the timer of `deadlock_timeout` by the wall clock: one that ran
/// while the clock was set back ends so much later, and until then nobody finds a deadlock.
fn cancel_waits(site: &Site, watch: &Watch) {
    const CANCEL: &str =
        "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'";
    watch.pause(Duration::from_millis(1500));
    let cancelled = site.cluster().administrator().query(CANCEL, &[]);
    cancelled.expect("statements can be cancelled");
}

fn restart(site: &Site, mode: &str) {
    let cluster = site.cluster();
    cluster.stop(mode);
    cluster.start_again();
}

/// Sends a signal, to a process that may have ended.
fn kill(pid: i32, signal: &str) {
    // The shell's own kill(1): no package need bring one.
    let kill = Command::new("sh")
        .args([
            "-c",
            "kill -s \"$0\" \"$1\" 2>/dev/null",
            signal,
            &pid.to_string(),
        ])
        .status();
    kill.expect("there is a shell");
}
