//! The server's log.

use std::env;
use std::fs;
use std::path::PathBuf;

/// What the server has logged since this was made.
pub struct ServerLog {
    path: PathBuf,
    start: usize,
}

impl ServerLog {
    /// The log of the server that `dev/cluster` has started, from here on.
    pub fn from_here() -> Self {
        let path = env::var("LOGFILE").expect("LOGFILE is not set: run under dev/cluster");
        let mut log = Self {
            path: path.into(),
            start: 0,
        };
        log.start = log.bytes().len();
        log
    }

    /// Everything, whoever caused it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()[self.start..]).into_owned()
    }

    /// The lines that mention something.
    pub fn lines_with(&self, fragment: &str) -> Vec<String> {
        let text = self.text();
        let lines = text.lines().filter(|line| line.contains(fragment));
        lines.map(str::to_owned).collect()
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(&self.path).expect("the server's log can be read")
    }
}
