//! The clock of the server, which `tests/libraries/clock.c` lets a file change.

use std::env;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use neon_auth_connections::{Environment, library};

pub struct Clock {
    file: PathBuf,
    library: String,
}

impl Clock {
    pub fn new() -> Self {
        let file = env::temp_dir().join("clock");
        fs::write(&file, 0_i64.to_ne_bytes()).expect("a file can be written");
        Self {
            file,
            library: library("clock"),
        }
    }

    /// What gives a server this clock.
    pub fn environment(&self) -> Environment {
        vec![
            ("LD_PRELOAD", self.library.clone()),
            ("CLOCK_OFFSET", self.file.display().to_string()),
        ]
    }

    /// Lets the server be so many seconds ahead of the services and clients.
    pub fn set_ahead(&self, seconds: i64) {
        let file = OpenOptions::new().write(true).open(&self.file);
        let written = file.and_then(|file| file.write_all_at(&seconds.to_ne_bytes(), 0));
        written.expect("the offset can be written");
    }
}
