//! A load on two databases, with faults: Stack Auth's and Better Auth's users sign in, write and read, webhooks arrive,
//! providers, keys and API keys change, and meanwhile processes are killed, the disk is full, the services fail, the
//! clock is wrong and a standby is promoted.
//!
//! `make soak` runs it for SOAK_MINUTES, with the faults that SOAK_SEED chooses, in namespaces of their own
//! (`dev/soak`). It ends at the first broken promise, or with a report.

mod activity;
mod better_auth;
mod client;
mod clock;
mod credentials;
mod disk;
mod faults;
mod log;
mod memory;
mod relay;
mod report;
mod site;
mod watch;

use std::env;
use std::process::{self, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use client::{Client, Lifetime};
use faults::Plan;
use site::Site;
use watch::Watch;

fn number(variable: &str, default: f64) -> f64 {
    let text = env::var(variable).ok().filter(|text| !text.is_empty());
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is not a number"))
    })
}

fn main() -> ExitCode {
    let duration = Duration::from_secs_f64(60.0 * number("SOAK_MINUTES", 5.0));
    let seed = number("SOAK_SEED", 1.0) as u64;
    let site = Site::start(seed);
    let watch = Watch::new();
    let mut relay = relay::Relay::new(&site, seed);
    let mut log = log::Reader::default();
    let started = Instant::now();
    thread::scope(|scope| {
        let (site, watch) = (&site, &watch);
        let mut seeds = (0..).map(|number| seed.wrapping_mul(1000) + number);
        let mut seed = || seeds.next().expect("numbers do not end");
        for (name, lifetime, through_pooler) in [
            ("a client, by transaction", Lifetime::Transaction, false),
            (
                "another client, by transaction",
                Lifetime::Transaction,
                false,
            ),
            ("a client, by session", Lifetime::Session, false),
            ("a client of the pooler", Lifetime::Transaction, true),
            ("another client of the pooler", Lifetime::Transaction, true),
        ] {
            let mut client = Client::new(site, lifetime, through_pooler, seed());
            watch.run(scope, name, move |tally| client.act(tally));
        }
        let mut members = better_auth::Members::new(site, seed());
        watch.run(scope, "a client of Better Auth", move |tally| {
            members.act(tally)
        });
        for name in ["an application's writer", "another application's writer"] {
            let mut writer = better_auth::Writer::new(site, seed());
            watch.run(scope, name, move |tally| writer.act(tally));
        }
        let mut comparison = better_auth::Comparison::new(site);
        watch.run(scope, "the comparison of Better Auth", move |tally| {
            comparison.act(tally)
        });
        let relay = &mut relay;
        watch.run(scope, "the relay of webhooks", move |tally| {
            relay.act(tally)
        });
        let mut administrator = credentials::Administrator::new(site, seed());
        watch.run(scope, "an administrator", move |tally| {
            administrator.act(tally)
        });
        activity::run(scope, site, watch, seed());
        memory::run(scope, site, watch);
        log::run(scope, &mut log, site, watch);
        Plan::new(seed(), duration).inflict(site, watch);
        watch.end();
        if !watch.promises_broken().is_empty() {
            report::print(site, watch, started.elapsed());
            // Whoever waits for a lock or for the pooler would go on for minutes. dev/soak ends all processes.
            process::exit(1);
        }
    });
    if watch.promises_broken().is_empty() {
        site.settle(&mut relay, &watch);
        log.read(&site, &watch);
        report::demand_all(&watch);
    }
    report::print(&site, &watch, started.elapsed())
}
