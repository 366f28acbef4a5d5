//! Each kind of credential × each way to end it × each place where it could live on.

use neon_auth_connections::{Cluster, Database, PgBouncer, Server, Session, World, eventually};
use neon_auth_stack::Simulator;
use postgres::error::{DbError, SqlState};
use serde_json::Value;

const TABLES: &str = include_str!("../../better_auth/text_ids.sql");
const CREDENTIALS: &str = include_str!("../../better_auth/credentials.json");
const ALICE: &str = "RD3B8vtGwuBtYG0ahngOK7y7azGvY5fI";
const IDP: &str = "https://idp.example.com";
const SESSION: &str = "0d9b7c0e-session";
/// A key of Better Auth.
const TABLE_KEY: &str = "aMadeUpKeyOfTheTestsOnlyAbCdEfGhIjKlMnOp";

/// For a parallel plan whose workers name the signed-in user.
const BIG: &str = "
CREATE TABLE big AS SELECT generate_series(1, 20000) AS id;
ALTER TABLE big SET (parallel_workers = 2);
ANALYZE big;
CREATE FUNCTION here(id integer) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$ BEGIN RETURN pg_backend_pid() || ' ' || auth.user_id(); END $$;
GRANT SELECT ON big TO app";

/// A credential, and a way to end it.
struct Case {
    name: String,
    credential: String,
    user: String,
    end: String,
    undo: String,
}

/// A database in which the credentials are valid.
struct Place {
    database: Database,
    cases: Vec<Case>,
    /// The service that has signed the tokens.
    _stack: Option<Simulator>,
}

fn cases(kind: &str, credential: &str, user: &str, ends: &[(&str, String, String)]) -> Vec<Case> {
    let case = |(name, end, undo): &(&str, String, String)| Case {
        name: format!("{kind}: {name}"),
        credential: credential.to_owned(),
        user: user.to_owned(),
        end: end.clone(),
        undo: undo.clone(),
    };
    ends.iter().map(case).collect()
}

fn revoked(user: &str) -> (&'static str, String, String) {
    (
        "revoke_tokens",
        format!("SELECT neon_auth.revoke_tokens('{user}', now() + interval '1 minute')"),
        format!("DELETE FROM neon_auth.revocations WHERE id = '{user}'"),
    )
}

fn session_revoked(session: &str) -> (&'static str, String, String) {
    (
        "revoke_session",
        format!("SELECT neon_auth.revoke_session('{session}')"),
        format!("DELETE FROM neon_auth.revocations WHERE id = '{session}'"),
    )
}

/// What ends every credential whose user is in the mirror.
fn mirrored(user: &str) -> Vec<(&'static str, String, String)> {
    let written = |name, members: &str| {
        let object = format!(r#"{{"id": "{user}"{members}}}"#);
        (
            name,
            format!("SELECT neon_auth.upsert_user('{object}')"),
            format!(r#"SELECT neon_auth.upsert_user('{{"id": "{user}"}}')"#),
        )
    };
    vec![
        written("banned", r#", "banned": true"#),
        written(
            "banned for a time",
            r#", "banned": true, "ban_expires": "2999-01-01T00:00:00Z""#,
        ),
        written(
            "restricted by an administrator",
            r#", "restricted_by_admin": true"#,
        ),
        (
            "deleted",
            format!("SELECT neon_auth.delete_user('{user}')"),
            format!("UPDATE neon_auth.users_sync SET deleted_at = NULL WHERE id = '{user}'"),
        ),
    ]
}

fn key_ends(id: &str) -> Vec<(&'static str, String, String)> {
    let table = "neon_auth_internal.api_keys";
    vec![
        (
            "revoke_api_key",
            format!("SELECT neon_auth.revoke_api_key('{id}')"),
            format!("UPDATE {table} SET revoked_at = NULL"),
        ),
        (
            "expired",
            format!("UPDATE {table} SET expires_at = now() - interval '1 s' WHERE id = '{id}'"),
            format!("UPDATE {table} SET expires_at = NULL"),
        ),
    ]
}

/// Creates a key of a user, and returns it with its id.
fn api_key(database: &Database, user: &str) -> (String, String) {
    let mut owner = database.superuser();
    let key = owner.value("SELECT neon_auth.create_api_key($1, 'k')", &[&user]);
    let id = owner.value("SELECT id FROM neon_auth.api_keys", &[]);
    (key.expect("it is shown"), id.expect("it is listed"))
}

/// Stack Auth, another issuer, and API keys of their users.
fn issuers_in(server: Server) -> Place {
    let world = World::in_server(server.clone());
    let mut owner = world.superuser();
    world.fetch_keys();
    owner.run(
        "UPDATE neon_auth.providers SET reject_deleted_users = true, reject_banned_users = true",
    );
    let add = format!(
        "SELECT neon_auth.add_provider('idp', '{{{IDP}}}', jwks => $1::text::jsonb,
            claim_map => '{{\"session_id\": \"their.session\"}}', reject_deleted_users => true,
            reject_banned_users => true)"
    );
    let jwks = world.stack.jwks().to_string();
    owner.execute(&add, &[&jwks]).expect("the keys are good");
    owner.run(BIG);
    let mut all = Vec::new();

    let user = world.sign_up("stack");
    owner.run(&format!(
        r#"SELECT neon_auth.upsert_user('{{"id": "{user}"}}')"#
    ));
    let token = world.token_with(&user, |claims, _| {
        claims.insert("refresh_token_id".to_owned(), SESSION.into());
    });
    let mut ends = mirrored(&user);
    ends.extend([revoked(&user), session_revoked(SESSION)]);
    all.extend(cases("JWT of Stack Auth", &token, &user, &ends));

    let (key, id) = api_key(&world.database, &user);
    let mut ends = mirrored(&user);
    ends.extend(key_ends(&id));
    all.extend(cases("API key", &key, &user, &ends));

    let user = world.sign_up("idp");
    owner.run(&format!(
        r#"SELECT neon_auth.upsert_user('{{"id": "{user}"}}')"#
    ));
    let token = world.token_with(&user, |claims, _| {
        claims.insert("iss".to_owned(), IDP.into());
        claims.insert("their".to_owned(), serde_json::json!({"session": SESSION}));
    });
    let mut ends = mirrored(&user);
    ends.extend([revoked(&user), session_revoked(SESSION)]);
    all.extend(cases("JWT of another issuer", &token, &user, &ends));
    let World { database, stack } = world;
    Place {
        database,
        cases: all,
        _stack: Some(stack),
    }
}

/// Better Auth.
fn better_auth_in(server: Server) -> Place {
    let database = Database::create_in(server);
    let mut owner = database.superuser();
    owner.run(TABLES);
    owner.run(&format!(
        "CREATE TABLE shop.apikey (id text PRIMARY KEY, key text NOT NULL UNIQUE, \"referenceId\" text NOT NULL,
             enabled boolean, remaining integer, \"expiresAt\" timestamptz, permissions text);
         ALTER TABLE shop.apikey OWNER TO shop_owner;
         INSERT INTO shop.apikey VALUES
             ('k1', translate(encode(sha256('{TABLE_KEY}'), 'base64'), '+/=', '-_'), '{ALICE}', true);
         SELECT FROM neon_auth.add_better_auth('http://127.0.0.1:3912', 'shop')"
    ));
    owner.run(BIG);
    // Here the table of revocations is not empty before; in the other database it is.
    owner.run("SELECT neon_auth.revoke_tokens('somebody else', 'infinity')");
    let credentials: Value = serde_json::from_str(CREDENTIALS).expect("JSON");
    let credential = |path: &str| {
        let found = credentials.pointer(path).and_then(Value::as_str);
        found.expect("the credential exists").to_owned()
    };
    let token = credential("/sessions/text/alice/token");
    let session = owner.value("SELECT id FROM shop.session WHERE token = $1", &[&token]);
    let session = session.expect("it is open");
    let (key, id) = api_key(&database, ALICE);
    let set = |name, change: &str, back: &str| {
        let update = |what: &str| format!("UPDATE shop.{what}");
        (name, update(change), update(back))
    };
    let users = [
        set(
            "banned",
            &format!("\"user\" SET banned = true WHERE id = '{ALICE}'"),
            "\"user\" SET banned = false",
        ),
        // Deleted with its rows, which come back.
        (
            "deleted",
            format!(
                "CREATE TABLE gone AS SELECT * FROM shop.\"user\" WHERE id = '{ALICE}';
                 CREATE TABLE gone_sessions AS SELECT * FROM shop.session WHERE \"userId\" = '{ALICE}';
                 DELETE FROM shop.\"user\" WHERE id = '{ALICE}'"
            ),
            "INSERT INTO shop.\"user\" SELECT * FROM gone;
             INSERT INTO shop.session SELECT * FROM gone_sessions;
             DROP TABLE gone, gone_sessions"
                .to_owned(),
        ),
    ];
    let mut of_session = users.to_vec();
    of_session.extend([
        revoked(ALICE),
        session_revoked(&session),
        set(
            "expired",
            &format!("session SET \"expiresAt\" = now() WHERE id = '{session}'"),
            "session SET \"expiresAt\" = '2099-01-01'",
        ),
        set(
            "another token",
            &format!("session SET id = id || 'x', token = token || 'x' WHERE id = '{session}'"),
            "session SET id = left(id, 32), token = left(token, 32)",
        ),
    ]);
    let mut of_jwt = users.to_vec();
    of_jwt.push(revoked(ALICE));
    let mut of_key = users.to_vec();
    of_key.extend(key_ends(&id));
    let of_table_key = [
        set(
            "disabled",
            "apikey SET enabled = false",
            "apikey SET enabled = true",
        ),
        set(
            "expired",
            "apikey SET \"expiresAt\" = now()",
            "apikey SET \"expiresAt\" = NULL",
        ),
        set(
            "used up",
            "apikey SET remaining = 0",
            "apikey SET remaining = NULL",
        ),
        set(
            "another key",
            "apikey SET id = 'k2', key = 'x' || key",
            "apikey SET id = 'k1', key = ltrim(key, 'x')",
        ),
        set(
            "of an organization",
            "apikey SET \"referenceId\" = (SELECT id FROM shop.organization)",
            &format!("apikey SET \"referenceId\" = '{ALICE}'"),
        ),
    ];
    let of_table_key = [&users[..], &of_table_key[..]].concat();
    let mut all = cases("session of Better Auth", &token, ALICE, &of_session);
    all.extend(cases(
        "API key of Better Auth",
        TABLE_KEY,
        ALICE,
        &of_table_key,
    ));
    let jwt = credential("/tokens/text/alice_long");
    all.extend(cases("JWT of Better Auth", &jwt, ALICE, &of_jwt));
    all.extend(cases("API key of Better Auth's user", &key, ALICE, &of_key));
    Place {
        database,
        cases: all,
        _stack: None,
    }
}

/// Ends each credential between `before` and `after`; then it is valid again. `settled` waits until
/// the change has arrived.
fn each<T>(
    place: &Place,
    mut before: impl FnMut(&Case) -> T,
    mut after: impl FnMut(&Case, T),
    mut settled: impl FnMut(),
) {
    let mut owner = place.database.superuser();
    assert!(place.cases.len() > 10);
    for case in &place.cases {
        // Shown if the test fails.
        println!("{}", case.name);
        let at_hand = before(case);
        owner.run(&case.end);
        settled();
        after(case, at_hand);
        owner.run(&case.undo);
        settled();
    }
}

#[track_caller]
fn assert_refused(case: &Case, error: &DbError) {
    let refused = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
    assert_eq!(error.code(), refused, "{}: {error:?}", case.name);
    let message = error.message();
    assert!(message.contains(" refused: "), "{}: {message}", case.name);
}

#[track_caller]
fn assert_ended(case: &Case, error: &DbError) {
    let refused = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
    assert_eq!(error.code(), refused, "{}: {error:?}", case.name);
    let message = error.message();
    assert_eq!(message, "the session's identity has ended", "{}", case.name);
}

fn places() -> [Place; 2] {
    [
        issuers_in(Server::shared()),
        better_auth_in(Server::shared()),
    ]
}

#[test]
fn a_transaction_keeps_its_identity_and_refuses_the_credential() {
    for place in places() {
        let signed_in = |case: &Case| {
            let mut app = place.database.app();
            app.run("BEGIN");
            assert_eq!(app.sign_in(&case.credential), case.user);
            app
        };
        let after = |case: &Case, mut app: Session| {
            assert_eq!(app.user().as_ref(), Some(&case.user), "{}", case.name);
            app.run("SAVEPOINT s");
            assert_refused(case, &app.sign_in_refused(&case.credential));
            app.run("ROLLBACK TO s");
            assert_eq!(app.user(), None, "{}", case.name);
        };
        each(&place, signed_in, after, || ());
    }
}

#[test]
fn an_old_snapshot_keeps_nothing_valid() {
    for place in places() {
        let began = |_: &Case| {
            let mut app = place.database.app();
            app.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1");
            app
        };
        let after = |case: &Case, mut app: Session| {
            assert_refused(case, &app.sign_in_refused(&case.credential));
        };
        each(&place, began, after, || ());
    }
}

fn open(place: &Place, case: &Case) -> Session {
    let mut app = place.database.app();
    assert_eq!(app.sign_in_for_session(&case.credential), case.user);
    assert_eq!(app.user().as_ref(), Some(&case.user));
    app
}

#[test]
fn an_open_session_ends_at_its_next_transaction_and_stays_ended() {
    for place in places() {
        let mut left = Vec::new();
        let after = |case: &Case, mut app: Session| {
            assert_ended(case, &app.refused("SELECT auth.user_id()", &[]));
            assert_refused(case, &app.sign_in_refused(&case.credential));
            let mut other = open_refused(&place, case);
            assert_eq!(other.user(), None);
            left.push((case.credential.clone(), case.user.clone(), app));
        };
        each(&place, |case| open(&place, case), after, || ());
        for (credential, user, mut app) in left {
            assert_eq!(app.user(), None);
            assert_eq!(app.sign_in_for_session(&credential), user);
        }
    }
}

/// A new session, which the credential does not sign in.
fn open_refused(place: &Place, case: &Case) -> Session {
    let mut app = place.database.app();
    assert_refused(case, &app.sign_in_refused(&case.credential));
    app
}

#[test]
fn an_ended_identity_is_nobody_in_parallel_workers() {
    const QUERY: &str = "SELECT DISTINCT split_part(here(id), ' ', 2) FROM big";
    for place in places() {
        let parallel = |case: &Case| {
            let mut app = open(&place, case);
            app.go_parallel();
            let users = app.values(QUERY, &[]);
            assert_eq!(users, [Some(case.user.clone())], "{}", case.name);
            app
        };
        let after = |case: &Case, mut app: Session| {
            assert_ended(case, &app.refused(QUERY, &[]));
        };
        each(&place, parallel, after, || ());
    }
}

#[test]
fn a_pooled_connection_refuses_the_credential() {
    for place in places() {
        let name = place.database.name();
        let pooler = PgBouncer::start(&Server::shared(), name, 1, "SELECT 1");
        let client = || Session::open(&pooler.server().config("app", name));
        let before = |case: &Case| {
            let mut app = client();
            app.run(&format!(
                "BEGIN; SELECT auth.authenticate('{}'); COMMIT",
                case.credential
            ));
        };
        let after = |case: &Case, (): ()| {
            let mut app = client();
            let again = format!("BEGIN; SELECT auth.authenticate('{}')", case.credential);
            assert_refused(case, &app.run_refused(&again));
            app.run("ROLLBACK");
        };
        each(&place, before, after, || ());
    }
}

#[test]
fn a_standby_ends_what_it_has_replayed() {
    let primary = Cluster::start("");
    let places = [
        issuers_in(primary.server()),
        better_auth_in(primary.server()),
    ];
    let standby = primary.start_standby();
    for place in &places {
        let reader = || Session::open(&standby.server().config("app", place.database.name()));
        let caught_up = || {
            let position = "SELECT pg_current_wal_flush_lsn()::text";
            let position = place.database.superuser().value(position, &[]);
            let mut reader = reader();
            let replayed = "SELECT (pg_last_wal_replay_lsn() >= $1::text::pg_lsn)::text";
            eventually("the standby has caught up", || {
                reader.value(replayed, &[&position]) == Some("true".to_owned())
            });
        };
        caught_up();
        let signed_in = |case: &Case| {
            let mut app = reader();
            assert_eq!(app.sign_in_for_session(&case.credential), case.user);
            app
        };
        let after = |case: &Case, mut app: Session| {
            assert_ended(case, &app.refused("SELECT auth.user_id()", &[]));
            assert_refused(case, &app.sign_in_refused(&case.credential));
        };
        each(place, signed_in, after, caught_up);
    }
}

/// A cluster in which other ways to commit than COMMIT are possible.
fn two_databases() -> (Cluster, World, Database) {
    let cluster = Cluster::start("wal_level = logical\nmax_prepared_transactions = 1");
    let world = World::in_server(cluster.server());
    world.fetch_keys();
    world.superuser().run(
        "UPDATE neon_auth.providers p SET jwks_url = NULL, jwks = c.jwks FROM neon_auth.jwks_cache c",
    );
    let copy = Database::create_in(cluster.server());
    (cluster, world, copy)
}

#[test]
fn a_prepared_revocation_counts_once_it_is_committed() {
    let (_cluster, world, _) = two_databases();
    let user = world.sign_up("prepared");
    let (token, mut app, mut owner) = (world.token_of(&user), world.app(), world.superuser());
    app.sign_in_for_session(&token);
    owner.run(&format!(
        "BEGIN; SELECT neon_auth.revoke_tokens('{user}', 'infinity'); PREPARE TRANSACTION 'r'"
    ));
    assert_eq!(app.sign_in_for_session(&token), user);
    owner.run("COMMIT PREPARED 'r'");
    let error = app.refused("SELECT auth.user_id()", &[]);
    assert_eq!(error.message(), "the session's identity has ended");
    let error = app.sign_in_refused(&token);
    assert_eq!(
        error.message(),
        "JWT refused: the user's credentials were revoked"
    );
}

/// A subscriber's worker fires no triggers of statements, but those of rows.
#[test]
fn a_revocation_that_a_subscriber_receives_counts_there() {
    let (_cluster, world, copy) = two_databases();
    let (mut publisher, mut subscriber) = (world.superuser(), copy.superuser());
    publisher.run(
        "CREATE PUBLICATION ends FOR TABLE neon_auth.providers, neon_auth_internal.revocations",
    );
    publisher.run("SELECT pg_create_logical_replication_slot('ends', 'pgoutput')");
    let address = "SELECT format('host=%s port=%s', current_setting('unix_socket_directories'), current_setting('port'))";
    let address = subscriber.value(address, &[]).expect("it listens");
    // Within one server, the slot has to be there first.
    subscriber.run(&format!(
        "CREATE SUBSCRIPTION ends CONNECTION '{address} user=postgres dbname={}' PUBLICATION ends
           WITH (create_slot = false, slot_name = ends)",
        world.database.name(),
    ));
    let ready =
        "SELECT (count(*) = 2 AND bool_and(srsubstate = 'r'))::text FROM pg_subscription_rel";
    eventually("both tables are copied", || {
        subscriber.value(ready, &[]) == Some("true".to_owned())
    });
    let user = world.sign_up("replicated");
    let token = world.token_of(&user);
    let mut app = copy.app();
    app.sign_in_for_session(&token);
    publisher.run(&format!(
        "SELECT neon_auth.revoke_tokens('{user}', 'infinity')"
    ));
    let revoked = "SELECT count(*)::text FROM neon_auth.revocations";
    eventually("the revocation is there", || {
        subscriber.value(revoked, &[]) == Some("1".to_owned())
    });
    assert_eq!(
        app.sign_in_refused(&token).message(),
        "JWT refused: the user's credentials were revoked"
    );
    subscriber.run("ALTER SUBSCRIPTION ends DISABLE");
    subscriber.run("ALTER SUBSCRIPTION ends SET (slot_name = NONE)");
    subscriber.run("DROP SUBSCRIPTION ends");
}
