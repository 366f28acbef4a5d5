//! `neon_auth.actor_in_wal`: who acts, as change data capture reads it from the WAL, and nobody
//! forges it.

use neon_auth_connections::{Cluster, Session, World};
use postgres::NoTls;

const CONFIGURATION: &str = "wal_level = logical
max_prepared_transactions = 1
shared_preload_libraries = 'neon_auth'
neon_auth.actor_in_wal = on";

const TABLES: &str = "
CREATE TABLE written (id int);
GRANT ALL ON written TO app;
GRANT EXECUTE ON FUNCTION auth.impersonate(text, jsonb, boolean) TO app";

const SLOT: &str = "SELECT pg_create_logical_replication_slot('cdc', 'test_decoding')";

/// The rule for consumers: of the transactional messages with the prefix in each transaction, the
/// last one. Only transactions with a change of the table are returned.
fn actors(superuser: &mut Session) -> Vec<String> {
    let lines = superuser.values(
        "SELECT data FROM pg_logical_slot_get_changes('cdc', NULL, NULL, 'include-xids', 'false')",
        &[],
    );
    let (mut actors, mut last, mut has_change) = (Vec::new(), None, false);
    for line in lines.into_iter().flatten() {
        if line.starts_with("BEGIN") {
            (last, has_change) = (None, false);
        } else if line.starts_with("table public.written") {
            has_change = true;
        } else if line.starts_with("message: transactional: 1 prefix: neon_auth,") {
            last = line.split_once("content:").map(|(_, json)| json.to_owned());
        } else if (line.starts_with("COMMIT") || line.starts_with("PREPARE")) && has_change {
            actors.push(last.take().unwrap_or_else(|| "no message".to_owned()));
        }
    }
    actors
}

fn actor(user: &str) -> String {
    format!(r#"{{"database_role":"app","user_id":"{user}"}}"#)
}

fn both(actors: &[&str]) -> String {
    format!(r#"{{"actors":[{}]}}"#, actors.join(","))
}

#[test]
fn the_last_message_of_a_transaction_says_who_may_have_written() {
    let cluster = Cluster::start(CONFIGURATION);
    let world = World::in_server(cluster.server());
    let mut superuser = world.superuser();
    superuser.run(TABLES);
    superuser.run(SLOT);
    let mut app = world.app();
    let (alice, bob) = (actor("alice"), actor("bob"));
    let forged = r#"pg_logical_emit_message(true, 'neon_auth', '{"user_id":"root"}')"#;
    let cases: [(&str, String); 14] = [
        ("INSERT INTO written VALUES (1)", "{}".to_owned()),
        (
            "BEGIN; SELECT auth.impersonate('alice'); INSERT INTO written VALUES (1); COMMIT",
            alice.clone(),
        ),
        // Whoever was signed in before the first write has not written.
        (
            "BEGIN; SELECT auth.impersonate('bob'); SELECT auth.impersonate('alice');
             INSERT INTO written VALUES (1); COMMIT",
            alice.clone(),
        ),
        (
            "BEGIN; SELECT auth.impersonate('alice'); INSERT INTO written VALUES (1);
             SELECT auth.impersonate('bob'); COMMIT",
            both(&[&alice, &bob]),
        ),
        (
            "BEGIN; SELECT auth.impersonate('alice'); INSERT INTO written VALUES (1);
             SELECT auth.logout(); COMMIT",
            both(&[&alice, "{}"]),
        ),
        (
            "BEGIN; SELECT auth.impersonate('alice'); INSERT INTO written VALUES (1); RESET ALL; COMMIT",
            both(&[&alice, "{}"]),
        ),
        (
            "BEGIN; INSERT INTO written VALUES (1); SELECT auth.impersonate('alice'); COMMIT",
            both(&["{}", &alice]),
        ),
        // A savepoint brings back the identity of before.
        (
            "BEGIN; SELECT auth.impersonate('alice'); SAVEPOINT s; SELECT auth.impersonate('bob');
             INSERT INTO written VALUES (1); RELEASE s; COMMIT",
            bob.clone(),
        ),
        (
            "BEGIN; SELECT auth.impersonate('alice'); INSERT INTO written VALUES (1); SAVEPOINT s;
             SELECT auth.impersonate('bob'); INSERT INTO written VALUES (2); ROLLBACK TO s; COMMIT",
            both(&[&alice, &bob]),
        ),
        // A refused credential signs out, be it undone by a savepoint.
        (
            "BEGIN; SELECT auth.impersonate('alice'); INSERT INTO written VALUES (1);
             DO $$ BEGIN PERFORM auth.authenticate('x'); EXCEPTION WHEN OTHERS THEN NULL; END $$;
             INSERT INTO written VALUES (2); COMMIT",
            both(&[&alice, "{}"]),
        ),
        // Messages of a user's own: earlier ones do not count, nor do those that are not transactional.
        (
            &format!(
                "BEGIN; SELECT auth.impersonate('alice'); INSERT INTO written VALUES (1); SELECT {forged}; COMMIT"
            ),
            alice.clone(),
        ),
        (
            &format!(
                "BEGIN; SELECT auth.impersonate('alice'); INSERT INTO written VALUES (1); SELECT {};
                 COMMIT",
                forged.replace("true", "false")
            ),
            alice.clone(),
        ),
        // A deferred trigger runs at the end of the transaction, but before ours.
        (
            &format!(
                "CREATE FUNCTION pg_temp.forge() RETURNS trigger LANGUAGE plpgsql AS
                 $$ BEGIN PERFORM {forged}; RETURN NULL; END $$;
                 CREATE TEMPORARY TABLE bait (id int);
                 CREATE CONSTRAINT TRIGGER forge AFTER INSERT ON bait DEFERRABLE INITIALLY DEFERRED
                     FOR EACH ROW EXECUTE FUNCTION pg_temp.forge();
                 BEGIN; SELECT auth.impersonate('alice'); INSERT INTO written VALUES (1);
                 INSERT INTO bait VALUES (1);
                 DECLARE held CURSOR WITH HOLD FOR SELECT {forged}; COMMIT"
            ),
            alice.clone(),
        ),
        (
            "BEGIN; SELECT auth.impersonate('alice'); INSERT INTO written VALUES (1);
             PREPARE TRANSACTION 'p';
             COMMIT PREPARED 'p'",
            alice.clone(),
        ),
    ];
    for (statements, expected) in cases {
        for statement in statements.split_inclusive(";\n").map(str::trim) {
            app.run(statement);
        }
        assert_eq!(actors(&mut superuser), [expected], "{statements}");
    }
    // Only a superuser can switch it off; an option of the connection cannot either.
    let mut by_option = world.database.config("app");
    by_option.options("-c neon_auth.actor_in_wal=off");
    assert!(by_option.connect(NoTls).is_err());
    let error = app.run_refused("SET neon_auth.actor_in_wal = off");
    assert_eq!(error.code().code(), "42501");
    superuser.run("SET neon_auth.actor_in_wal = off; INSERT INTO written VALUES (1)");
    assert_eq!(actors(&mut superuser), ["no message"]);
}

/// What `status` says where actors cannot be in the WAL, or not all of them.
#[test]
fn status_says_what_is_missing() {
    const STATUS: &str = "SELECT concat_ws(' ', ok, detail) FROM neon_auth.status WHERE component = 'actor in the WAL'";
    for (configuration, said) in [
        (
            "wal_level = replica\nneon_auth.actor_in_wal = on",
            "f No actor is written",
        ),
        (
            "wal_level = logical\nneon_auth.actor_in_wal = on",
            "f Not every session writes one",
        ),
        (CONFIGURATION, "t Each transaction"),
    ] {
        let cluster = Cluster::start(configuration);
        let world = World::in_server(cluster.server());
        let mut superuser = world.superuser();
        let status = superuser.value(STATUS, &[]).expect("actors are wanted");
        assert!(status.starts_with(said), "{configuration}: {status}");
        superuser.run("SET neon_auth.actor_in_wal = off");
        assert!(superuser.values(STATUS, &[]).is_empty());
    }
}
