//! API keys over several connections: how their use is recorded, and what ends them meanwhile.

use std::thread;

use neon_auth_connections::{Cluster, Session, World, eventually};
use postgres::error::SqlState;

const LAST_USE: &str = "SELECT last_used_at::text FROM neon_auth.api_keys WHERE id = $1";
const REVOKE: &str = "SELECT neon_auth.revoke_api_key($1)::text";

/// A world with a user of the mirror, and a key of that user.
struct Keyed {
    world: World,
    user: String,
    key: String,
    id: String,
}

impl Keyed {
    fn new() -> Self {
        Self::of(World::new())
    }

    fn of(world: World) -> Self {
        let user = world.sign_up("owner");
        let mut superuser = world.superuser();
        let mirror = "SELECT neon_auth.upsert_user(jsonb_build_object('id', $1::text))::text";
        superuser.value(mirror, &[&user]);
        let key = create(&mut superuser, &user);
        let id = superuser.value("SELECT id FROM neon_auth.api_keys", &[]);
        Self {
            world,
            user,
            key,
            id: id.expect("there is one key"),
        }
    }

    fn last_use(&self) -> Option<String> {
        self.world.superuser().value(LAST_USE, &[&self.id])
    }

    /// Lets the last recorded use have been so long ago.
    fn used_before(&self, ago: &str) {
        self.world.superuser().run(&format!(
            "UPDATE neon_auth_internal.api_key_uses SET last_used_at = now() - interval '{ago}'"
        ));
    }
}

fn create(session: &mut Session, user: &str) -> String {
    let created = session.value("SELECT neon_auth.create_api_key($1, 'test')", &[&user]);
    created.expect("a key is never NULL")
}

#[test]
fn the_use_of_a_key_is_recorded_once_an_hour() {
    let keyed = Keyed::new();
    let mut app = keyed.world.app();
    assert_eq!(keyed.last_use(), None);
    assert_eq!(app.sign_in_for_session(&keyed.key), keyed.user);
    let first = keyed.last_use();
    assert!(first.is_some());
    app.sign_in_for_session(&keyed.key);
    assert_eq!(keyed.last_use(), first);
    keyed.used_before("59 minutes");
    let within_the_hour = keyed.last_use();
    app.sign_in_for_session(&keyed.key);
    assert_eq!(keyed.last_use(), within_the_hour);
    keyed.used_before("61 minutes");
    let before = keyed.last_use();
    app.sign_in_for_session(&keyed.key);
    assert_ne!(keyed.last_use(), before);
    // Reports about a key are not a use of it.
    keyed.used_before("61 minutes");
    let before = keyed.last_use();
    let mut superuser = keyed.world.superuser();
    for report in [
        "SELECT neon_auth.verify_jwt($1)::text",
        "SELECT detail FROM neon_auth.inspect_jwt($1)",
    ] {
        superuser.values(report, &[&keyed.key]);
    }
    assert_eq!(keyed.last_use(), before);
}

#[test]
fn recording_a_use_never_waits() {
    let keyed = Keyed::new();
    let mut other = keyed.world.superuser();
    other.run("BEGIN; SELECT FROM neon_auth_internal.api_key_uses FOR UPDATE");
    let mut app = keyed.world.app();
    app.run("BEGIN");
    assert_eq!(app.sign_in(&keyed.key), keyed.user);
    app.run("COMMIT");
    assert_eq!(keyed.last_use(), None);
    other.run("COMMIT");
    // Nor for the whole table.
    other.run("BEGIN; LOCK TABLE neon_auth_internal.api_key_uses IN SHARE MODE");
    app.sign_in_for_session(&keyed.key);
    assert_eq!(keyed.last_use(), None);
    other.run("COMMIT");
    app.sign_in_for_session(&keyed.key);
    assert!(keyed.last_use().is_some());
}

#[test]
fn recording_a_use_fails_no_transaction() {
    let keyed = Keyed::new();
    let mut app = keyed.world.app();
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        app.run(&format!("BEGIN ISOLATION LEVEL {level}"));
        app.run("SELECT count(*) FROM notes");
        // The row that would be written is not the one that the transaction sees.
        keyed.used_before("2 hours");
        let before = keyed.last_use();
        assert_eq!(app.sign_in(&keyed.key), keyed.user);
        assert_eq!(app.user(), Some(keyed.user.clone()));
        app.run("INSERT INTO notes (body) VALUES ('hers')");
        app.run("COMMIT");
        assert_eq!(keyed.last_use(), before, "{level}");
    }
    keyed.used_before("2 hours");
    let before = keyed.last_use();
    app.run("BEGIN READ ONLY");
    assert_eq!(app.sign_in(&keyed.key), keyed.user);
    app.run("COMMIT");
    assert_eq!(keyed.last_use(), before);
}

/// A sign-in that is recorded locks a row until its transaction ends.
#[test]
fn an_open_transaction_of_a_key_does_not_keep_it_alive() {
    let keyed = Keyed::new();
    let (mut app, mut superuser) = (keyed.world.app(), keyed.world.superuser());
    app.run("BEGIN");
    app.sign_in(&keyed.key);
    assert_eq!(
        app.value(
            "SELECT (pg_current_xact_id_if_assigned() IS NOT NULL)::text",
            &[]
        ),
        Some("true".to_owned())
    );
    superuser.run("SET lock_timeout = '1ms'");
    assert_eq!(
        superuser.value(REVOKE, &[&keyed.id]),
        Some("true".to_owned())
    );
    app.run("COMMIT");
    assert_eq!(
        app.sign_in_refused(&keyed.key).message(),
        "API key refused: the key was revoked"
    );
    let second = create(&mut superuser, &keyed.user);
    app.run("BEGIN");
    app.sign_in(&second);
    superuser.value("SELECT neon_auth.erase_user($1)::text", &[&keyed.user]);
    app.run("COMMIT");
    assert_eq!(
        app.sign_in_refused(&second).message(),
        "API key refused: the key does not exist"
    );
}

#[test]
fn a_revocation_counts_whatever_snapshot_a_transaction_has() {
    let keyed = Keyed::new();
    let mut app = keyed.world.app();
    app.run("BEGIN ISOLATION LEVEL REPEATABLE READ");
    app.run("SELECT count(*) FROM notes");
    keyed.world.superuser().value(REVOKE, &[&keyed.id]);
    let refusal = app.sign_in_refused(&keyed.key);
    assert_eq!(refusal.message(), "API key refused: the key was revoked");
    assert_eq!(
        refusal.code(),
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
    app.run("ROLLBACK");
}

#[test]
fn a_revocation_that_is_rolled_back_did_not_happen() {
    let keyed = Keyed::new();
    let (mut app, mut superuser) = (keyed.world.app(), keyed.world.superuser());
    app.sign_in_for_session(&keyed.key);
    superuser.run("BEGIN");
    superuser.value(REVOKE, &[&keyed.id]);
    assert_eq!(app.user(), Some(keyed.user.clone()));
    superuser.run("ROLLBACK");
    assert_eq!(app.user(), Some(keyed.user.clone()));
    superuser.value(REVOKE, &[&keyed.id]);
    assert_eq!(
        app.run_refused("SELECT auth.user_id()").message(),
        "the session's identity has ended"
    );
}

/// Erasing deletes the keys that it sees.
#[test]
fn a_key_is_not_created_while_its_owner_is_erased() {
    let keyed = Keyed::new();
    let mut eraser = keyed.world.superuser();
    eraser.run("BEGIN");
    eraser.value("SELECT neon_auth.erase_user($1)::text", &[&keyed.user]);
    let (mut creator, user) = (keyed.world.superuser(), keyed.user.clone());
    let pid = creator.pid();
    let creation = thread::spawn(move || {
        creator.refused("SELECT neon_auth.create_api_key($1, 'late')", &[&user])
    });
    let waits = "SELECT count(*)::text FROM pg_locks WHERE pid = $1 AND NOT granted";
    let mut watcher = keyed.world.superuser();
    eventually("the creation waits", || {
        watcher.value(waits, &[&pid]) == Some("1".to_owned())
    });
    eraser.run("COMMIT");
    let refusal = creation.join().expect("the thread ends");
    assert_eq!(refusal.message(), "the API key cannot be created");
    let left = watcher.value(
        "SELECT count(*)::text FROM neon_auth_internal.api_keys",
        &[],
    );
    assert_eq!(left, Some("0".to_owned()));
}

#[test]
fn parallel_workers_have_the_bounds_of_the_key() {
    let keyed = Keyed::new();
    let mut superuser = keyed.world.superuser();
    superuser.run(
        "CREATE TABLE big AS SELECT generate_series(1, 20000) AS id;
         ALTER TABLE big SET (parallel_workers = 2);
         ANALYZE big;
         CREATE FUNCTION here(id integer) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE
         AS $$ BEGIN RETURN pg_backend_pid() || format(' %s %s %s', auth.has_permission('reader', 't1'), auth.has_permission('editor', 't1'), auth.team_ids()); END $$;
         GRANT SELECT ON big TO app;
         INSERT INTO neon_auth.team_members_sync (team_id, user_id) SELECT t, id FROM neon_auth.users_sync, unnest('{t1,t2}'::text[]) AS t;
         INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) SELECT 't1', id, p FROM neon_auth.users_sync, unnest('{reader,editor}'::text[]) AS p",
    );
    let bounded = "SELECT neon_auth.create_api_key($1, 'bounded', NULL, '{reader}', 't1')";
    let bounded = superuser
        .value(bounded, &[&keyed.user])
        .expect("a key is never NULL");
    let mut app = keyed.world.app();
    app.go_parallel();
    for (key, bounds) in [(&keyed.key, "t t {t1,t2}"), (&bounded, "t f {t1}")] {
        app.sign_in_for_session(key);
        let leader = app.pid().to_string();
        eventually("a query gets workers", || {
            let seen = app.values("SELECT DISTINCT here(id) FROM big", &[]);
            let seen: Vec<_> = seen
                .iter()
                .flatten()
                .filter_map(|line| line.split_once(' '))
                .collect();
            assert!(seen.iter().all(|(_, found)| *found == bounds), "{seen:?}");
            seen.iter().any(|(pid, _)| *pid != leader)
        });
    }
}

#[test]
fn a_copy_of_the_database_takes_the_same_keys() {
    let keyed = Keyed::new();
    let copy = keyed.world.database.copy();
    let mut app = copy.app();
    assert_eq!(app.sign_in_for_session(&keyed.key), keyed.user);
    // Revoked only there.
    copy.superuser().value(REVOKE, &[&keyed.id]);
    app.sign_in_refused(&keyed.key);
    assert_eq!(
        keyed.world.app().sign_in_for_session(&keyed.key),
        keyed.user
    );
}

#[test]
fn keys_are_counted_apart_from_tokens() {
    let cluster = Cluster::with_workers("");
    let keyed = Keyed::of(World::in_server(cluster.server()));
    let mut app = keyed.world.app();
    app.sign_in_for_session(&keyed.key);
    app.sign_in_refused("nak_");
    keyed.world.superuser().value(REVOKE, &[&keyed.id]);
    app.sign_in_refused(&keyed.key);
    let counted = "SELECT string_agg(counter || ' ' || value, ', ' ORDER BY counter COLLATE \"C\")
                     FROM neon_auth.stats
                    WHERE counter ~ '^(api_keys|tokens)_(accepted|refused)$' OR counter ~ '^refused_' AND value > 0";
    assert_eq!(
        keyed.world.superuser().value(counted, &[]).as_deref(),
        Some(
            "api_keys_accepted 1, api_keys_refused 2, refused_ended 1, refused_form 1, tokens_accepted 0, tokens_refused 0"
        )
    );
}
