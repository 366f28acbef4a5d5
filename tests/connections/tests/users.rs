//! Writers of users_sync at work at the same time.

use std::thread;

use neon_auth_connections::{Database, Random, Session, await_lock, eventually, together};
use postgres::error::SqlState;
use serde_json::{Value, json};

const USERS: usize = 40;
const WRITERS: usize = 8;

fn user(number: usize, version: usize) -> Value {
    json!({
        "id": format!("user-{number:03}"),
        "display_name": format!("version {version}"),
        "primary_email": format!("{number}@example.com"),
        "signed_up_at_millis": 1_700_000_000_000_u64,
    })
}

fn upsert(session: &mut Session, users: &[Value]) {
    let users = Value::from(users).to_string();
    session
        .execute("SELECT neon_auth.upsert_users($1::text::jsonb)", &[&users])
        .expect("writers do not get in each other's way");
}

#[test]
fn upserts_of_the_same_users_in_other_orders_do_not_deadlock_and_converge() {
    let database = Database::create();
    for round in 0..5 {
        together(
            (0..WRITERS).collect(),
            |writer| {
                let mut users: Vec<_> = (0..USERS).map(|n| user(n, round)).collect();
                Random::seeded((round * WRITERS + writer) as u64).shuffle(&mut users);
                (database.superuser(), users)
            },
            |(mut session, users)| {
                for start in (0..USERS).step_by(5) {
                    let mut some = users[start..].to_vec();
                    some.extend_from_slice(&users[..start]);
                    upsert(&mut session, &some);
                }
            },
        );
        let names = database.superuser().values(
            "SELECT DISTINCT name || ' ' || count(*) OVER () FROM neon_auth.users_sync",
            &[],
        );
        assert_eq!(names, [Some(format!("version {round} {USERS}"))]);
    }
}

#[test]
fn the_last_writer_of_different_versions_wins_whole() {
    let database = Database::create();
    together(
        (0..WRITERS).collect(),
        |version| (database.superuser(), version),
        |(mut session, version)| {
            let users: Vec<_> = (0..USERS).map(|n| user(n, version)).collect();
            upsert(&mut session, &users);
        },
    );
    // Each call takes its rows in one order and keeps them until it commits.
    let versions = database
        .superuser()
        .values("SELECT DISTINCT name FROM neon_auth.users_sync", &[]);
    assert_eq!(versions.len(), 1, "{versions:?}");
}

#[test]
fn a_deletion_is_final_whatever_is_written_at_the_same_time() {
    let database = Database::create();
    let users: Vec<_> = (0..USERS).map(|n| user(n, 0)).collect();
    upsert(&mut database.superuser(), &users);
    together(
        (0..WRITERS).collect(),
        |writer| (database.superuser(), writer),
        |(mut session, writer)| {
            for number in 0..USERS {
                if writer == 0 {
                    session
                        .execute(
                            "SELECT neon_auth.delete_user($1)",
                            &[&format!("user-{number:03}")],
                        )
                        .expect("deleting does not fail");
                } else {
                    upsert(&mut session, &[user(number, writer)]);
                }
            }
        },
    );
    let mut superuser = database.superuser();
    let living = "SELECT count(*)::text FROM neon_auth.users_sync WHERE deleted_at IS NULL";
    assert_eq!(superuser.value(living, &[]), Some("0".to_owned()));
    upsert(&mut superuser, &users);
    assert_eq!(superuser.value(living, &[]), Some("0".to_owned()));
}

/// Writes users for whom somebody else's open transaction has to end first.
fn upsert_behind(database: &Database, first: &mut Session, users: &[Value]) {
    let mut writer = database.superuser();
    let pid = writer.pid();
    thread::scope(|scope| {
        let writing = scope.spawn(|| upsert(&mut writer, users));
        await_lock(&mut database.superuser(), pid);
        first.run("COMMIT");
        writing.join().expect("the writer does not fail");
    });
}

#[test]
fn an_upsert_that_waits_for_a_deletion_does_not_undo_it() {
    let database = Database::create();
    upsert(&mut database.superuser(), &[user(1, 0)]);
    let mut deleter = database.superuser();
    deleter.run("BEGIN; SELECT neon_auth.delete_user('user-001')");
    upsert_behind(&database, &mut deleter, &[user(1, 1)]);
    let row = "SELECT name || ' ' || (deleted_at IS NOT NULL) FROM neon_auth.users_sync";
    assert_eq!(
        database.superuser().value(row, &[]),
        Some("version 0 true".to_owned())
    );
}

#[test]
fn one_of_many_deletions_of_a_user_changes_it() {
    let database = Database::create();
    upsert(&mut database.superuser(), &[user(1, 0)]);
    let answers = together(
        vec![(); WRITERS],
        |()| database.superuser(),
        |mut session| session.value("SELECT neon_auth.delete_user('user-001')::text", &[]),
    );
    let changed = answers
        .iter()
        .filter(|answer| answer.as_deref() == Some("true"));
    assert_eq!(changed.count(), 1);
}

/// A row that refers to a user locks that user's key, until its transaction ends.
#[test]
fn an_open_reference_to_a_user_or_a_team_keeps_nobody_waiting() {
    let database = Database::create();
    let mut writer = database.superuser();
    writer.run(
        "CREATE TABLE orders (user_id text REFERENCES neon_auth.users_sync, team_id text REFERENCES neon_auth.teams_sync);
         SET lock_timeout = '5s'",
    );
    for kind in ["user", "team"] {
        let objects = [user(1, 0), user(2, 0)];
        let write = format!("SELECT neon_auth.upsert_{kind}s($1::text::jsonb)::text");
        let objects = Value::from(&objects[..]).to_string();
        assert_eq!(writer.value(&write, &[&objects]).as_deref(), Some("2"));
        let mut application = database.superuser();
        application.run(&format!(
            "BEGIN; INSERT INTO orders ({kind}_id) VALUES ('user-002')"
        ));
        let objects = [user(1, 1), user(2, 1), user(3, 1)];
        let objects = Value::from(&objects[..]).to_string();
        assert_eq!(writer.value(&write, &[&objects]).as_deref(), Some("3"));
        application.run(&format!(
            "INSERT INTO orders ({kind}_id) VALUES ('user-001'); COMMIT"
        ));
    }
}

#[test]
fn an_upsert_of_a_user_whom_somebody_else_inserts_meanwhile_has_the_last_word() {
    let database = Database::create();
    let mut first = database.superuser();
    first.run("BEGIN");
    upsert(&mut first, &[user(1, 0)]);
    upsert_behind(&database, &mut first, &[user(1, 1)]);
    let name = "SELECT name FROM neon_auth.users_sync";
    assert_eq!(
        database.superuser().value(name, &[]),
        Some("version 1".to_owned())
    );
}

/// Whom one writer finds new may be known to another.
#[test]
fn whoever_was_new_to_one_writer_and_known_to_another_is_written_by_both() {
    let database = Database::create();
    for kind in ["user", "team"] {
        let write = format!("SELECT neon_auth.upsert_{kind}s($1::text::jsonb)::text");
        let objects = |numbers: &[usize], version| {
            let objects: Vec<_> = numbers.iter().map(|n| user(*n, version)).collect();
            Value::from(objects).to_string()
        };
        let [mut early, mut late, mut inserter, mut updater, mut observer] =
            std::array::from_fn(|_| database.superuser());
        let [first, second] = [early.pid(), late.pid()];
        let mut await_blocker = |waiting: i32, blocker: i32| {
            let query = format!("SELECT ({blocker} = ANY (pg_blocking_pids({waiting})))::text");
            eventually("one waits for the other", || {
                observer.value(&query, &[]).as_deref() == Some("true")
            });
        };
        updater.value(&write, &[&objects(&[9], 0)]);
        inserter.run("BEGIN");
        inserter.value(&write, &[&objects(&[1], 0)]);
        thread::scope(|scope| {
            let early = scope.spawn(|| early.value(&write, &[&objects(&[1, 2, 5], 1)]));
            await_blocker(first, inserter.pid());
            updater.value(&write, &[&objects(&[5], 0)]);
            updater.run("BEGIN");
            updater.value(&write, &[&objects(&[9], 1)]);
            let late = scope.spawn(|| late.value(&write, &[&objects(&[2, 5, 9], 2)]));
            await_blocker(second, updater.pid());
            inserter.run("COMMIT");
            await_blocker(first, second);
            updater.run("COMMIT");
            for writer in [early, late] {
                let written = writer.join().expect("there is no deadlock");
                assert_eq!(written.as_deref(), Some("3"));
            }
        });
        let names = format!(
            "SELECT string_agg(raw_json ->> 'display_name', ', ' ORDER BY id) FROM neon_auth.{kind}s_sync"
        );
        let names = observer.value(&names, &[]);
        assert_eq!(
            names.as_deref(),
            Some("version 1, version 1, version 1, version 2")
        );
    }
}

/// Whoever refers to a user or a team whom somebody else has inserted meanwhile keeps nobody waiting, either.
#[test]
fn an_open_reference_to_one_who_came_meanwhile_keeps_nobody_waiting() {
    let database = Database::create();
    let [mut first, mut second, mut application] = std::array::from_fn(|_| database.superuser());
    first.run(
        "CREATE TABLE orders (user_id text REFERENCES neon_auth.users_sync, team_id text REFERENCES neon_auth.teams_sync)",
    );
    for kind in ["user", "team"] {
        let write = format!("SELECT neon_auth.upsert_{kind}s($1::text::jsonb)::text");
        let [one, other, both] = [
            vec![user(1, 0)],
            vec![user(2, 0)],
            vec![user(1, 1), user(2, 1)],
        ]
        .map(|objects| Value::from(objects).to_string());
        let mut writer = database.superuser();
        writer.run("SET lock_timeout = '5s'");
        let pid = writer.pid();
        first.run("BEGIN");
        first.value(&write, &[&one]);
        thread::scope(|scope| {
            let writing = scope.spawn(|| writer.value(&write, &[&both]));
            await_lock(&mut database.superuser(), pid);
            second.value(&write, &[&other]);
            application.run(&format!(
                "BEGIN; INSERT INTO orders ({kind}_id) VALUES ('user-002')"
            ));
            first.run("COMMIT");
            let written = writing.join().expect("the writer does not wait");
            assert_eq!(written.as_deref(), Some("2"));
        });
        application.run("COMMIT");
        let names =
            format!("SELECT DISTINCT raw_json ->> 'display_name' FROM neon_auth.{kind}s_sync");
        assert_eq!(second.values(&names, &[]), [Some("version 1".to_owned())]);
    }
}

/// Where what others commit is not seen, what cannot be told from it is an error.
#[test]
fn under_repeatable_read_a_user_who_came_or_changed_meanwhile_is_a_serialization_failure() {
    let database = Database::create();
    for number in 1..3 {
        let mut reader = database.superuser();
        reader.run(
            "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM neon_auth.users_sync",
        );
        upsert(&mut database.superuser(), &[user(1, number)]);
        let users = Value::from(&[user(1, 9)][..]).to_string();
        let error = reader.refused("SELECT neon_auth.upsert_users($1::text::jsonb)", &[&users]);
        assert_eq!(*error.code(), SqlState::T_R_SERIALIZATION_FAILURE);
    }
}

/// The planner may have met the table while it was empty.
#[test]
fn users_who_change_are_found_one_by_one_whatever_the_plan_was_made_for() {
    let database = Database::create();
    let mut session = database.superuser();
    session.run("BEGIN; ANALYZE neon_auth.users_sync; SET LOCAL statement_timeout = '60s'");
    for round in 0..10 {
        upsert(&mut session, &[user(0, round)]);
    }
    let many = "SELECT neon_auth.upsert_users(jsonb_agg(jsonb_build_object('id', 'many-' || n, 'display_name', $1::text)))::text
                  FROM generate_series(1, 20000) AS n GROUP BY n % 20";
    for version in ["old", "new"] {
        let changed = session.values(many, &[&version]);
        assert_eq!(changed, vec![Some("1000".to_owned()); 20]);
    }
}
