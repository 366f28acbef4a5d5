//! A server of a test's own.

use std::cell::Cell;
use std::env;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use crate::server::Server;
use crate::session::Session;
use crate::wait::eventually;

const PORT: u16 = 5432;

/// Names and values of variables.
pub type Environment = Vec<(&'static str, String)>;

/// A server in a temporary directory; stopped and removed with this.
pub struct Cluster {
    directory: PathBuf,
    /// The most 512-byte blocks of a file that it may write.
    file_blocks: Cell<Option<u32>>,
    /// Variables of its environment.
    environment: Environment,
}

impl Cluster {
    /// Starts a server with additional lines of `postgresql.conf`.
    pub fn start(configuration: &str) -> Self {
        Self::with_environment(configuration, Environment::new())
    }

    /// The same, with additional variables in its environment.
    pub fn with_environment(configuration: &str, environment: Environment) -> Self {
        let cluster = Self::in_new_directory(environment);
        cluster.make(configuration);
        cluster.run();
        cluster
    }

    /// Starts a server none of whose files can become larger than so many 512-byte blocks, until
    /// it is started again. Its WAL comes in segments of a megabyte.
    pub fn start_limited(file_blocks: u32) -> Self {
        let cluster = Self::in_new_directory(Environment::new());
        cluster.make("");
        cluster.file_blocks.set(Some(file_blocks));
        cluster.run();
        cluster.file_blocks.set(None);
        cluster
    }

    /// Starts a server that is asked for all of Rust's backtraces.
    pub fn with_backtraces(configuration: &str) -> Self {
        let full = vec![("RUST_BACKTRACE", "full".to_owned())];
        Self::with_environment(configuration, full)
    }

    fn make(&self, configuration: &str) {
        let data = self.data();
        succeed(unprivileged("initdb").args([
            OsStr::new("--pgdata"),
            data.as_os_str(),
            OsStr::new("--username=postgres"),
            OsStr::new("--auth=trust"),
            OsStr::new("--encoding=UTF8"),
            OsStr::new("--locale=C"),
            OsStr::new("--no-sync"),
            OsStr::new("--wal-segsize=1"),
        ]));
        self.append_configuration("fsync = off\nlisten_addresses = ''\n");
        self.append_configuration(configuration);
    }

    /// Starts a hot standby of this server.
    pub fn start_standby(&self) -> Self {
        self.start_standby_with(&[])
    }

    /// The same, with additional arguments of pg_basebackup.
    pub fn start_standby_with(&self, arguments: &[String]) -> Self {
        let standby = Self::in_new_directory(self.environment.clone());
        succeed(
            unprivileged("pg_basebackup")
                .arg("--pgdata")
                .arg(standby.data())
                .arg("--host")
                .arg(&self.directory)
                .args(["--port", &PORT.to_string(), "--username=postgres"])
                .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
                .args(arguments),
        );
        standby.run();
        standby
    }

    /// Starts a server that preloads the library, and so has background workers.
    pub fn with_workers(configuration: &str) -> Self {
        let preload = "shared_preload_libraries = 'neon_auth'\nlog_line_prefix = '%m [%p] %b '";
        Self::start(&format!("{preload}\n{configuration}"))
    }

    pub fn server(&self) -> Server {
        self.server_at(&self.directory)
    }

    /// The server as it is reached through another path of its directory.
    pub fn server_at(&self, directory: &Path) -> Server {
        Server::new(directory, PORT)
    }

    /// The directory of its socket, its data and its log.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Everything that the server has logged.
    pub fn log(&self) -> String {
        let log = fs::read(self.log_file()).expect("a server has a log");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Stops the server with one of `pg_ctl`'s modes.
    pub fn stop(&self, mode: &str) {
        succeed(self.pg_ctl("stop").args(["--mode", mode]));
    }

    /// Makes a standby a primary.
    pub fn promote(&self) {
        succeed(&mut self.pg_ctl("promote"));
    }

    /// A superuser's connection to the database `postgres`.
    #[track_caller]
    pub fn administrator(&self) -> Session {
        Session::open(&self.server().config("postgres", "postgres"))
    }

    /// Changes a setting of the running server.
    #[track_caller]
    pub fn set(&self, setting: &str, value: &str) {
        let mut session = self.administrator();
        session.run(&format!("ALTER SYSTEM SET {setting} = '{value}'"));
        session.run("SELECT pg_reload_conf()");
    }

    /// The processes of a kind, such as `neon_auth worker`.
    #[track_caller]
    pub fn processes(&self, kind: &str) -> Vec<u32> {
        let query = "SELECT pid::text FROM pg_stat_activity WHERE backend_type = $1 ORDER BY pid";
        let pids = self.administrator().values(query, &[&kind]).into_iter();
        pids.map(|pid| pid.expect("a process has a pid").parse())
            .map(|pid| pid.expect("a pid is a number"))
            .collect()
    }

    /// Waits until the server, which has lost a process, takes connections again.
    #[track_caller]
    pub fn await_recovery(&self) {
        let config = self.server().config("postgres", "postgres");
        eventually("the server is there again", || {
            let session = config.connect(postgres::NoTls);
            session.is_ok_and(|mut session| session.batch_execute("SELECT 1").is_ok())
        });
    }

    /// Kills the postmaster with SIGKILL, and answers when nothing of the server is left.
    pub fn kill(&self) {
        let file = fs::read_to_string(self.data().join("postmaster.pid"));
        let file = file.expect("a running server has postmaster.pid");
        let pid = file.lines().next().expect("its first line is the pid");
        // The shell's own kill(1): no package need bring one.
        let kill = Command::new("sh")
            .args(["-c", "kill -9 \"$0\"", pid])
            .status();
        assert!(kill.expect("there is a shell").success(), "{pid}");
    }

    /// Starts a server that was stopped or killed; after a crash it recovers.
    pub fn start_again(&self) {
        // Processes of the killed server may still be about to find out.
        eventually("the server starts", || {
            self.start_command()
                .output()
                .expect("pg_ctl is in PATH")
                .status
                .success()
        });
    }

    fn in_new_directory(environment: Environment) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("neon_auth.{}.{number}", process::id());
        let directory = env::temp_dir().join(name);
        fs::create_dir(&directory).expect("a temporary directory can be made");
        Self {
            directory,
            file_blocks: Cell::new(None),
            environment,
        }
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn log_file(&self) -> PathBuf {
        self.directory.join("log")
    }

    /// The lines of the log about processes that crashed: a failed assertion, or a signal that a process
    /// gets for what it does itself (SIGILL to SIGFPE, SIGSEGV). No test wants one.
    fn crashes(&self) -> Vec<String> {
        let signals = [4, 6, 7, 8, 11].map(|signal| format!("terminated by signal {signal}:"));
        let log = fs::read(self.log_file()).unwrap_or_default();
        String::from_utf8_lossy(&log)
            .lines()
            .filter(|line| {
                line.starts_with("TRAP: ") || signals.iter().any(|words| line.contains(words))
            })
            .map(str::to_owned)
            .collect()
    }

    fn append_configuration(&self, lines: &str) {
        let path = self.data().join("postgresql.conf");
        let mut file = OpenOptions::new()
            .append(true)
            .open(path)
            .expect("initdb makes postgresql.conf");
        writeln!(file, "{lines}").expect("postgresql.conf can be written");
    }

    fn run(&self) {
        succeed(&mut self.start_command());
    }

    fn start_command(&self) -> Command {
        let socket = format!("-c unix_socket_directories='{}'", self.directory.display());
        let mut command = self.pg_ctl("start");
        command
            .arg("--log")
            .arg(self.log_file())
            .args(["--options", &socket])
            .stdin(process::Stdio::null())
            .stdout(process::Stdio::null());
        command.envs(self.environment.iter().cloned());
        match self.file_blocks.get() {
            Some(blocks) => limited(&command, blocks),
            None => command,
        }
    }

    fn pg_ctl(&self, action: &str) -> Command {
        let mut command = unprivileged("pg_ctl");
        command.arg(action).args(["--wait", "--silent"]);
        command.arg("--pgdata").arg(self.data());
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.data().join("postmaster.pid").exists() {
            let _ = self.pg_ctl("stop").args(["--mode", "immediate"]).output();
        }
        let crashes = self.crashes();
        let _ = fs::remove_dir_all(&self.directory);
        // A second panic would end the process, with the other tests in it.
        assert!(crashes.is_empty() || thread::panicking(), "{crashes:#?}");
    }
}

/// A program of PostgreSQL's kind. They refuse to run as root, so root runs them in a user
/// namespace of its own, where it is nobody.
pub(crate) fn unprivileged(program: &str) -> Command {
    let id = Command::new("id").arg("-u").output().expect("id runs");
    let mut command = if id.stdout == b"0\n" {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-user=65534", "--map-group=65534", "--"]);
        unshare.env("USER", "postgres").arg(program);
        unshare
    } else {
        Command::new(program)
    };
    // The surroundings name the shared server.
    for variable in ["PGHOST", "PGPORT", "PGUSER", "PGDATABASE"] {
        command.env_remove(variable);
    }
    command
}

/// A command that the shell's ulimit keeps from writing large files.
fn limited(command: &Command, file_blocks: u32) -> Command {
    let script = format!("ulimit -f {file_blocks} && exec \"$0\" \"$@\"");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(command.get_program());
    shell.args(command.get_args());
    for (variable, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(variable, value),
            None => shell.env_remove(variable),
        };
    }
    shell
}

#[track_caller]
fn succeed(command: &mut Command) {
    // Null: a server that keeps a pipe open would keep the reader waiting.
    let quiet = command
        .stdin(process::Stdio::null())
        .stdout(process::Stdio::null());
    let Output { status, stderr, .. } = quiet.output().expect("the program is in PATH");
    assert!(
        status.success(),
        "{command:?}: {status}: {}",
        String::from_utf8_lossy(&stderr)
    );
}
