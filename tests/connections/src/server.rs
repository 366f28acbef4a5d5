//! A PostgreSQL server and how to reach it.

use std::env;
use std::path::{Path, PathBuf};

use postgres::Config;

use crate::session::Session;

/// Advisory locks belong to a database: all who want this one take it in the database `postgres`.
const LOCK: &str = "SELECT pg_advisory_lock(20261123)";
const UNLOCK: &str = "SELECT pg_advisory_unlock(20261123)::text";

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
    /// What `make` returns, while no other test program does anything under this lock. What `make` commits, the
    /// next one sees.
    pub(crate) fn alone<R>(&self, make: impl FnOnce(&mut Session) -> R) -> R {
        let mut session = Session::open(&self.config("postgres", "postgres"));
        session.run(LOCK);
        let made = make(&mut session);
        session.value(UNLOCK, &[]);
        made
    }

    /// Creates a role with these options unless there is one of this name: roles belong to the whole server, and
    /// several tests may want the same.
    pub fn ensure_role(&self, name: &str, options: &str) {
        let found = "SELECT rolname::text FROM pg_roles WHERE rolname = $1";
        self.alone(|session| {
            if session.values(found, &[&name]).is_empty() {
                session.run(&format!("CREATE ROLE {name} {options}"));
            }
        });
    }
}
