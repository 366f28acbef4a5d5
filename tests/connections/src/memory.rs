//! How much memory a process has ever had.

use std::fs;

use crate::session::Session;

/// The most kilobytes of memory that a session's backend has had at one time, since it began.
/// Pages of shared buffers count from when they are first used, so a test that compares two peaks
/// runs in a server that has few.
#[track_caller]
pub fn peak(session: &mut Session) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", session.pid()));
    let status = status.expect("the backend is a process of this machine");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
    kilobytes
        .and_then(|kilobytes| kilobytes.parse().ok())
        .expect("Linux tells the peak in kB")
}
