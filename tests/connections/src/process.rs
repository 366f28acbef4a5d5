//! What Linux reports of a process of the server.

use std::fs;

use crate::session::Session;

/// The most kilobytes of memory that a session's backend has had at one time, since it began.
/// Pages of shared buffers count from when they are first used, so a test that compares two peaks
/// runs in a server that has few.
#[track_caller]
pub fn peak(session: &mut Session) -> u64 {
    let peak = status(session.pid().unsigned_abs(), "VmHWM");
    let kilobytes = peak.strip_suffix(" kB").map(str::parse);
    kilobytes
        .and_then(Result::ok)
        .expect("Linux tells the peak in kB")
}

/// How many threads a process has. A session has a second one while a request is under way.
#[track_caller]
pub fn threads(pid: u32) -> u64 {
    status(pid, "Threads").parse().expect("a number")
}

/// How often a process has waited for something, such as its latch.
#[track_caller]
pub fn waits(pid: u32) -> u64 {
    let waits = status(pid, "voluntary_ctxt_switches");
    waits.parse().expect("a number")
}

/// What a process has for itself.
#[derive(Clone, Copy, Debug)]
pub struct Footprint {
    /// Kilobytes of memory that it shares with no other process.
    pub memory: u64,
    pub open_files: usize,
}

impl Footprint {
    /// That of a process, unless it has ended.
    pub fn of(pid: u32) -> Option<Self> {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let memory = member(&status, "RssAnon")?.strip_suffix(" kB")?;
        Some(Self {
            memory: memory.parse().ok()?,
            open_files: fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count(),
        })
    }
}

#[track_caller]
fn status(pid: u32, what: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status"));
    let status = status.expect("it is a process of this machine");
    let value = member(&status, what);
    value.expect("Linux tells it").to_owned()
}

fn member<'a>(status: &'a str, what: &str) -> Option<&'a str> {
    let mut lines = status.lines().filter_map(|line| line.split_once(':'));
    lines.find_map(|(name, value)| (name == what).then_some(value.trim()))
}
