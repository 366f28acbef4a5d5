//! What everybody who acts reports: what succeeded, what failed and whether it may, and which promise was broken.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use postgres::error::SqlState;

/// How long anybody may need to be served again once a fault has ended.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long whoever failed waits before the next attempt.
const PAUSE: Duration = Duration::from_millis(30);

/// PostgreSQL's own internal error for a connection that begins while the disk is full.
pub const NO_INIT_FILE: &str = "could not write init file";

/// Why something was not done.
#[derive(Debug)]
pub enum Trouble {
    /// The server or the connection reported it.
    Failed(postgres::Error),
    /// It was done, and the outcome breaks a promise.
    Broken(String),
}

impl From<postgres::Error> for Trouble {
    fn from(error: postgres::Error) -> Self {
        Self::Failed(error)
    }
}

/// Fails with a broken promise unless something holds.
pub fn promise(holds: bool, what: impl FnOnce() -> String) -> Result<(), Trouble> {
    if holds {
        Ok(())
    } else {
        Err(Trouble::Broken(what()))
    }
}

/// One of those who act.
struct Actor {
    name: &'static str,
    successes: AtomicU64,
}

#[derive(Default)]
pub struct Counts {
    pub done: BTreeMap<&'static str, u64>,
    /// What failed while a fault was on, by SQLSTATE.
    pub disturbed: BTreeMap<(&'static str, String), u64>,
    pub checks: BTreeMap<&'static str, u64>,
    pub faults: BTreeMap<&'static str, u64>,
    /// By how many kilobytes a process has grown at most, of how many seconds.
    pub growth: (u64, usize),
}

pub struct Watch {
    actors: Mutex<Vec<Arc<Actor>>>,
    /// Even while no fault is on and everybody has been served since the last one.
    weather: AtomicU64,
    is_over: AtomicBool,
    counts: Mutex<Counts>,
    broken: Mutex<Vec<String>>,
}

/// Where an actor reports what it does.
pub struct Tally<'a> {
    watch: &'a Watch,
    actor: &'a Actor,
}

impl Tally<'_> {
    /// Does something, and reports how it ended. `None`: it failed, as it may.
    pub fn attempt<R>(
        &self,
        what: &'static str,
        is_expected: impl Fn(&SqlState) -> bool,
        act: impl FnOnce() -> Result<R, Trouble>,
    ) -> Option<R> {
        let before = self.watch.weather.load(Ordering::SeqCst);
        let outcome = act();
        let is_calm =
            before.is_multiple_of(2) && before == self.watch.weather.load(Ordering::SeqCst);
        match outcome {
            Ok(result) => {
                *self.watch.counts().done.entry(what).or_default() += 1;
                self.actor.successes.fetch_add(1, Ordering::SeqCst);
                return Some(result);
            }
            Err(Trouble::Broken(promise)) => {
                self.watch
                    .broken(format!("{}, {what}: {promise}", self.actor.name));
            }
            Err(Trouble::Failed(error)) => {
                let code = error.code().cloned();
                let is_expected = code.as_ref().is_some_and(is_expected);
                let is_refused_by_disk = error
                    .as_db_error()
                    .is_some_and(|error| error.message() == NO_INIT_FILE);
                let may_fail = is_expected
                    || !is_calm && (is_refused_by_disk || may_be_disturbed(code.as_ref()));
                if !may_fail {
                    let weather = if is_calm {
                        "without a fault"
                    } else {
                        "during a fault"
                    };
                    let name = self.actor.name;
                    self.watch
                        .broken(format!("{name}, {what}: failed {weather}: {error:?}"));
                }
                if is_expected {
                    self.actor.successes.fetch_add(1, Ordering::SeqCst);
                }
                let code = code.map_or("connection".to_owned(), |code| code.code().to_owned());
                *self
                    .watch
                    .counts()
                    .disturbed
                    .entry((what, code))
                    .or_default() += 1;
            }
        }
        thread::sleep(PAUSE);
        None
    }

    /// Reports that a promise was checked, and held.
    pub fn checked(&self, promise: &'static str) {
        self.watch.checked(promise);
    }
}

/// Whether a fault of the plan may be the reason of a failure. The server's own faults (XX), syntax and names (42),
/// data (22) and constraints (23) have no such reason.
fn may_be_disturbed(code: Option<&SqlState>) -> bool {
    let Some(code) = code else {
        return true;
    };
    match &code.code()[..2] {
        // Connections, refused credentials, a state that ends, locks, resources, cancels and shutdowns.
        "08" | "28" | "55" | "40" | "53" | "57" => true,
        // A system call failed: no space for a file.
        "58" => true,
        // A standby that is not promoted yet; a transaction that an error has ended.
        "25" => true,
        _ => false,
    }
}

impl Watch {
    pub fn new() -> Self {
        Self {
            actors: Mutex::default(),
            // The start is like the end of a fault.
            weather: AtomicU64::new(1),
            is_over: AtomicBool::new(false),
            counts: Mutex::default(),
            broken: Mutex::default(),
        }
    }

    /// Lets an actor act until everything is over.
    pub fn run<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        name: &'static str,
        mut act: impl FnMut(&Tally) + Send + 'scope,
    ) {
        let actor = Arc::new(Actor {
            name,
            successes: AtomicU64::new(0),
        });
        lock(&self.actors).push(Arc::clone(&actor));
        scope.spawn(move || {
            let tally = Tally {
                watch: self,
                actor: &actor,
            };
            self.guard(name, || {
                while !self.is_over() {
                    act(&tally);
                }
            });
        });
    }

    /// Does something whose panic is a broken promise.
    pub fn guard(&self, name: &str, act: impl FnOnce()) {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(act)) {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            self.broken(format!("{name}: {}", text.unwrap_or("a panic")));
        }
    }

    /// From now on failures may have a fault as their reason.
    pub fn begin_fault(&self, kind: &'static str) {
        self.weather.fetch_add(1, Ordering::SeqCst);
        *self.counts().faults.entry(kind).or_default() += 1;
    }

    /// Waits until everybody has been served since the fault ended. From then on nothing may fail.
    pub fn await_calm(&self, fault: &str) {
        let actors: Vec<_> = lock(&self.actors).clone();
        let before: Vec<_> = actors
            .iter()
            .map(|actor| actor.successes.load(Ordering::SeqCst))
            .collect();
        let started = Instant::now();
        for (actor, before) in actors.iter().zip(before) {
            // The first success may have begun before the fault ended.
            while actor.successes.load(Ordering::SeqCst) < before + 2 && !self.is_over() {
                if started.elapsed() > PATIENCE {
                    return self.broken(format!("{} is not served after: {fault}", actor.name));
                }
                thread::sleep(PAUSE);
            }
        }
        self.checked("everybody is served again after a fault");
        self.weather.fetch_add(1, Ordering::SeqCst);
    }

    pub fn checked(&self, promise: &'static str) {
        *self.counts().checks.entry(promise).or_default() += 1;
    }

    /// Reports by how much a process has grown.
    pub fn note_growth(&self, kilobytes: u64, seconds: usize) {
        let growth = &mut self.counts().growth;
        *growth = (*growth).max((kilobytes, seconds));
    }

    /// Reports a broken promise, which ends everything.
    pub fn broken(&self, promise: String) {
        eprintln!("BROKEN: {promise}");
        lock(&self.broken).push(promise);
        self.end();
    }

    pub fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Waits, unless everything is over before.
    pub fn pause(&self, duration: Duration) {
        let started = Instant::now();
        while started.elapsed() < duration && !self.is_over() {
            thread::sleep(PAUSE.min(duration));
        }
    }

    pub fn counts(&self) -> MutexGuard<'_, Counts> {
        lock(&self.counts)
    }

    pub fn promises_broken(&self) -> Vec<String> {
        lock(&self.broken).clone()
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
