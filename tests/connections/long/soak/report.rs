//! What was done, what failed, which faults there were, and what was checked.

use std::process::ExitCode;
use std::time::Duration;

use crate::site::Site;
use crate::watch::Watch;

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
