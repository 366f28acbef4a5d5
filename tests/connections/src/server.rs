//! A PostgreSQL server and how to reach it.

use std::env;
use std::path::{Path, PathBuf};

use postgres::Config;

/// A server that listens on a Unix socket in a directory.
#[derive(Clone, Debug)]
pub struct Server {
    socket: PathBuf,
    port: u16,
    is_shared: bool,
}

impl Server {
    pub(crate) fn new(socket: &Path, port: u16) -> Self {
        Self {
            socket: socket.to_owned(),
            port,
            is_shared: false,
        }
    }

    /// The server that `dev/cluster` has started for this run.
    pub fn shared() -> Self {
        let variable = |name: &str| {
            env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run under dev/cluster"))
        };
        let port = variable("PGPORT").parse().expect("PGPORT is a number");
        Self {
            is_shared: true,
            ..Self::new(Path::new(&variable("PGHOST")), port)
        }
    }

    /// Whether all tests of this run use it.
    pub(crate) fn is_shared(&self) -> bool {
        self.is_shared
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// How to connect to one of its databases.
    pub fn config(&self, user: &str, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host_path(&self.socket)
            .port(self.port)
            .user(user)
            .dbname(database);
        config
    }
}
