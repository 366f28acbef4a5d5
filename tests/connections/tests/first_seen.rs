//! Rows of users that sign-ins make: at the same moment, in transactions that cannot write, and
//! beside a service that fills the mirror.

use neon_auth_connections::{Cluster, Dump, Session, World, await_lock, eventually, together};
use neon_auth_stack::Simulator;
use postgres::error::SqlState;

/// A world whose database also trusts an issuer without a mirror, and somebody whose tokens are
/// altered for its users.
struct Trusting {
    world: World,
    somebody: String,
}

impl Trusting {
    fn new() -> Self {
        Self::of(World::with_keys())
    }

    fn of(world: World) -> Self {
        let add = "SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => $1::text::jsonb)";
        let jwks = world.stack.jwks().to_string();
        let mut superuser = world.superuser();
        superuser.execute(add, &[&jwks]).expect("it is added");
        superuser.run(
            "CREATE TABLE orders (user_id text NOT NULL REFERENCES neon_auth.users_sync (id));
             GRANT INSERT ON orders TO PUBLIC",
        );
        let somebody = world.sign_up("somebody");
        Self { world, somebody }
    }

    /// A token of the issuer for a user.
    fn token(&self, user: &str) -> String {
        self.world.token_with(&self.somebody, |claims, _| {
            claims.insert("iss".to_owned(), "https://idp.example.com".into());
            claims.insert("sub".to_owned(), user.into());
        })
    }

    /// The users of the mirror, each with its provider.
    fn users(&self) -> Vec<String> {
        let users = "SELECT concat_ws(' ', id, raw_json ->> 'auth_provider', CASE WHEN deleted_at IS NOT NULL THEN 'deleted' END)
                       FROM neon_auth.users_sync ORDER BY id COLLATE \"C\"";
        let users = self.world.superuser().values(users, &[]);
        users.into_iter().flatten().collect()
    }
}

/// Signs in from another session, which has to wait until `end` ends the transaction of the first.
fn sign_in_meanwhile<R: Send>(
    other: &mut Session,
    observer: &mut Session,
    token: &str,
    end: impl FnOnce(),
    then: impl FnOnce(&mut Session, Result<(), postgres::Error>) -> R + Send,
) -> R {
    let pid = other.pid();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let outcome = other
                .query("SELECT auth.authenticate($1)", &[&token])
                .map(drop);
            then(other, outcome)
        });
        await_lock(observer, pid);
        end();
        waiting.join().expect("the thread ends")
    })
}

#[test]
fn two_first_requests_at_once_make_one_row() {
    for end in ["COMMIT", "ROLLBACK"] {
        let trusting = Trusting::new();
        let token = trusting.token("alice");
        let (mut first, mut other) = (trusting.world.app(), trusting.world.app());
        let mut observer = trusting.world.superuser();
        first.run("BEGIN");
        assert_eq!(first.sign_in(&token), "alice");
        other.run("BEGIN");
        sign_in_meanwhile(
            &mut other,
            &mut observer,
            &token,
            || first.run(end),
            |other, outcome| {
                outcome.expect("the second request is signed in too");
                assert_eq!(other.user().as_deref(), Some("alice"));
                other.run("INSERT INTO orders VALUES (auth.user_id()); COMMIT");
            },
        );
        assert_eq!(trusting.users(), ["alice idp"], "{end}");
    }
}

#[test]
fn a_row_that_is_newer_than_the_snapshot_is_a_serialization_failure() {
    let trusting = Trusting::new();
    let (mut first, mut other) = (trusting.world.app(), trusting.world.app());
    // A provider that rejects deleted users has looked at the latest row before.
    let cases = [
        ("REPEATABLE READ", true),
        ("REPEATABLE READ", false),
        ("SERIALIZABLE", true),
        ("SERIALIZABLE", false),
    ];
    for (isolation, rejects) in cases {
        trusting.world.superuser().run(&format!(
            "UPDATE neon_auth.providers SET reject_deleted_users = {rejects} WHERE name = 'idp'"
        ));
        let user = format!("{} {rejects}", isolation.to_lowercase());
        let token = trusting.token(&user);
        other.run(&format!("BEGIN ISOLATION LEVEL {isolation}; SELECT 1"));
        first.sign_in_for_session(&token);
        let refused = other.sign_in_refused(&token);
        assert_eq!(refused.code(), &SqlState::T_R_SERIALIZATION_FAILURE);
        other.run("ROLLBACK");
        assert_eq!(other.user(), None);
        // The retry, which applications do at this SQLSTATE.
        other.run(&format!("BEGIN ISOLATION LEVEL {isolation}"));
        assert_eq!(other.sign_in(&token), user);
        other.run("INSERT INTO orders VALUES (auth.user_id()); COMMIT");
    }
    assert_eq!(
        trusting.users(),
        [
            "repeatable read false idp",
            "repeatable read true idp",
            "serializable false idp",
            "serializable true idp"
        ]
    );
}

#[test]
fn a_row_that_was_removed_is_made_again_for_a_token_that_was_seen() {
    let trusting = Trusting::new();
    let mut app = trusting.world.app();
    let mut superuser = trusting.world.superuser();
    for rejects in [true, false] {
        superuser.run(&format!(
            "UPDATE neon_auth.providers SET reject_deleted_users = {rejects} WHERE name = 'idp'"
        ));
        let token = trusting.token("alice");
        // The second sign-in finds the row.
        for _ in 0..2 {
            app.sign_in_for_session(&token);
            assert_eq!(trusting.users(), ["alice idp"]);
        }
        superuser.run("DELETE FROM neon_auth.users_sync WHERE id = 'alice'");
        app.sign_in_for_session(&token);
        assert_eq!(trusting.users(), ["alice idp"]);
    }
}

#[test]
fn a_row_that_another_transaction_is_making_is_a_serialization_failure_above_read_committed() {
    let trusting = Trusting::new();
    let token = trusting.token("alice");
    let (mut first, mut other) = (trusting.world.app(), trusting.world.app());
    let mut observer = trusting.world.superuser();
    other.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
    first.run("BEGIN");
    first.sign_in(&token);
    sign_in_meanwhile(
        &mut other,
        &mut observer,
        &token,
        || first.run("COMMIT"),
        |other, outcome| {
            let error = outcome.expect_err("the snapshot is older than the row");
            assert_eq!(error.code(), Some(&SqlState::T_R_SERIALIZATION_FAILURE));
            other.run("ROLLBACK");
            assert_eq!(other.user(), None);
        },
    );
}

#[test]
fn a_wait_that_a_timeout_ends_leaves_nobody_signed_in() {
    let trusting = Trusting::new();
    let (mut first, mut other) = (trusting.world.app(), trusting.world.app());
    other.sign_in_for_session(&trusting.token("bob"));
    first.run("BEGIN");
    first.sign_in(&trusting.token("alice"));
    for (setting, code) in [
        ("statement_timeout", SqlState::QUERY_CANCELED),
        ("lock_timeout", SqlState::LOCK_NOT_AVAILABLE),
    ] {
        other.run(&format!("SET {setting} = '100ms'"));
        let refused = other.sign_in_refused(&trusting.token("alice"));
        assert_eq!(refused.code(), &code);
        assert_eq!(other.user(), None);
        other.run(&format!("RESET {setting}"));
        other.sign_in_for_session(&trusting.token("bob"));
    }
    first.run("ROLLBACK");
    assert_eq!(trusting.users(), ["bob idp"]);
}

#[test]
fn a_thousand_sign_ins_at_once_make_a_row_for_each_user() {
    const USERS: usize = 100;
    let trusting = Trusting::new();
    let tokens: Vec<String> = (0..USERS)
        .map(|n| trusting.token(&format!("user{n:02}")))
        .collect();
    // Each user signs in ten times, from ten sessions that begin at different users.
    together(
        (0..10).collect(),
        |n: usize| (n, trusting.world.app()),
        |(n, mut app)| {
            for at in 0..USERS {
                let user = (at + 3 * (n % 3)) % USERS;
                app.run("BEGIN");
                assert_eq!(app.sign_in(&tokens[user]), format!("user{user:02}"));
                app.run("INSERT INTO orders VALUES (auth.user_id()); COMMIT");
            }
        },
    );
    let expected: Vec<String> = (0..USERS).map(|n| format!("user{n:02} idp")).collect();
    assert_eq!(trusting.users(), expected);
    let orders = "SELECT count(*)::text FROM orders";
    let orders = trusting.world.superuser().value(orders, &[]);
    assert_eq!(orders.as_deref(), Some("1000"));
}

#[test]
fn sessions_that_can_write_nothing_sign_in_without_a_row() {
    let primary = Cluster::start("");
    let world = World::in_server(primary.server());
    world.fetch_keys();
    let trusting = Trusting::of(world);
    let mut reading = trusting.world.app();
    reading.run("SET default_transaction_read_only = on");
    assert_eq!(
        reading.sign_in_for_session(&trusting.token("alice")),
        "alice"
    );
    let standby = primary.start_standby();
    let mut reader = Session::open(
        &standby
            .server()
            .config("app", trusting.world.database.name()),
    );
    let has_provider =
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_class WHERE relname = 'orders')::text";
    eventually("the standby has the provider", || {
        reader.value(has_provider, &[]).as_deref() == Some("true")
    });
    assert_eq!(reader.sign_in_for_session(&trusting.token("bob")), "bob");
    assert_eq!(trusting.users(), Vec::<String>::new());
}

#[test]
fn a_run_neither_asks_for_users_of_other_providers_nor_deletes_them() {
    let trusting = Trusting::new();
    let world = &trusting.world;
    let mut superuser = world.superuser();
    superuser.run("UPDATE neon_auth.providers SET create_users = true");
    // Two users of the service and one of another provider sign in before anything else is known.
    let stays = trusting.somebody.clone();
    let goes = world.sign_up("goes");
    let mut app = world.app();
    for token in [
        world.token_of(&stays),
        world.token_of(&goes),
        trusting.token("alice"),
    ] {
        app.sign_in_for_session(&token);
    }
    delete(&world.stack, &goes);
    world.sync();
    let mut expected = vec![
        "alice idp".to_owned(),
        format!("{goes} stack deleted"),
        stays.clone(),
    ];
    expected.sort();
    assert_eq!(trusting.users(), expected);
    assert_eq!(world.asked(&format!("users/{goes}")), 1);
    assert_eq!(world.asked("users/alice"), 0);
    assert_eq!(world.last_run("deleted").as_deref(), Some("1"));
    assert_eq!(world.last_run("skipped").as_deref(), Some("0"));
    // The service's object has replaced the row, and nobody is revived.
    let name = "SELECT name FROM neon_auth.users_sync WHERE id = $1";
    assert_eq!(
        superuser.value(name, &[&stays]).as_deref(),
        Some("somebody")
    );
    world.sync();
    assert_eq!(trusting.users(), expected);
}

fn delete(stack: &Simulator, user: &str) {
    stack.delete_user(user.parse().expect("an id is a UUID"));
}

#[test]
fn a_restored_database_has_the_rows_and_makes_new_ones() {
    let trusting = Trusting::new();
    let mut app = trusting.world.app();
    app.sign_in_for_session(&trusting.token("alice"));
    app.run("INSERT INTO orders VALUES (auth.user_id())");
    drop(app);
    let restored = Dump::of(&trusting.world.database)
        .restore(&[&["--exit-on-error"]])
        .expect("the dump is restored");
    let copy = trusting.world.database.copy();
    for database in [&restored, &copy] {
        let mut app = database.app();
        app.sign_in_for_session(&trusting.token("alice"));
        app.sign_in_for_session(&trusting.token("bob"));
        let users = "SELECT id || ' ' || (raw_json ->> 'auth_provider') FROM neon_auth.users_sync ORDER BY id";
        let users = database.superuser().values(users, &[]);
        let users: Vec<String> = users.into_iter().flatten().collect();
        assert_eq!(users, ["alice idp", "bob idp"]);
    }
}

/// Runs a statement that has to wait until `app` ends its transaction.
fn run_meanwhile(trusting: &Trusting, app: &mut Session, statement: &str) -> Option<SqlState> {
    let (mut waiter, mut observer) = (trusting.world.superuser(), trusting.world.superuser());
    let pid = waiter.pid();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| waiter.batch_execute(statement));
        await_lock(&mut observer, pid);
        app.run("COMMIT");
        let outcome = waiting.join().expect("the thread ends");
        outcome.err().and_then(|error| error.code().cloned())
    })
}

#[test]
fn a_provider_that_is_renamed_during_a_first_sign_in_keeps_the_user() {
    let trusting = Trusting::new();
    let mut app = trusting.world.app();
    app.run("BEGIN");
    app.sign_in(&trusting.token("alice"));
    let rename = "UPDATE neon_auth.providers SET name = 'renamed' WHERE name = 'idp'";
    assert_eq!(run_meanwhile(&trusting, &mut app, rename), None);
    assert_eq!(trusting.users(), ["alice renamed"]);
}

#[test]
fn a_name_that_an_open_sign_in_uses_is_not_given_to_another_provider() {
    let trusting = Trusting::new();
    let mut app = trusting.world.app();
    app.run("BEGIN");
    app.sign_in(&trusting.token("alice"));
    let mut superuser = trusting.world.superuser();
    superuser.run("SELECT neon_auth.drop_provider('idp')");
    let other = "SELECT neon_auth.add_provider('idp', '{https://other.example.com}', jwks_url => 'https://other.example.com/jwks')";
    let refused = run_meanwhile(&trusting, &mut app, other);
    assert_eq!(refused, Some(SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE));
}

/// The name is read again once the sign-in may write.
#[test]
fn a_first_sign_in_waits_for_a_rename_and_writes_the_new_name() {
    for (statement, users) in [
        (
            "UPDATE neon_auth.providers SET name = 'renamed' WHERE name = 'idp'",
            vec!["alice renamed"],
        ),
        (
            "SELECT neon_auth.drop_provider('idp'); LOCK TABLE neon_auth.users_sync IN SHARE MODE",
            vec![],
        ),
    ] {
        let trusting = Trusting::new();
        let (mut renaming, mut other) = (trusting.world.superuser(), trusting.world.app());
        let mut observer = trusting.world.superuser();
        renaming.run(&format!("BEGIN; {statement}"));
        sign_in_meanwhile(
            &mut other,
            &mut observer,
            &trusting.token("alice"),
            || renaming.run("COMMIT"),
            |_, outcome| outcome.expect("the user is signed in"),
        );
        assert_eq!(trusting.users(), users, "{statement}");
    }
}

#[test]
fn a_dump_is_restored_although_rows_name_other_issuers() {
    let trusting = Trusting::new();
    let mut app = trusting.world.app();
    app.sign_in_for_session(&trusting.token("alice"));
    drop(app);
    trusting.world.superuser().run(
        "UPDATE neon_auth.providers SET issuers = '{https://moved.example.com}' WHERE name = 'idp';
         SELECT neon_auth.upsert_user('{\"id\": \"bob\", \"auth_provider\": \"idp\"}')",
    );
    let dump = Dump::of(&trusting.world.database);
    let schema: &[&str] = &["--section=pre-data"];
    let rows: &[&str] = &["--data-only", "--table=users_sync"];
    let providers: &[&str] = &["--data-only", "--table=providers"];
    for calls in [
        &[&[][..]][..],
        &[schema, providers, rows],
        &[schema, rows, providers],
    ] {
        let restored = dump.restore(calls).expect("the dump is restored");
        let users = "SELECT string_agg(id || ' ' || (raw_json ->> 'auth_provider'), ',' ORDER BY id) FROM neon_auth.users_sync";
        assert_eq!(
            restored.superuser().value(users, &[]).as_deref(),
            Some("alice idp,bob idp")
        );
    }
}
