//! Many clients' transactions over few connections, as behind a transaction pooler.

use std::thread;

use neon_auth_connections::{Random, Session, World};
use postgres::Statement;
use postgres::error::SqlState;

const CONNECTIONS: u64 = 4;
const TRANSACTIONS: usize = 750;
const USERS: usize = 50;

/// Somebody with notes in the table, and a token.
struct Person {
    id: String,
    token: String,
}

/// A server connection as the pooler holds it, and the one statement that it keeps prepared.
struct Pooled {
    session: Session,
    notes: Statement,
    random: Random,
}

impl Pooled {
    fn open(world: &World, seed: u64) -> Self {
        let mut session = world.app();
        session.run("SET plan_cache_mode = force_generic_plan");
        let notes = session
            .prepare("SELECT user_id FROM notes")
            .expect("the table is there");
        Self {
            session,
            notes,
            random: Random::seeded(seed),
        }
    }

    /// Nobody may be signed in, and so nobody's rows may be seen.
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

    fn owners(&mut self) -> Vec<String> {
        let rows = self.session.query(&self.notes, &[]);
        let rows = rows.expect("the notes can be read");
        rows.iter().map(|row| row.get(0)).collect()
    }

    #[track_caller]
    fn sign_in(&mut self, person: &Person) {
        assert_eq!(self.session.sign_in(&person.token), person.id);
        self.sees(person);
    }

    /// One client's transaction: what clients do, in an order that nobody has thought of.
    fn transaction(&mut self, people: &[Person], refused: &str) {
        self.session.run("BEGIN");
        self.sees_nobody();
        let person = self.random.pick(people);
        let another = self.random.pick(people);
        match self.random.below(10) {
            0 => self.sees_nobody(),
            1 => {
                self.sign_in(person);
                self.session
                    .run("INSERT INTO notes (body) VALUES ('another')");
                self.sees(person);
            }
            2 => {
                self.sign_in(person);
                let stolen = self.session.refused(
                    "INSERT INTO notes (user_id, body) VALUES ($1, 'x')",
                    &[&"x"],
                );
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
                self.session.sign_in_refused(refused);
                self.session.run("ROLLBACK TO s");
                self.sees_nobody();
            }
            6 => {
                self.sign_in(person);
                self.session.sign_in_refused(refused);
            }
            7 => {
                self.sign_in(person);
                let cancelled = self.session.refused(
                    "SELECT pg_sleep(60) FROM pg_cancel_backend(pg_backend_pid())",
                    &[],
                );
                assert_eq!(cancelled.code(), &SqlState::QUERY_CANCELED);
            }
            8 => {
                self.sign_in(person);
                self.session.run("SAVEPOINT s; SELECT auth.logout()");
                self.sees_nobody();
                self.session.run("ROLLBACK TO s");
                self.sees(person);
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
}

#[test]
fn no_transaction_begins_as_somebody_or_sees_rows_of_another() {
    let world = World::with_keys();
    let people: Vec<Person> = (0..USERS)
        .map(|number| {
            let id = world.sign_up(&format!("user-{number}"));
            let token = world.token_of(&id);
            Person { id, token }
        })
        .collect();
    for person in &people {
        world
            .superuser()
            .execute(
                "INSERT INTO notes (user_id, body) VALUES ($1, 'first')",
                &[&person.id],
            )
            .expect("a superuser writes for everybody");
    }
    let refused = world.forged_token();
    thread::scope(|scope| {
        for seed in 0..CONNECTIONS {
            let (world, people, refused) = (&world, &people, &refused);
            scope.spawn(move || {
                let mut pooled = Pooled::open(world, seed);
                for _ in 0..TRANSACTIONS {
                    pooled.transaction(people, refused);
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
