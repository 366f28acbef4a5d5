//! Many clients' transactions over few connections: PgBouncer in transaction mode, and what a
//! pooler does to one connection.

use std::env;
use std::thread;

use neon_auth_connections::{PgBouncer, Random, Server, Session, World, eventually};
use postgres::error::SqlState;
use postgres::{Config, SimpleQueryMessage};

const CLIENTS: usize = 20;
const CONNECTIONS: usize = 4;
const USERS: usize = 50;

/// A server connection keeps one generic plan, made before anybody has signed in.
const ON_CONNECT: &str = "SET plan_cache_mode = force_generic_plan; \
    PREPARE notes AS SELECT user_id FROM notes";

/// How many transactions there are in all: few in the suite, 100,000 in `make soak`.
fn transactions() -> usize {
    env::var("SOAK_TRANSACTIONS").map_or(2_000, |text| text.parse().expect("it is a number"))
}

/// Somebody with notes in the table, and a token.
struct Person {
    id: String,
    token: String,
}

/// One of the pooler's clients.
struct Client<'a> {
    config: Config,
    session: Session,
    /// A connection past the pooler.
    outside: Session,
    random: Random,
    people: &'a [Person],
    forged: &'a str,
}

impl Client<'_> {
    /// Nobody is signed in, and so nobody's rows are seen.
    #[track_caller]
    fn sees_nobody(&mut self) {
        assert_eq!(self.session.user(), None);
        assert_eq!(self.owners(), Vec::<String>::new());
    }

    /// Somebody is signed in, and sees their own rows and no other.
    #[track_caller]
    fn sees(&mut self, person: &Person) {
        assert_eq!(self.session.user().as_ref(), Some(&person.id));
        let owners = self.owners();
        assert!(!owners.is_empty());
        assert!(owners.iter().all(|owner| *owner == person.id));
    }

    /// Whose notes the statement finds that the server connection has prepared.
    fn owners(&mut self) -> Vec<String> {
        let messages = self.session.simple_query("EXECUTE notes");
        let messages = messages.expect("the notes can be read");
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => row.get(0),
            _ => None,
        });
        rows.map(str::to_owned).collect()
    }

    #[track_caller]
    fn sign_in(&mut self, person: &Person) {
        assert_eq!(self.session.sign_in(&person.token), person.id);
        self.sees(person);
    }

    /// One transaction: what clients do, in an order that nobody has thought of.
    fn transaction(&mut self) {
        self.session.run("BEGIN");
        self.sees_nobody();
        let person = self.random.pick(self.people);
        let another = self.random.pick(self.people);
        match self.random.below(12) {
            0 => self.sees_nobody(),
            1 => {
                self.sign_in(person);
                self.session
                    .run("INSERT INTO notes (body) VALUES ('another')");
                self.sees(person);
            }
            2 => {
                self.sign_in(person);
                let steal = "INSERT INTO notes (user_id, body) VALUES ($1, 'x')";
                let stolen = self.session.refused(steal, &[&"x"]);
                assert_eq!(stolen.code(), &SqlState::INSUFFICIENT_PRIVILEGE);
            }
            3 => {
                self.sign_in(person);
                self.session.run("SAVEPOINT s");
                self.sign_in(another);
                self.session.run("ROLLBACK TO s");
                self.sees(person);
            }
            4 => {
                self.sign_in(person);
                self.session.run("SAVEPOINT s");
                self.sign_in(another);
                self.session.run("RELEASE s");
                self.sees(another);
            }
            5 => {
                self.sign_in(person);
                self.session.run("SAVEPOINT s");
                self.session.sign_in_refused(self.forged);
                self.session.run("ROLLBACK TO s");
                self.sees_nobody();
            }
            6 => {
                self.sign_in(person);
                self.session.sign_in_refused(self.forged);
            }
            7 => {
                self.sign_in(person);
                let cancelled = self.cancelled_from_outside();
                assert_eq!(cancelled, SqlState::QUERY_CANCELED);
            }
            8 => {
                self.sign_in(person);
                self.session
                    .run("SAVEPOINT s; SET LOCAL statement_timeout = 1");
                let cancelled = self.session.run_refused("SELECT pg_sleep(60)");
                assert_eq!(cancelled.code(), &SqlState::QUERY_CANCELED);
                self.session.run("ROLLBACK TO s");
                self.sees(person);
            }
            9 => {
                self.sign_in(person);
                self.session.run("SAVEPOINT s; SELECT auth.logout()");
                self.sees_nobody();
                self.session.run("ROLLBACK TO s");
                self.sees(person);
            }
            10 => {
                self.sign_in(person);
                // Leaves without a word; the pooler has to see to the rest.
                self.session = Session::open(&self.config);
                return;
            }
            _ => {
                self.session.run("SAVEPOINT s");
                self.sign_in(person);
                self.session.run_refused("SELECT 1/0");
                self.session.run("ROLLBACK TO s");
                self.sees_nobody();
                self.sign_in(another);
            }
        }
        let end = self.random.pick(&["COMMIT", "ROLLBACK"]);
        self.session.run(end);
    }

    /// What becomes of a statement that somebody cancels over another connection.
    fn cancelled_from_outside(&mut self) -> SqlState {
        const CANCEL: &str = "SELECT pg_cancel_backend(pid)::text FROM pg_stat_activity
            WHERE pid = $1 AND state = 'active' AND query = $2";
        const SLEEP: &str = "SELECT pg_sleep(60)";
        let (pid, session, outside) = (self.session.pid(), &mut self.session, &mut self.outside);
        thread::scope(|scope| {
            let sleeping = scope.spawn(|| session.run_refused(SLEEP).code().clone());
            eventually("it sleeps", || {
                !outside.values(CANCEL, &[&pid, &SLEEP]).is_empty()
            });
            sleeping.join().expect("the statement is cancelled")
        })
    }
}

#[test]
fn no_transaction_begins_as_somebody_or_sees_rows_of_another() {
    let world = World::with_keys();
    let people: Vec<Person> = (0..USERS)
        .map(|number| {
            let id = world.sign_up(&format!("user-{number}"));
            // The large run takes longer than a token is usually good for.
            let token = world.token_for(&id, 7200);
            Person { id, token }
        })
        .collect();
    let mut superuser = world.superuser();
    for person in &people {
        let insert = "INSERT INTO notes (user_id, body) VALUES ($1, 'first')";
        superuser
            .execute(insert, &[&person.id])
            .expect("a superuser writes for everybody");
    }
    let forged = world.forged_token();
    let database = world.database.name();
    let pooler = PgBouncer::start(&Server::shared(), database, CONNECTIONS, ON_CONNECT);
    thread::scope(|scope| {
        for seed in 0..CLIENTS as u64 {
            let config = pooler.server().config("app", database);
            let (world, people, forged) = (&world, &people, &forged);
            scope.spawn(move || {
                let mut client = Client {
                    session: Session::open(&config),
                    outside: world.app(),
                    config,
                    random: Random::seeded(seed),
                    people,
                    forged,
                };
                for _ in 0..transactions() / CLIENTS {
                    client.transaction();
                }
            });
        }
    });
}

#[test]
fn one_prepared_statement_serves_whoever_is_signed_in() {
    let world = World::with_keys();
    let people = ["a", "b"].map(|name| world.sign_up(name));
    let mut superuser = world.superuser();
    for person in &people {
        let insert = "INSERT INTO notes (user_id, body) VALUES ($1, 'hers')";
        superuser.execute(insert, &[person]).expect("it is written");
    }
    for mode in ["force_generic_plan", "force_custom_plan", "auto"] {
        let mut app = world.app();
        app.run(&format!("SET plan_cache_mode = {mode}"));
        let statement = app
            .prepare("SELECT user_id FROM notes WHERE body = $1")
            .expect("the table is there");
        let owners = |app: &mut Session| -> Vec<String> {
            let rows = app.query(&statement, &[&"hers"]).expect("notes are read");
            rows.iter().map(|row| row.get(0)).collect()
        };
        // More often than a plan stays custom.
        for _ in 0..7 {
            assert!(owners(&mut app).is_empty(), "{mode}");
            for person in &people {
                app.sign_in_for_session(&world.token_of(person));
                assert_eq!(owners(&mut app), [person.as_str()], "{mode}");
            }
            app.run("SELECT auth.logout()");
        }
    }
}

#[test]
fn an_open_portal_answers_for_whoever_is_signed_in_when_it_is_read() {
    let world = World::with_keys();
    let people = ["a", "b"].map(|name| world.sign_up(name));
    let mut app = world.app();
    let mut transaction = app.transaction().expect("a transaction begins");
    let authenticate = "SELECT auth.authenticate($1)";
    let statement = transaction
        .prepare("SELECT auth.user_id() FROM generate_series(1, 2)")
        .expect("it is prepared");
    let portal = transaction
        .bind(&statement, &[])
        .expect("it is bound while nobody is signed in");
    for person in &people {
        let token = world.token_of(person);
        transaction
            .execute(authenticate, &[&token])
            .expect("the token is good");
        let rows = transaction.query_portal(&portal, 1).expect("it is read");
        let user: Option<String> = rows[0].get(0);
        assert_eq!(user.as_ref(), Some(person));
    }
}
