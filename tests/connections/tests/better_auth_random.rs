//! Random transactions of applications on Better Auth's tables: afterwards the mirror is what plain SQL computes from
//! the tables.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use neon_auth_connections::{BetterAuth, Random, better_auth_transaction};
use postgres::Client;
use postgres::error::SqlState;

/// Runs a transaction. Only what the application's own rows cause may fail it.
fn run(client: &mut Client, statements: &[String]) {
    for statement in statements {
        if let Err(error) = client.batch_execute(statement) {
            let code = error.code().expect("the server reports an error").clone();
            let own = [
                SqlState::FOREIGN_KEY_VIOLATION,
                SqlState::UNIQUE_VIOLATION,
                SqlState::T_R_DEADLOCK_DETECTED,
            ];
            assert!(own.contains(&code), "{statement}: {error:?}");
            let _ = client.batch_execute("ROLLBACK");
            return;
        }
    }
}

#[test]
fn one_session() {
    let world = BetterAuth::new();
    let mut client = world
        .database
        .config("app")
        .connect(postgres::NoTls)
        .expect("it connects");
    let mut random = Random::seeded(7);
    for round in 0..400 {
        let statements = better_auth_transaction(&mut random);
        run(&mut client, &statements);
        if round % 5 == 0 {
            assert_eq!(
                world.gaps("count(*)").as_deref(),
                Some("0"),
                "{statements:?}"
            );
            assert_eq!(
                world.differences(),
                Vec::<String>::new(),
                "round {round}: {statements:?}"
            );
        }
    }
    assert_eq!(world.differences(), Vec::<String>::new());
}

#[test]
fn many_sessions_and_sync_at_once() {
    let world = BetterAuth::new();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|seed| {
                let config = world.database.config("app");
                scope.spawn(move || {
                    let mut client = config.connect(postgres::NoTls).expect("it connects");
                    let mut random = Random::seeded(100 + seed);
                    for _ in 0..150 {
                        run(&mut client, &better_auth_transaction(&mut random));
                    }
                })
            })
            .collect();
        let comparing = scope.spawn(|| {
            let mut session = world.superuser();
            while !is_over.load(Ordering::Acquire) {
                session.run("CALL neon_auth.sync()");
            }
        });
        for writer in writers {
            writer.join().expect("no statement fails for the mirror");
        }
        is_over.store(true, Ordering::Release);
        comparing.join().expect("sync() succeeds");
    });
    // What is recorded as a gap may differ; without gaps nothing does, although nobody compares any more.
    if world.is_ok("mirror") {
        assert_eq!(world.differences(), Vec::<String>::new());
    }
    world.sync();
    assert!(world.is_ok("mirror"));
    assert_eq!(world.differences(), Vec::<String>::new());
}
