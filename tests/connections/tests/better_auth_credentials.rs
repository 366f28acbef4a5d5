//! Sessions and tokens of Better Auth in open connections: what ends them, and where they show.

use neon_auth_connections::{
    Cluster, Database, Random, Server, ServerLog, Session, eventually, peak,
};
use postgres::error::{DbError, SqlState};
use serde_json::Value;

const TABLES: &str = include_str!("../../better_auth/text_ids.sql");
const CREDENTIALS: &str = include_str!("../../better_auth/credentials.json");
const ORIGIN: &str = "http://127.0.0.1:3912";
const ALICE: &str = "RD3B8vtGwuBtYG0ahngOK7y7azGvY5fI";
const BOB: &str = "axnRTrljRS9qJX9IgCq3ylZRcM74m5Av";

const KEY: &str = "aKeyOfTheTestsOnlyAbCdEfGhIjKlMnOpQrStUv";
const DISABLED_KEY: &str = "aDisabledKeyOfTheTestsOnlyAbCdEfGhIjKlMnOp";

/// A database that contains an application with Better Auth.
fn shop_in(server: Server) -> Database {
    let database = Database::create_in(server);
    let mut owner = database.superuser();
    owner.run(TABLES);
    owner.run(&format!(
        "SELECT FROM neon_auth.add_better_auth('{ORIGIN}', 'shop')"
    ));
    database
}

fn shop() -> Database {
    shop_in(Server::shared())
}

fn credential(path: &str) -> String {
    let all: Value = serde_json::from_str(CREDENTIALS).expect("JSON");
    let found = all.pointer(path).and_then(Value::as_str);
    found.expect("the credential exists").to_owned()
}

fn session_of(name: &str) -> String {
    credential(&format!("/sessions/text/{name}/token"))
}

fn jwt_of(name: &str) -> String {
    credential(&format!("/tokens/text/{name}"))
}

#[track_caller]
fn assert_ended(error: &DbError) {
    let refused = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
    assert_eq!(error.code(), refused, "{error:?}");
    assert_eq!(error.message(), "the session's identity has ended");
}

/// What ends alice's session, and what undoes it.
const ENDINGS: [(&str, &str); 5] = [
    (
        "UPDATE shop.session SET token = token || 'x', id = id || 'x' WHERE \"userId\" = $1",
        "UPDATE shop.session SET token = left(token, 32), id = left(id, 32)",
    ),
    (
        "UPDATE shop.session SET \"expiresAt\" = now() WHERE \"userId\" = $1",
        "UPDATE shop.session SET \"expiresAt\" = '2099-01-01'",
    ),
    (
        "UPDATE shop.\"user\" SET banned = true WHERE id = $1",
        "UPDATE shop.\"user\" SET banned = false",
    ),
    (
        "UPDATE shop.session SET \"userId\" = 'axnRTrljRS9qJX9IgCq3ylZRcM74m5Av' WHERE \"userId\" = $1",
        "UPDATE shop.session SET \"userId\" = 'RD3B8vtGwuBtYG0ahngOK7y7azGvY5fI'
          WHERE token = 'cBYvl5H4NZRjaBXE0kOmlF5p53wgmYAJ'",
    ),
    ("DELETE FROM shop.\"user\" WHERE id = $1", "SELECT"),
];

#[test]
fn an_ended_session_is_refused_in_the_next_transaction_and_stays_ended() {
    let database = shop();
    let mut owner = database.superuser();
    for (ending, undo) in ENDINGS {
        let mut app = database.app();
        assert_eq!(app.sign_in_for_session(&session_of("alice")), ALICE);
        assert_eq!(app.user().as_deref(), Some(ALICE));
        owner.execute(ending, &[&ALICE]).expect(ending);
        assert_ended(&app.refused("SELECT auth.user_id()", &[]));
        assert_ended(&app.refused("SELECT body FROM notes", &[]));
        assert_ended(&app.run_refused("DO $$ BEGIN PERFORM auth.jwt(); END $$"));
        owner.run(undo);
        // It does not come back by itself: its role was reset.
        assert_ended(&app.refused("SELECT auth.user_id()", &[]));
        // Statements without the user work, and so does signing out and in.
        app.run("SELECT 1; BEGIN; SELECT auth.logout(); COMMIT");
        assert_eq!(app.user(), None);
        if undo != "SELECT" {
            assert_eq!(app.sign_in_for_session(&session_of("alice")), ALICE);
            assert_eq!(app.user().as_deref(), Some(ALICE));
        }
        assert!(app.sign_in_for_session(&session_of("bob")) == BOB);
    }
}

#[test]
fn a_transaction_that_has_begun_goes_on_and_the_next_one_does_not() {
    let database = shop();
    let mut owner = database.superuser();
    let mut app = database.app();
    app.sign_in_for_session(&session_of("alice"));
    app.run("BEGIN");
    assert_eq!(app.user().as_deref(), Some(ALICE));
    owner.run("DELETE FROM shop.session");
    assert_eq!(app.user().as_deref(), Some(ALICE));
    app.run("COMMIT");
    app.run("BEGIN");
    assert_ended(&app.refused("SELECT auth.user_id()", &[]));
    app.run("ROLLBACK");
    // A procedure that commits begins another transaction.
    app.sign_in_for_session(&jwt_of("bob_long"));
    owner.run(
        "CREATE PROCEDURE public.twice() LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM auth.user_id();
            PERFORM pg_advisory_lock(1), pg_advisory_unlock(1);
            COMMIT;
            PERFORM auth.user_id();
        END $$",
    );
    owner.run("SELECT pg_advisory_lock(1)");
    let banned = std::thread::scope(|scope| {
        let pid = app.pid();
        let call = scope.spawn(|| app.run_refused("CALL public.twice()"));
        let mut observer = database.superuser();
        neon_auth_connections::await_lock(&mut observer, pid);
        owner.run("UPDATE shop.\"user\" SET banned = true");
        owner.run("SELECT pg_advisory_unlock(1)");
        call.join().expect("the call ends")
    });
    assert_ended(&banned);
}

#[test]
fn a_banned_user_of_a_jwt_is_refused_in_the_next_transaction() {
    let database = shop();
    let mut app = database.app();
    assert_eq!(app.sign_in_for_session(&jwt_of("alice_long")), ALICE);
    assert_eq!(app.user().as_deref(), Some(ALICE));
    database
        .superuser()
        .run("UPDATE shop.\"user\" SET banned = true");
    assert_ended(&app.refused("SELECT auth.user_id()", &[]));
    let refused = app.sign_in_refused(&jwt_of("alice_long"));
    assert_eq!(refused.message(), "JWT refused: the user is banned");
}

#[test]
fn the_role_of_an_ended_session_is_reset() {
    let database = shop();
    let mut owner = database.superuser();
    owner.run(
        "UPDATE neon_auth.providers SET default_role = 'authenticated';
         GRANT SELECT ON notes TO authenticated",
    );
    let mut app = database.app();
    app.sign_in_for_session(&session_of("alice"));
    let role = "SELECT current_user::text";
    assert_eq!(app.value(role, &[]).as_deref(), Some("authenticated"));
    let prepared = app.prepare("SELECT body FROM notes").expect("a statement");
    owner.run("DELETE FROM shop.session");
    // The plan of a query on a table was made for the role.
    let planned = app
        .query(&prepared, &[])
        .expect_err("the session has ended");
    assert_ended(planned.as_db_error().expect("the server refuses"));
    assert_eq!(app.value(role, &[]).as_deref(), Some("app"));
    assert_ended(&app.refused("SELECT auth.user_id()", &[]));
}

#[test]
fn the_check_takes_no_snapshot_before_the_transaction_does() {
    let database = shop();
    let mut app = database.app();
    app.sign_in_for_session(&session_of("alice"));
    // Levels can be set after BEGIN, and in it.
    app.run("BEGIN; SET TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT auth.user_id(); COMMIT");
    app.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    app.run("SET LOCAL application_name = 'waiting'; SHOW work_mem; SAVEPOINT s");
    let insert = format!("INSERT INTO notes (user_id, body) VALUES ('{ALICE}', 'late')");
    database.superuser().run(&insert);
    let notes = app.values("SELECT body FROM notes", &[]);
    assert_eq!(notes, [Some("late".to_owned())]);
    app.run("COMMIT");
}

#[test]
fn a_local_identity_is_checked_when_it_signs_in() {
    let database = shop();
    let mut app = database.app();
    for token in [session_of("alice"), jwt_of("alice_long")] {
        app.run("BEGIN READ ONLY");
        assert_eq!(app.sign_in(&token), ALICE);
        assert_eq!(app.user().as_deref(), Some(ALICE));
        app.run("COMMIT");
        assert_eq!(app.user(), None);
    }
    database
        .superuser()
        .run("DELETE FROM shop.\"user\" WHERE name = 'Alice Example'");
    for token in [session_of("alice"), jwt_of("alice_long")] {
        app.run("BEGIN");
        app.sign_in_refused(&token);
        app.run("ROLLBACK");
        assert_eq!(app.user(), None);
    }
}

#[test]
fn a_deleted_key_counts_at_once_in_open_sessions() {
    let database = shop();
    let mut owner = database.superuser();
    let mut apps = [database.app(), database.app()];
    for app in &mut apps {
        assert_eq!(app.sign_in_for_session(&jwt_of("alice_long")), ALICE);
        assert_eq!(app.sign_in_for_session(&jwt_of("alice_long")), ALICE);
    }
    // Also without the triggers that tell the mirror of changes.
    owner.run("SET session_replication_role = replica");
    owner.run("CREATE TEMP TABLE kept AS TABLE shop.jwks; DELETE FROM shop.jwks");
    for app in &mut apps {
        let refused = app.sign_in_refused(&jwt_of("alice_long"));
        let unknown = "JWT refused: the token's key is not in the provider's key set";
        assert_eq!(refused.message(), unknown);
        assert_eq!(app.user(), None);
    }
    owner.run("INSERT INTO shop.jwks TABLE kept");
    for app in &mut apps {
        assert_eq!(app.sign_in_for_session(&jwt_of("alice_long")), ALICE);
    }
}

#[test]
fn a_standby_reads_sessions_and_keys_and_follows_their_end() {
    let primary = Cluster::start("");
    let database = shop_in(primary.server());
    let mut owner = database.superuser();
    owner.run("UPDATE shop.session SET \"createdAt\" = now() - interval '4 days', \"expiresAt\" = now() + interval '3 days'");
    let standby = primary.start_standby();
    let mut reader = Session::open(&standby.server().config("app", database.name()));
    let mut admin = Session::open(&standby.server().config("postgres", database.name()));
    let catch_up = |owner: &mut Session, reader: &mut Session| {
        let position = "SELECT pg_current_wal_flush_lsn()::text";
        let position = owner.value(position, &[]);
        eventually("the standby has caught up", || {
            let replayed = "SELECT (pg_last_wal_replay_lsn() >= $1::text::pg_lsn)::text";
            reader.value(replayed, &[&position]).as_deref() == Some("true")
        });
    };
    catch_up(&mut owner, &mut reader);
    assert_eq!(reader.sign_in_for_session(&session_of("alice")), ALICE);
    assert_eq!(reader.sign_in_for_session(&jwt_of("alice_long")), ALICE);
    // A session that is due is not extended there, and accepted all the same.
    admin.run("SET neon_auth.session_update_age = '1d'");
    assert_eq!(admin.sign_in_for_session(&session_of("alice")), ALICE);
    reader.sign_in_for_session(&session_of("alice"));
    assert_eq!(reader.user().as_deref(), Some(ALICE));
    owner.run("DELETE FROM shop.session; DELETE FROM shop.jwks");
    catch_up(&mut owner, &mut admin);
    assert_ended(&reader.refused("SELECT auth.user_id()", &[]));
    reader.sign_in_refused(&session_of("alice"));
    reader.sign_in_refused(&jwt_of("alice_long"));
}

/// A table for parallel plans, and what a worker reads.
const BIG: &str = "
CREATE TABLE big AS SELECT generate_series(1, 20000) AS id;
ALTER TABLE big SET (parallel_workers = 2);
ANALYZE big;
CREATE FUNCTION here(id integer) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$ BEGIN RETURN pg_backend_pid() || ' ' || concat_ws(' ', auth.email_verified(), auth.selected_team_id(),
    auth.session_id(), auth.actor() ->> 'impersonator', auth.organization_id()); END $$;
UPDATE shop.\"user\" SET \"emailVerified\" = true;
GRANT SELECT ON big TO app";

#[test]
fn workers_read_the_claims_of_the_leaders_kind_and_learn_that_a_session_has_ended() {
    let database = shop();
    let mut owner = database.superuser();
    owner.run(BIG);
    let mut app = database.app();
    app.go_parallel();
    app.sign_in_for_session(&session_of("alice"));
    let id = app.value("SELECT auth.session_id()", &[]);
    let id = id.expect("the session has an id");
    let expected = format!("t jQzViwKMw27iLnjnkdCtigc4OYTHkAmW {id}");
    let leader = app.pid().to_string();
    eventually("a query gets workers", || {
        let lines = app.values("SELECT DISTINCT here(id) FROM big", &[]);
        let mut by_workers = lines.iter().flatten().filter_map(|line| {
            let (pid, read) = line.split_once(' ')?;
            (pid != leader).then_some(read)
        });
        by_workers.next().is_some_and(|read| {
            assert_eq!(read, expected);
            true
        })
    });
    owner.run("DELETE FROM shop.session");
    for _ in 0..3 {
        assert_ended(&app.refused("SELECT DISTINCT here(id) FROM big", &[]));
    }
}

#[test]
fn transactions_of_many_users_on_one_connection_never_mix() {
    let database = shop();
    let mut app = database.app();
    let mut random = Random::seeded(15);
    let people = [
        (session_of("alice"), ALICE),
        (credential("/sessions/text/alice/cookie"), ALICE),
        (session_of("bob"), BOB),
        (jwt_of("bob_long"), BOB),
    ];
    for _ in 0..300 {
        app.run("BEGIN");
        assert_eq!(app.user(), None);
        let (token, user) = random.pick(&people);
        match random.below(4) {
            0 => {
                app.sign_in_refused(&session_of("mallory_banned"));
            }
            1 => {
                assert_eq!(app.sign_in(token), *user);
                app.run("SAVEPOINT s");
                app.sign_in_refused(&session_of("bob_expired"));
                app.run("ROLLBACK TO s");
                assert_eq!(app.user(), None);
            }
            _ => {
                assert_eq!(app.sign_in(token), *user);
                assert_eq!(app.user().as_deref(), Some(*user));
            }
        }
        app.run(["COMMIT", "ROLLBACK"][random.below(2)]);
    }
    assert_eq!(app.user(), None);
}

#[test]
fn no_token_shows_in_the_activity_or_in_the_log() {
    let database = shop();
    database.set("neon_auth.log_authentication", "all");
    database.superuser().run(&format!(
        "SELECT neon_auth.set_secret('better_auth_secret', '{}')",
        credential("/secret")
    ));
    let mut owner = database.superuser();
    owner.run(&format!(
        "CREATE TABLE shop.apikey (id text PRIMARY KEY, key text NOT NULL UNIQUE, \"referenceId\" text NOT NULL,
             enabled boolean, remaining integer, \"expiresAt\" timestamptz);
         ALTER TABLE shop.apikey OWNER TO shop_owner;
         INSERT INTO shop.apikey
         SELECT 'k-' || enabled, translate(encode(sha256(convert_to(key, 'UTF8')), 'base64'), '+/=', '-_'), '{ALICE}', enabled
           FROM (VALUES ('{KEY}', true), ('{DISABLED_KEY}', false)) AS v(key, enabled);
         SELECT FROM neon_auth.add_better_auth('{ORIGIN}', 'shop')"
    ));
    let log = ServerLog::from_here();
    let mut app = database.app();
    let tokens = [
        KEY.to_owned(),
        DISABLED_KEY.to_owned(),
        session_of("alice"),
        credential("/sessions/text/alice/cookie"),
        session_of("mallory_banned"),
        session_of("bob_expired"),
        credential("/sessions/text/forged/cookie"),
        "anUnknownTokenOfNobody0123456789".to_owned(),
        "anUnknownTokenOfNobody0123456789.cutSignature".to_owned(),
        format!("{}%zz", session_of("bob")),
        jwt_of("alice_long"),
        jwt_of("wrong_audience"),
    ];
    for token in &tokens {
        let _ = app.query("SELECT auth.authenticate($1, false)", &[token]);
        let _ = app.query("SELECT * FROM neon_auth.verify_jwt($1)", &[token]);
    }
    app.sign_in_for_session(&session_of("alice"));
    let views = "SELECT concat_ws(' ', (SELECT string_agg(a::text, ' ') FROM pg_stat_activity a),
        (SELECT string_agg(s::text, ' ') FROM pg_settings s), (SELECT string_agg(s::text, ' ') FROM neon_auth.status s))";
    let shown = owner.value(views, &[]).expect("text");
    let identity = app.value(
        "SELECT concat_ws(' ', auth.jwt(), auth.actor(), auth.session_id())",
        &[],
    );
    let logged = log.text();
    for token in &tokens {
        // What a JWT has in common with others is its header.
        let secret = token.rsplit(['.', '%']).next().expect("a part");
        for part in [token.as_str(), &token[..32.min(token.len())], secret] {
            if part.len() < 20 || part.starts_with("eyJ") {
                continue;
            }
            assert!(!logged.contains(part), "{part} is in the log");
            assert!(!shown.contains(part), "{part} is in a view");
            assert!(
                !identity.as_deref().unwrap_or_default().contains(part),
                "{part} is in claims"
            );
        }
    }
    let id = "exIBSk09MuxbuSgz2VCKXN5UuxY9WVCK";
    let line = format!("authenticated: provider=\"better_auth\" sub=\"{ALICE}\" session=\"{id}\"");
    assert!(!log.lines_with(&line).is_empty(), "{logged}");
    let line =
        format!("authenticated: provider=\"better_auth\" sub=\"{ALICE}\" api_key=\"k-true\"");
    assert!(!log.lines_with(&line).is_empty(), "{logged}");
    assert!(
        !log.lines_with("API key refused: the key is disabled")
            .is_empty()
    );
    assert!(
        !log.lines_with("session refused: the user is banned")
            .is_empty()
    );
}

#[test]
fn memory_does_not_grow_with_sign_ins() {
    let database = shop();
    let mut owner = database.superuser();
    owner.run(&format!(
        "INSERT INTO shop.session (id, \"expiresAt\", token, \"updatedAt\", \"userId\")
         SELECT 's' || n, '2099-01-01', md5(n::text), now(), '{BOB}' FROM generate_series(1, 3000) AS n;
         ANALYZE shop.session"
    ));
    let mut app = database.app();
    let round = format!(
        "DO $$ BEGIN
            FOR n IN 1..3000 LOOP PERFORM auth.authenticate(md5(n::text), false), auth.organization(); END LOOP;
            FOR n IN 1..300 LOOP PERFORM auth.authenticate('{}', false); END LOOP;
        END $$",
        jwt_of("bob_long")
    );
    app.run(&round);
    let before = peak(&mut app);
    for _ in 0..4 {
        app.run(&round);
    }
    let grown = peak(&mut app) - before;
    assert!(grown < 1024, "{grown} kB");
}
