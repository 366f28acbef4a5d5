//! Memory and open files of processes that live long: neither may grow with what they do.

use std::collections::HashMap;
use std::thread::{self, Scope};
use std::time::Duration;

use neon_auth_connections::{Footprint, Session};
use postgres::NoTls;

use crate::site::Site;
use crate::watch::Watch;

const INTERVAL: Duration = Duration::from_secs(1);
/// How many samples a process must have before it is judged, the first half of them for its caches to fill.
const FEW: usize = 20;
/// By how many kilobytes and files it may exceed what it had in the first half of its life.
const KILOBYTES: u64 = 8192;
const FILES: usize = 16;

const PROCESSES: &str = "SELECT pid, backend_type FROM pg_stat_activity
    WHERE backend_type LIKE 'neon_auth%' OR backend_type = 'client backend' AND pid <> pg_backend_pid()";

/// What a process had, second by second.
type Lives = HashMap<(i32, String), Vec<Footprint>>;

pub fn run<'scope>(scope: &'scope Scope<'scope, '_>, site: &'scope Site, watch: &'scope Watch) {
    scope.spawn(move || {
        watch.guard("the look at memory", || {
            let mut lives = Lives::new();
            while !watch.is_over() {
                sample(site, watch, &mut lives);
                thread::sleep(INTERVAL);
            }
            for (process, life) in &lives {
                judge(watch, process, life);
            }
        });
    });
}

/// Adds a sample of each process, and judges those that have ended.
fn sample(site: &Site, watch: &Watch, lives: &mut Lives) {
    let config = site.stack.database.config("postgres");
    // Without a server there is nothing to look at.
    let Ok(client) = config.connect(NoTls) else {
        return;
    };
    let Ok(rows) = Session::from(client).query(PROCESSES, &[]) else {
        return;
    };
    let present: Vec<(i32, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    lives.retain(|process, life| {
        let is_there = present.contains(process);
        if !is_there {
            judge(watch, process, life);
        }
        is_there
    });
    for process in present {
        if let Some(footprint) = Footprint::of(process.0.unsigned_abs()) {
            lives.entry(process).or_default().push(footprint);
        }
    }
}

fn judge(watch: &Watch, (pid, kind): &(i32, String), life: &[Footprint]) {
    if life.len() < FEW {
        return;
    }
    let (first, last) = life.split_at(life.len() / 2);
    let memory = |half: &[Footprint]| {
        half.iter()
            .map(|then| then.memory)
            .max()
            .unwrap_or_default()
    };
    let files = |half: &[Footprint]| {
        half.iter()
            .map(|then| then.open_files)
            .max()
            .unwrap_or_default()
    };
    let (memory, files) = ([memory(first), memory(last)], [files(first), files(last)]);
    watch.note_growth(memory[1].saturating_sub(memory[0]), life.len());
    if memory[1] > memory[0] + KILOBYTES || files[1] > files[0] + FILES {
        watch.broken(format!(
            "{kind} {pid} grows: {memory:?} kB, {files:?} open files in the halves of {} s",
            life.len()
        ));
    }
    watch.checked("a process of some age does not grow");
}
