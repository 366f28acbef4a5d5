//! PgBouncer in transaction mode, between clients and the server.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{self, Child, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use postgres::NoTls;

use crate::cluster::unprivileged;
use crate::server::Server;
use crate::wait::eventually;

const PORT: u16 = 6432;

/// A PgBouncer of a test's own, which listens on a Unix socket alone; stopped with this.
pub struct PgBouncer {
    directory: PathBuf,
    process: Child,
}

impl PgBouncer {
    /// Starts one for the role `app` and a database of a server, with so many connections to the
    /// server, each of which first runs `on_connect`.
    pub fn start(server: &Server, database: &str, connections: usize, on_connect: &str) -> Self {
        Self::start_with(server, database, connections, on_connect, "")
    }

    /// The same; each connection also runs `after_each` when a transaction has ended.
    pub fn start_with(
        server: &Server,
        database: &str,
        connections: usize,
        on_connect: &str,
        after_each: &str,
    ) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("pgbouncer.{}.{number}", process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir(&directory).expect("a temporary directory can be made");
        let here = directory.display();
        let configuration = format!(
            "[databases]
{database} = host={socket} port={port} connect_query='{on_connect}'
[pgbouncer]
pool_mode = transaction
default_pool_size = {connections}
max_client_conn = 500
server_login_retry = 1
server_reset_query = {after_each}
server_reset_query_always = 1
listen_port = {PORT}
unix_socket_dir = {here}
auth_type = trust
auth_file = {here}/users
logfile = {here}/log
",
            socket = server.socket().display(),
            port = server.port(),
            on_connect = on_connect.replace('\'', "''"),
        );
        fs::write(directory.join("users"), "\"app\" \"\"\n").expect("a file can be written");
        let file = directory.join("pgbouncer.ini");
        fs::write(&file, configuration).expect("a file can be written");
        // Debian installs it where only root looks for programs.
        let path = env::var("PATH").expect("PATH is set") + ":/usr/sbin";
        let process = unprivileged("pgbouncer")
            .env("PATH", path)
            .arg("--quiet")
            .arg(file)
            .stdin(Stdio::null())
            .spawn()
            .expect("pgbouncer is installed");
        let mut pooler = Self { directory, process };
        let config = pooler.server().config("app", database);
        eventually("PgBouncer takes connections", || {
            if let Ok(Some(status)) = pooler.process.try_wait() {
                let log = fs::read_to_string(pooler.directory.join("log"));
                panic!("PgBouncer: {status}: {}", log.unwrap_or_default());
            }
            config.connect(NoTls).is_ok()
        });
        pooler
    }

    /// Where clients connect.
    pub fn server(&self) -> Server {
        Server::new(&self.directory, PORT)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.directory);
    }
}
