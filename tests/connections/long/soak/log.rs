//! The servers' log: no process fails by itself, and no error is internal.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::thread::{self, Scope};
use std::time::Duration;

use crate::site::Site;
use crate::watch::{NO_INIT_FILE, Watch};

/// What no log may contain.
const ALARMS: [&str; 9] = [
    "PANIC:",
    "TRAP:",
    "stuck spinlock",
    "invalid memory alloc",
    "leak: ",
    "was not closed",
    "could not be recovered",
    "corrupt",
    "panicked",
];

const LINES_AFTER_ALARM: usize = 60;

/// Reads what a server has logged since the last time.
#[derive(Default)]
pub struct Reader {
    path: PathBuf,
    position: u64,
    rest: String,
}

impl Reader {
    pub fn read(&mut self, site: &Site, watch: &Watch) {
        let path = site.cluster().directory().join("log");
        if path != self.path {
            *self = Self {
                path,
                ..Self::default()
            };
        }
        let mut bytes = Vec::new();
        let read = File::open(&self.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.position))?;
            file.read_to_end(&mut bytes)
        });
        self.position += read.expect("a server has a log") as u64;
        self.rest += &String::from_utf8_lossy(&bytes);
        let whole = self.rest.rfind('\n').map_or(0, |end| end + 1);
        let rest = self.rest.split_off(whole);
        examine(&std::mem::replace(&mut self.rest, rest), watch);
        // A server that has logged nothing is not one that logs.
        if self.position > 0 {
            watch.checked("the server's log has no PANIC, internal error or signal");
        }
    }
}

/// Reports what is wrong with lines of a log.
pub fn examine(lines: &str, watch: &Watch) {
    let lines: Vec<&str> = lines.lines().collect();
    for (number, line) in lines.iter().enumerate() {
        if let Some(alarm) = alarm(line) {
            // A panic's message and backtrace come after its first line.
            let end = lines.len().min(number + LINES_AFTER_ALARM);
            let context = lines[number..end].join("\n    ");
            watch.broken(format!("the server logs {alarm}: {context}"));
        }
    }
}

/// What is wrong with a line.
fn alarm(line: &str) -> Option<&str> {
    // `log_line_prefix` ends with the SQLSTATE, also of the line that says where an error was raised.
    let is_known = line.contains(NO_INIT_FILE) || line.contains(" LOCATION:  ");
    if line.contains(" XX00") && !is_known {
        return Some("an internal error");
    }
    // Only the faults of the plan kill processes, and with this signal.
    if line.contains("was terminated by signal") && !line.contains("signal 9") {
        return Some("a signal");
    }
    ALARMS.into_iter().find(|alarm| line.contains(alarm))
}

pub fn run<'scope>(
    scope: &'scope Scope<'scope, '_>,
    reader: &'scope mut Reader,
    site: &'scope Site,
    watch: &'scope Watch,
) {
    scope.spawn(move || {
        watch.guard("the log", || {
            while !watch.is_over() {
                reader.read(site, watch);
                thread::sleep(Duration::from_millis(200));
            }
        });
    });
}
