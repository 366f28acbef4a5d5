//! Changes of providers, and the sessions that are open meanwhile.

use neon_auth_connections::{Cluster, Database, World, eventually};
use postgres::error::SqlState;

const REFUSED: &SqlState = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;
const NO_PROVIDER: &SqlState = &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE;

#[test]
fn a_dropped_provider_counts_no_longer_in_an_open_session() {
    let world = World::with_keys();
    let (token, mut app) = (world.token(), world.app());
    app.sign_in_for_session(&token);
    world
        .superuser()
        .run("SELECT neon_auth.drop_provider('stack')");
    assert_eq!(app.sign_in_refused(&token).code(), NO_PROVIDER);
}

#[test]
fn a_changed_provider_counts_at_an_open_sessions_next_statement() {
    let world = World::with_keys();
    let (token, mut app) = (world.token(), world.app());
    app.sign_in_for_session(&token);
    let mut superuser = world.superuser();
    superuser.run("UPDATE neon_auth.providers SET audiences = '{another}'");
    assert_eq!(app.sign_in_refused(&token).code(), REFUSED);
    world.configure(&mut superuser);
    app.sign_in_for_session(&token);
}

/// Whether a transaction of this isolation level takes note of a provider that is dropped
/// after the transaction's first statement.
fn drop_is_noticed_in(level: &str) {
    let world = World::with_keys();
    let (token, mut app) = (world.token(), world.app());
    app.run(&format!("BEGIN ISOLATION LEVEL {level}"));
    app.sign_in(&token);
    world
        .superuser()
        .run("SELECT neon_auth.drop_provider('stack')");
    assert_eq!(app.sign_in_refused(&token).code(), NO_PROVIDER);
}

#[test]
fn a_change_counts_inside_a_transaction_that_began_before_it() {
    drop_is_noticed_in("READ COMMITTED");
}

#[test]
fn a_change_counts_inside_a_transaction_with_an_older_snapshot() {
    drop_is_noticed_in("REPEATABLE READ");
    drop_is_noticed_in("SERIALIZABLE");
}

#[test]
fn a_change_that_is_not_committed_counts_in_its_own_session_alone() {
    let world = World::with_keys();
    let (token, mut app, mut changer) = (world.token(), world.app(), world.superuser());
    app.sign_in_for_session(&token);
    changer.sign_in_for_session(&token);
    changer.run("BEGIN; SELECT neon_auth.drop_provider('stack'); SAVEPOINT s");
    assert_eq!(changer.sign_in_refused(&token).code(), NO_PROVIDER);
    changer.run("ROLLBACK TO s");
    app.sign_in_for_session(&token);
    changer.run("ROLLBACK");
    app.sign_in_for_session(&token);
    changer.sign_in_for_session(&token);
}

#[test]
fn a_change_in_a_savepoint_that_is_rolled_back_counts_no_longer() {
    let world = World::with_keys();
    let (token, mut changer) = (world.token(), world.superuser());
    changer.run("BEGIN; SAVEPOINT s; SELECT neon_auth.drop_provider('stack'); SAVEPOINT t");
    assert_eq!(changer.sign_in_refused(&token).code(), NO_PROVIDER);
    changer.run("ROLLBACK TO s");
    changer.sign_in(&token);
    changer.run("COMMIT");
}

#[test]
fn a_provider_that_is_not_committed_works_in_its_own_transaction() {
    let world = World::new();
    let token = world.token();
    let mut changer = world.superuser();
    changer.run("DELETE FROM neon_auth.providers");
    changer.run("BEGIN");
    world.configure(&mut changer);
    changer.sign_in(&token);
    assert_eq!(world.fetches(), 1);
    assert_eq!(world.app().sign_in_refused(&token).code(), NO_PROVIDER);
    changer.run("ROLLBACK");
    assert_eq!(changer.sign_in_refused(&token).code(), NO_PROVIDER);
}

#[test]
fn a_provider_committed_after_it_was_used_serves_everybody() {
    let world = World::new();
    let token = world.token();
    let mut changer = world.superuser();
    changer.run("DELETE FROM neon_auth.providers");
    changer.run("BEGIN");
    world.configure(&mut changer);
    changer.sign_in(&token);
    changer.run("COMMIT");
    changer.sign_in_for_session(&token);
    world.app().sign_in_for_session(&token);
}

#[test]
fn a_change_of_the_row_that_is_not_committed_does_not_hold_up_a_fetch() {
    let world = World::new();
    let mut changer = world.superuser();
    changer.run("BEGIN; UPDATE neon_auth.providers SET leeway = '10 s'");
    let mut app = world.app();
    app.run("SET statement_timeout = '10s'");
    app.sign_in_for_session(&world.token());
    changer.sign_in(&world.token());
    changer.run("COMMIT");
}

#[test]
fn a_read_only_transaction_signs_in_and_fetches() {
    let world = World::new();
    let mut app = world.app();
    app.run("BEGIN READ ONLY");
    let user = app.sign_in(&world.token());
    assert_eq!(app.user(), Some(user));
    app.run("COMMIT");
    assert_eq!(world.fetches(), 1);
    world.app().sign_in_for_session(&world.token());
    assert_eq!(world.fetches(), 1);
}

#[test]
fn keys_of_another_url_count_no_longer() {
    let world = World::with_keys();
    let successor = World::new();
    successor.stack.rotate_keys();
    let (token, mut app) = (world.token(), world.app());
    app.sign_in_for_session(&token);
    let url = successor.stack.keys_response()["jwks_url"].to_string();
    world.superuser().run(&format!(
        "UPDATE neon_auth.providers SET jwks_url = '{}'",
        url.trim_matches('"')
    ));
    // At once, and with one look at the new place: the old keys say nothing there.
    assert_eq!(app.sign_in_refused(&token).code(), REFUSED);
    assert_eq!(successor.fetches(), 1);
    assert_eq!(world.fetches(), 0);
    world.stack.rotate_keys();
    app.sign_in_for_session(&world.token());
}

#[test]
fn two_databases_share_nothing() {
    let (one, other) = (World::with_keys(), Database::create());
    let mut stranger = other.app();
    assert_eq!(stranger.sign_in_refused(&one.token()).code(), NO_PROVIDER);
}

/// Its worker fires no triggers of statements, but those of rows.
#[test]
fn a_session_of_a_subscriber_hears_of_a_provider_that_is_dropped() {
    let cluster = Cluster::start("wal_level = logical");
    let world = World::in_server(cluster.server());
    world.fetch_keys();
    let mut publisher = world.superuser();
    publisher.run(
        "UPDATE neon_auth.providers p SET jwks_url = NULL, jwks = c.jwks FROM neon_auth.jwks_cache c;
         CREATE PUBLICATION trust FOR TABLE neon_auth.providers",
    );
    publisher.run("SELECT pg_create_logical_replication_slot('trust', 'pgoutput')");
    let copy = Database::create_in(cluster.server());
    let mut subscriber = copy.superuser();
    let address = "SELECT format('host=%s port=%s', current_setting('unix_socket_directories'), current_setting('port'))";
    let address = subscriber.value(address, &[]).expect("it listens");
    // Within one server, the slot has to be there first.
    subscriber.run(&format!(
        "CREATE SUBSCRIPTION trust CONNECTION '{address} user=postgres dbname={}' PUBLICATION trust
           WITH (create_slot = false, slot_name = trust)",
        world.database.name(),
    ));
    let providers = "SELECT count(*)::text FROM neon_auth.providers";
    eventually("the provider is there", || {
        subscriber.value(providers, &[]) == Some("1".to_owned())
    });
    let mut app = copy.app();
    let token = world.token();
    app.sign_in_for_session(&token);
    publisher.run("SELECT neon_auth.drop_provider('stack')");
    eventually("the provider is gone", || {
        subscriber.value(providers, &[]) == Some("0".to_owned())
    });
    let refusal = app.sign_in_refused(&token);
    assert_eq!(refusal.code(), NO_PROVIDER);
    subscriber.run("ALTER SUBSCRIPTION trust DISABLE");
    subscriber.run("ALTER SUBSCRIPTION trust SET (slot_name = NONE)");
    subscriber.run("DROP SUBSCRIPTION trust");
}

/// Two who write at once wait for one another, and neither fails: a deadlock would end one of them.
#[test]
fn writers_of_tables_that_are_checked_as_a_whole_take_turns() {
    let world = World::new();
    for statement in [
        "UPDATE neon_auth.providers SET leeway = '10 s'",
        "UPDATE neon_auth.permission_definitions SET description = 'new'",
    ] {
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let mut session = world.superuser();
                scope.spawn(move || {
                    for _ in 0..25 {
                        session.run(statement);
                    }
                });
            }
        });
    }
}
