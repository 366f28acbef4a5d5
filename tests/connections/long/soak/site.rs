//! The server, its two databases and the pooler, and what becomes of them.

use std::env;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use neon_auth_connections::{
    BetterAuth, Cluster, Database, PgBouncer, Server, Session, World, begin_activity, eventually,
};
use neon_auth_stack::{Options, Simulator, Uuid};
use postgres::{Client, Config, NoTls};
use serde_json::json;

use crate::clock::Clock;
use crate::disk::Disk;
use crate::log;
use crate::relay::Relay;
use crate::watch::{Trouble, Watch, lock, promise};

const CONFIGURATION: &str = "
log_line_prefix = '%m [%p] %b %e '
log_error_verbosity = verbose
log_min_error_statement = panic
log_checkpoints = off
shared_buffers = 32MB
wal_keep_size = 64MB
max_connections = 60
autovacuum_naptime = 5
neon_auth.sync_interval = 5
neon_auth.jwks_cooldown = 1
neon_auth.jwks_cache_time = 10
neon_auth.connect_timeout = 500
neon_auth.jwks_timeout = 1000
neon_auth.api_timeout = 2000
neon_auth.api_retry_delay = 10
";

/// How many users have notes and sign in.
const PEOPLE: usize = 20;

/// How long the mirror may differ from the service when the last fault is over.
const CONVERGENCE: Duration = Duration::from_secs(120);

/// Somebody with notes.
pub struct Person {
    pub id: String,
}

pub struct Site {
    pub stack: World,
    pub better_auth: BetterAuth,
    pub people: Vec<Person>,
    pub clock: Clock,
    pub disk: Disk,
    pooler: PgBouncer,
    /// The ids of webhooks that were acknowledged.
    pub acknowledged: Mutex<Vec<String>>,
    /// Where the databases are, and the server that has them now: dropped last.
    tablespace: Mutex<PathBuf>,
    cluster: Mutex<Cluster>,
    address: PathBuf,
}

impl Site {
    pub fn start(seed: u64) -> Self {
        let clock = Clock::new();
        let disk = Disk::new();
        let configuration = format!("shared_preload_libraries = 'neon_auth'\n{CONFIGURATION}");
        let mut environment = clock.environment();
        // What a thread writes that panics is all that is known of it afterwards.
        environment.push(("RUST_BACKTRACE", "full".to_owned()));
        let cluster = Cluster::with_environment(&configuration, environment);
        let address = env::temp_dir().join("server");
        symlink(cluster.directory(), &address).expect("a link can be created");
        let server = cluster.server_at(&address);
        let tablespace = disk.directory();
        cluster.administrator().run(&format!(
            "CREATE TABLESPACE small LOCATION '{}'",
            tablespace.display()
        ));
        let stack = World {
            database: Database::create_in(server.clone()),
            stack: Simulator::start(Options::default()).expect("a port is free"),
        };
        move_to_small_disk(&stack.database);
        begin_activity(&stack.stack, seed);
        let people = (0..PEOPLE).map(|number| stack.sign_up(&format!("person-{number}")));
        let people: Vec<_> = people.map(|id| Person { id }).collect();
        stack.configure(&mut stack.superuser());
        stack.accept_webhooks();
        stack.sync();
        let better_auth = BetterAuth::in_server(server.clone());
        move_to_small_disk(&better_auth.database);
        let mut superuser = stack.superuser();
        for person in &people {
            let note = "INSERT INTO notes (user_id, body) VALUES ($1, 'first')";
            superuser
                .execute(note, &[&person.id])
                .expect("a superuser writes for everybody");
        }
        let pooler = PgBouncer::start(&server, stack.database.name(), 3, "SELECT 1");
        Self {
            stack,
            better_auth,
            people,
            clock,
            disk,
            pooler,
            acknowledged: Mutex::default(),
            tablespace: Mutex::new(tablespace),
            cluster: Mutex::new(cluster),
            address,
        }
    }

    pub fn cluster(&self) -> MutexGuard<'_, Cluster> {
        lock(&self.cluster)
    }

    /// Where applications find the pooler.
    pub fn pooled(&self) -> Config {
        let database = self.stack.database.name();
        self.pooler.server().config("app", database)
    }

    /// The ids of people, whom nobody deletes.
    pub fn kept(&self) -> Vec<Uuid> {
        let ids = self.people.iter().map(|person| person.id.parse());
        ids.map(|id| id.expect("ids are UUIDs")).collect()
    }

    /// By how many seconds the server's clock is ahead of this process's.
    pub fn seconds_ahead(&self) -> i64 {
        const NOW: &str = "SELECT extract(epoch FROM clock_timestamp())::bigint::text";
        let theirs = self.cluster().administrator().value(NOW, &[]);
        let theirs: i64 = theirs
            .and_then(|now| now.parse().ok())
            .expect("a time is a number");
        let ours = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        theirs - ours.expect("a time after 1970").as_secs() as i64
    }

    /// Lets a standby take the server's place; the server dies without a word.
    pub fn fail_over(&self, watch: &Watch) {
        let mut primary = self.cluster();
        let (from, to) = (lock(&self.tablespace).clone(), self.disk.directory());
        let mapping = format!("--tablespace-mapping={}={}", from.display(), to.display());
        let standby = primary.start_standby_with(&[mapping]);
        // From here on a commit is acknowledged when the standby has it.
        primary.set("synchronous_standby_names", "*");
        let position = primary
            .administrator()
            .value("SELECT pg_current_wal_flush_lsn()::text", &[]);
        let follows = "SELECT count(*)::text FROM pg_stat_replication
            WHERE sync_state = 'sync' AND flush_lsn >= $1::text::pg_lsn";
        eventually("the standby has everything", || {
            primary
                .administrator()
                .value(follows, &[&position])
                .as_deref()
                == Some("1")
        });
        watch.pause(Duration::from_secs(1));
        self.sign_in_on_standby(&standby.server(), watch);
        primary.kill();
        standby.promote();
        let link = self.address.with_extension("new");
        symlink(standby.directory(), &link).expect("a link can be created");
        fs::rename(&link, &self.address).expect("a link can be replaced");
        let lost = std::mem::replace(&mut *primary, standby);
        // The reader of the log goes on with that of the standby.
        log::examine(&lost.log(), watch);
        // Its processes end when they find that their postmaster is dead.
        drop(lost);
        eventually("its tablespace can be removed", || {
            fs::remove_dir_all(&from).is_ok()
        });
        *lock(&self.tablespace) = to;
    }

    /// A standby shows people their own rows.
    fn sign_in_on_standby(&self, standby: &Server, watch: &Watch) {
        let config = standby.config("app", self.stack.database.name());
        let person = &self.people[0];
        eventually("somebody can sign in on the standby", || {
            let Ok(mut client) = config.connect(NoTls) else {
                return false;
            };
            let mut read = || -> Result<Vec<String>, postgres::Error> {
                let mut transaction = client.transaction()?;
                let token = self.stack.token_of(&person.id);
                transaction.query_one("SELECT auth.authenticate($1)", &[&token])?;
                let rows = transaction.query("SELECT user_id FROM notes", &[])?;
                Ok(rows.iter().map(|row| row.get(0)).collect())
            };
            let Ok(owners) = read() else { return false };
            if !owners.iter().all(|owner| *owner == person.id) {
                watch.broken(format!(
                    "{} sees notes of {owners:?} on a standby",
                    person.id
                ));
            }
            !owners.is_empty()
        });
        watch.checked("somebody sees only own rows on a standby");
    }

    /// Whether every delivery that was acknowledged is recorded.
    pub fn check_deliveries(&self, client: &mut Client) -> Result<(), Trouble> {
        let acknowledged = lock(&self.acknowledged).clone();
        let missing: i64 = client
            .query_one(
                "SELECT count(*) FROM jsonb_array_elements_text($1::text::jsonb) AS told(id)
                  WHERE NOT EXISTS (SELECT FROM neon_auth.webhook_deliveries d WHERE d.id = told.id)",
                &[&json!(acknowledged).to_string()],
            )?
            .get(0);
        promise(missing == 0, || {
            format!("{missing} acknowledged deliveries are lost")
        })
    }

    /// Waits until both mirrors are what their sources say, and checks what must be true in the end.
    pub fn settle(&self, relay: &mut Relay, watch: &Watch) {
        watch.guard("the end", || {
            relay.finish();
            let started = Instant::now();
            let mut differences = self.stack.mirror_differences();
            while !differences.is_empty() && started.elapsed() < CONVERGENCE {
                thread::sleep(Duration::from_millis(500));
                differences = self.stack.mirror_differences();
            }
            if !differences.is_empty() {
                watch.broken(format!(
                    "the workers leave the mirror different: {differences:#?}"
                ));
            }
            watch.checked("the mirror of Stack Auth is what the service has");
            // A time in the mirror can be in the future, of when the clock was ahead; whatever else there is must agree.
            self.stack.sync();
            let differences = self.stack.mirror_differences();
            assert!(
                differences.is_empty(),
                "the mirror differs after sync(): {differences:#?}"
            );
            self.better_auth.sync();
            let differences = self.better_auth.differences();
            assert!(
                differences.is_empty(),
                "Better Auth's mirror differs: {differences:#?}"
            );
            assert!(
                self.better_auth.is_ok("mirror"),
                "status reports a gap after sync()"
            );
            watch.checked("the mirror of Better Auth is what the tables say");
            for component in ["workers", "synchronisation", "keys of stack"] {
                eventually("status is well", || self.stack.status(component).0);
            }
            watch.checked("status reports that all is well");
            if let Err(trouble) = self.check_deliveries(&mut self.stack.superuser()) {
                panic!("{trouble:?}");
            }
            watch.checked("no acknowledged delivery is lost");
        });
    }
}

/// Moves a database to the tablespace `small`, as soon as nobody is connected to it.
fn move_to_small_disk(database: &Database) {
    let name = database.name();
    let mut administrator = database.administrator();
    eventually("the database can be moved", || {
        leave(&mut administrator, name);
        let moved = format!("ALTER DATABASE {name} SET TABLESPACE small");
        administrator.batch_execute(&moved).is_ok()
    });
}

/// Ends the connections to a database, also those of workers.
fn leave(administrator: &mut Session, database: &str) {
    let leave = "SELECT pg_terminate_backend(pid)::text FROM pg_stat_activity WHERE datname = $1";
    administrator.values(leave, &[&database]);
}
