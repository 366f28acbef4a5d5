//! What was done, what failed, which faults there were, and what was checked.

use std::process::ExitCode;
use std::time::Duration;

use postgres::error::SqlState;

use crate::site::Site;
use crate::watch::Watch;

/// What a run that is worth something has checked, each at least once.
const PROMISES: [&str; 14] = [
    "a process of some age does not grow",
    "a revoked API key is refused",
    "a token of a dropped provider is refused",
    "an acknowledged delivery is applied once",
    "an ended session of Better Auth is refused",
    "everybody is served again after a fault",
    "no acknowledged delivery is lost",
    "nobody sees or writes another's rows",
    "somebody sees only own rows on a standby",
    "status reports that all is well",
    "the mirror of Better Auth is what the tables say",
    "the mirror of Stack Auth is what the service has",
    "the server's log has no PANIC, internal error or signal",
    "the triggers lose no change without recording a gap",
];

/// Reports as broken each promise of the list that was never checked, and a full disk that nobody noticed.
pub fn demand_all(watch: &Watch) {
    let (checks, has_been_full) = {
        let counts = watch.counts();
        let mut codes = counts.disturbed.keys().map(|(_, code)| code);
        let has_been_full = codes.any(|code| code == SqlState::DISK_FULL.code());
        (counts.checks.clone(), has_been_full)
    };
    for promise in PROMISES {
        if !checks.contains_key(promise) {
            watch.broken(format!("never checked: {promise}"));
        }
    }
    if !has_been_full {
        watch.broken("no statement failed for the full disk".to_owned());
    }
}

pub fn print(site: &Site, watch: &Watch, elapsed: Duration) -> ExitCode {
    let counts = watch.counts();
    println!("\nAfter {} seconds:", elapsed.as_secs());
    println!("\nDone");
    for (what, count) in &counts.done {
        println!("{count:>9}  {what}");
    }
    println!("\nFailed, as it may, by SQLSTATE");
    for ((what, code), count) in &counts.disturbed {
        println!("{count:>9}  {code:<10}  {what}");
    }
    println!("\nFaults");
    for (fault, count) in &counts.faults {
        println!("{count:>9}  {fault}");
    }
    println!("\nChecked");
    for (promise, count) in &counts.checks {
        println!("{count:>9}  {promise}");
    }
    let (kilobytes, seconds) = counts.growth;
    println!("\nThe process that grew most grew by {kilobytes} kB, in {seconds} seconds.");
    let broken = watch.promises_broken();
    if broken.is_empty() {
        println!("\nEvery promise was kept.");
        return ExitCode::SUCCESS;
    }
    println!("\nBroken");
    for promise in &broken {
        println!("  {promise}");
    }
    let log = site.cluster().log();
    let lines: Vec<&str> = log.lines().collect();
    println!("\nThe end of the server's log");
    for line in &lines[lines.len().saturating_sub(60)..] {
        println!("  {line}");
    }
    ExitCode::FAILURE
}
