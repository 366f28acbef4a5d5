//! Random queries of SQLsmith, as a user who is signed in and as an administrator without superuser: whatever they call
//! with whatever arguments, the server must not crash, and no error may be internal.
//!
//! `make test-sqlsmith` runs it for SQLSMITH_SECONDS each, from SQLSMITH_SEED on.

use std::collections::BTreeMap;
use std::env;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use neon_auth_connections::{Cluster, PgBouncer, Session, World};

const CONFIGURATION: &str = "
log_line_prefix = '%m [%p] %b %e '
log_error_verbosity = verbose
track_functions = all
neon_auth.neon_api_url = 'https://127.0.0.1:9'
";

/// Tables whose policies ask everything, and what an administrator may do. SQLsmith finds functions in the first
/// `pg_proc` of its search path: there all of ours are, and a twentieth of PostgreSQL's own, which would crowd ours out.
const PREPARATION: &str = "
CREATE TABLE documents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, owner text, team text, content jsonb, changed timestamptz);
ALTER TABLE documents ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON documents USING (owner = auth.user_id() OR auth.is_team_member(team));
CREATE POLICY readers ON documents FOR SELECT USING (auth.has_permission('team_admin', team) AND auth.email_verified());
INSERT INTO documents (owner, team, content, changed)
SELECT m.user_id, m.team_id, to_jsonb(m), now() FROM neon_auth.team_members_sync m;
GRANT SELECT, INSERT, UPDATE, DELETE ON documents TO app;
CREATE ROLE administrator LOGIN;
GRANT USAGE ON SCHEMA neon_auth TO administrator;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA neon_auth TO administrator;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA neon_auth TO administrator;
CREATE SCHEMA catalog;
CREATE VIEW catalog.pg_proc AS
    SELECT p.* FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
     WHERE (n.nspname IN ('auth', 'neon_auth') OR p.oid::bigint % 20 = 0)
       -- Queries would end each other, write files, or wait.
       AND p.proname !~ '^(pg_sleep|pg_terminate|pg_cancel|pg_read|pg_ls|lo_|pg_reload|pg_rotate|pg_switch|pg_stat_reset)';
GRANT USAGE ON SCHEMA catalog TO PUBLIC;
GRANT SELECT ON catalog.pg_proc TO PUBLIC;
ALTER ROLE app SET search_path = catalog, pg_catalog, public;
ALTER ROLE administrator SET search_path = catalog, pg_catalog, public";

/// Calls of our functions by name, without the reader that policies call in every query on their tables, and without
/// the function by which the pooler signs in.
const CALLS: &str =
    "SELECT schemaname || '.' || funcname, sum(calls)::bigint FROM pg_stat_user_functions
    WHERE schemaname IN ('auth', 'neon_auth') AND funcname NOT IN ('user_id', 'authenticate') GROUP BY 1";

/// How often the pooler has signed the user in.
const SIGN_INS: &str = "SELECT coalesce(sum(calls), 0)::text FROM pg_stat_user_functions
    WHERE schemaname = 'catalog' AND funcname = 'sign_in'";

/// Internal errors of PostgreSQL itself, and their reasons.
const KNOWN: [(&str, &str); 2] = [
    ("invalid INTERVAL typmod", NO_TYPMOD),
    ("unrecognized interval typmod", NO_TYPMOD),
];
const NO_TYPMOD: &str =
    "interval(interval, integer) expects a typmod, and any caller can pass another number";

/// What no log may contain.
const ALARMS: [&str; 4] = ["PANIC:", "TRAP:", "was terminated by signal", "panicked"];

fn number(variable: &str, default: u64) -> u64 {
    let text = env::var(variable).ok().filter(|text| !text.is_empty());
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is not a number"))
    })
}

fn main() -> ExitCode {
    let seconds = Duration::from_secs(number("SQLSMITH_SECONDS", 60));
    let seed = number("SQLSMITH_SEED", 1);
    let cluster = Cluster::with_workers(CONFIGURATION);
    let world = World::with_users(cluster.server(), 20);
    world.sync();
    world.fetch_keys();
    let mut superuser = world.superuser();
    superuser.run(PREPARATION);
    let user = superuser
        .value("SELECT min(user_id) FROM neon_auth.team_members_sync", &[])
        .expect("users have teams");
    let token = world.token_for(&user, 7200);
    // SQLsmith's only connection to the server is signed in before SQLsmith has it, and again after each
    // transaction: one refused credential leaves nobody signed in.
    // A token is too long for the configuration of the pooler.
    superuser.run(&format!(
        "CREATE FUNCTION catalog.sign_in() RETURNS text LANGUAGE plpgsql
             AS $$BEGIN RETURN auth.authenticate('{token}', false); END$$"
    ));
    let pooler = PgBouncer::start_with(
        &cluster.server(),
        world.database.name(),
        1,
        "SELECT sign_in()",
        "SELECT sign_in()",
    );
    let mut succeeded = true;
    for (role, server) in [
        ("app", pooler.server()),
        ("administrator", cluster.server()),
    ] {
        let before = calls(&mut superuser);
        println!(
            "As {role}, from seed {seed}, for {} seconds:",
            seconds.as_secs()
        );
        smith(&server.config(role, world.database.name()), seed, seconds);
        // A session reports its calls when it ends, or a second later.
        thread::sleep(Duration::from_secs(2));
        let made = made_since(&before, &calls(&mut superuser));
        let total: i64 = made.values().sum();
        println!("  {total} calls of {} functions of neon_auth", made.len());
        for (function, calls) in &made {
            println!("  {calls:>9}  {function}");
        }
        succeeded &= total > 0;
    }
    // Only by the pooler's first connection, and so once, if it does not sign in again.
    let sign_ins = superuser.value(SIGN_INS, &[]).expect("a sum is a number");
    println!("The user was signed in {sign_ins} times.");
    succeeded &= sign_ins.parse::<u64>().is_ok_and(|times| times > 1);
    let log = cluster.log();
    for (message, reason) in KNOWN {
        println!(
            "{} times of PostgreSQL: {message}: {reason}",
            log.matches(message).count()
        );
    }
    let alarms = alarms(&log);
    for alarm in &alarms {
        println!("\n{alarm}");
    }
    if succeeded && alarms.is_empty() {
        println!("\nNo crash and no internal error.");
        return ExitCode::SUCCESS;
    }
    println!(
        "\nFailed: no call of neon_auth's functions, or nobody was signed in again, or what is above."
    );
    ExitCode::FAILURE
}

/// Runs SQLsmith for so long.
fn smith(config: &postgres::Config, seed: u64, duration: Duration) {
    let [postgres::config::Host::Unix(socket)] = config.get_hosts() else {
        panic!("the server listens on a Unix socket");
    };
    let target = format!(
        "host={} port={} user={} dbname={}",
        socket.display(),
        config.get_ports()[0],
        config.get_user().expect("a role is named"),
        config.get_dbname().expect("a database is named"),
    );
    let mut child = Command::new("sqlsmith")
        .arg(format!("--target={target}"))
        .arg(format!("--seed={seed}"))
        // Its libpq is the system's.
        .env_remove("LD_LIBRARY_PATH")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("sqlsmith is installed");
    let started = Instant::now();
    while started.elapsed() < duration && is_running(&mut child) {
        thread::sleep(Duration::from_millis(100));
    }
    assert!(is_running(&mut child), "sqlsmith has ended by itself");
    child.kill().expect("it can be killed");
    child.wait().expect("it ends");
}

fn is_running(child: &mut Child) -> bool {
    child.try_wait().expect("it is a child").is_none()
}

fn calls(superuser: &mut Session) -> BTreeMap<String, i64> {
    let rows = superuser.query(CALLS, &[]).expect("statistics can be read");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn made_since(
    before: &BTreeMap<String, i64>,
    after: &BTreeMap<String, i64>,
) -> BTreeMap<String, i64> {
    let made = after.iter().map(|(function, calls)| {
        let earlier = before.get(function).copied().unwrap_or_default();
        (function.clone(), calls - earlier)
    });
    made.filter(|(_, calls)| *calls > 0).collect()
}

/// What is wrong in a log, each with what the server says of it.
fn alarms(log: &str) -> Vec<String> {
    let lines: Vec<&str> = log.lines().collect();
    let mut alarms = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let is_internal =
            line.contains(" XX00") && (line.contains("ERROR:") || line.contains("FATAL:"));
        let is_known = KNOWN.iter().any(|(message, _)| line.contains(message));
        if is_internal && !is_known || ALARMS.iter().any(|alarm| line.contains(alarm)) {
            let rest = &lines[number..lines.len().min(number + 40)];
            alarms.push(rest.join("\n"));
        }
    }
    alarms
}
