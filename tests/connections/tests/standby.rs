//! A hot standby, which can write nothing.

use neon_auth_connections::{Cluster, Session, World, eventually};
use postgres::error::SqlState;

/// A primary, its standby, and a world in the primary. Fields are dropped in this order.
struct Replicated {
    world: World,
    standby: Cluster,
    _primary: Cluster,
}

impl Replicated {
    /// A primary whose keys are in the cache, and a standby that has caught up with it.
    fn with_keys() -> Self {
        let primary = Cluster::start("");
        let world = World::in_server(primary.server());
        world.fetch_keys();
        let standby = primary.start_standby();
        Self {
            world,
            standby,
            _primary: primary,
        }
    }

    /// An application's connection to the standby.
    fn reader(&self) -> Session {
        let server = self.standby.server();
        let mut session = Session::open(&server.config("app", self.world.database.name()));
        let standby = session.value("SELECT pg_is_in_recovery()::text", &[]);
        assert_eq!(standby, Some("true".to_owned()));
        session
    }

    /// Waits until the standby has all that the primary has committed.
    fn catch_up(&self) {
        let position = "SELECT pg_current_wal_flush_lsn()::text";
        let position = self.world.superuser().value(position, &[]);
        let mut reader = self.reader();
        let replayed = "SELECT (pg_last_wal_replay_lsn() >= $1::text::pg_lsn)::text";
        eventually("the standby has caught up", || {
            reader.value(replayed, &[&position]) == Some("true".to_owned())
        });
    }
}

#[test]
fn a_standby_signs_in_with_the_primarys_keys() {
    let pair = Replicated::with_keys();
    let user = pair.world.sign_up("reader");
    pair.world
        .superuser()
        .execute(
            "INSERT INTO notes (user_id, body) VALUES ($1, 'hers'), ('another', 'not hers')",
            &[&user],
        )
        .expect("the primary takes writes");
    pair.catch_up();
    let mut reader = pair.reader();
    assert!(reader.values("SELECT body FROM notes", &[]).is_empty());
    reader.run("BEGIN");
    assert_eq!(reader.sign_in(&pair.world.token_of(&user)), user);
    let bodies = reader.values("SELECT body FROM notes", &[]);
    assert_eq!(bodies, [Some("hers".to_owned())]);
    reader.run("COMMIT");
    assert_eq!(reader.user(), None);
    assert_eq!(
        reader.sign_in_refused(&pair.world.forged_token()).code(),
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
    assert_eq!(pair.world.fetches(), 0);
}

#[test]
fn a_standby_signs_in_with_api_keys_until_their_revocation_is_replayed() {
    let pair = Replicated::with_keys();
    let user = pair.world.sign_up("owner");
    let mut primary = pair.world.superuser();
    let mirror = "SELECT neon_auth.upsert_user(jsonb_build_object('id', $1::text))::text";
    primary.value(mirror, &[&user]);
    let create = "SELECT neon_auth.create_api_key($1, 'test')";
    let key = primary
        .value(create, &[&user])
        .expect("a key is never NULL");
    pair.catch_up();
    let mut reader = pair.reader();
    assert_eq!(reader.sign_in_for_session(&key), user);
    assert_eq!(reader.user(), Some(user));
    let shown =
        "SELECT valid || ' ' || coalesce(last_used_at::text, 'never') FROM neon_auth.api_keys";
    let server = pair.standby.server();
    let mut administrator = Session::open(&server.config("postgres", pair.world.database.name()));
    assert_eq!(
        administrator.value(shown, &[]),
        Some("true never".to_owned())
    );
    primary.run("SELECT neon_auth.revoke_api_key(id) FROM neon_auth.api_keys");
    pair.catch_up();
    assert_eq!(
        reader.run_refused("SELECT auth.user_id()").message(),
        "the session's identity has ended"
    );
    assert_eq!(
        reader.sign_in_refused(&key).message(),
        "API key refused: the key was revoked"
    );
}

#[test]
fn a_standby_fetches_unknown_keys_into_the_sessions_memory() {
    let pair = Replicated::with_keys();
    pair.world.stack.rotate_keys();
    pair.world.end_cooldown();
    pair.catch_up();
    let token = pair.world.token();
    let mut reader = pair.reader();
    reader.sign_in_for_session(&token);
    reader.sign_in_for_session(&pair.world.token());
    assert_eq!(pair.world.fetches(), 1);
    // Within the cooldown, also on a standby.
    pair.world.stack.rotate_keys();
    reader.sign_in_refused(&pair.world.token());
    assert_eq!(pair.world.fetches(), 1);
}

#[test]
fn a_standby_whose_clock_is_behind_the_primarys_uses_the_keys_that_it_fetched() {
    let pair = Replicated::with_keys();
    pair.world.stack.rotate_keys();
    pair.world.end_cooldown();
    pair.world
        .superuser()
        .run("UPDATE neon_auth.jwks_cache SET fetched_at = clock_timestamp() + interval '30 s'");
    pair.catch_up();
    pair.reader().sign_in_for_session(&pair.world.token());
    assert_eq!(pair.world.fetches(), 1);
}

#[test]
fn a_change_on_the_primary_reaches_open_sessions_of_the_standby() {
    let pair = Replicated::with_keys();
    let token = pair.world.token();
    let mut reader = pair.reader();
    reader.sign_in_for_session(&token);
    let mut superuser = pair.world.superuser();
    superuser.run("SELECT neon_auth.drop_provider('stack')");
    pair.catch_up();
    assert_eq!(
        reader.sign_in_refused(&token).code(),
        &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE
    );
    // And with keys that the standby has to get for itself.
    pair.world.configure(&mut superuser);
    pair.catch_up();
    reader.sign_in_for_session(&token);
    assert_eq!(pair.world.fetches(), 1);
}
