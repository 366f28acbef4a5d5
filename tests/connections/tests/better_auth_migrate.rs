//! The migration from Stack Auth to Better Auth while Stack Auth still writes the mirror: nothing of it arrives
//! afterwards.

use std::thread;

use neon_auth_connections::{SYNC, World, await_lock};
use neon_auth_stack::{Endpoint, NewUser};
use postgres::error::SqlState;
use serde_json::json;

const TABLES: &str = "
CREATE SCHEMA app;
CREATE TABLE app.users (
    id text PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, email_verified boolean NOT NULL,
    created_at timestamptz NOT NULL, updated_at timestamptz NOT NULL);
CREATE TABLE app.sessions (
    id text PRIMARY KEY, expires_at timestamptz NOT NULL, token text NOT NULL UNIQUE, user_id text NOT NULL);";
const MIGRATE: &str =
    "SELECT * FROM neon_auth.migrate_to_better_auth(false, 'https://app.example.com')";
const USERS: &str = "SELECT string_agg(name, ' ' ORDER BY name) FROM neon_auth.users_sync";

#[test]
fn a_webhook_that_waits_for_the_migration_is_refused() {
    let world = World::with_webhooks();
    let mut migrating = world.superuser();
    migrating.run(TABLES);
    migrating.run("SELECT neon_auth.upsert_user('{\"id\": \"u1\", \"display_name\": \"alice\", \"primary_email\": \"a@example.com\"}')");
    let late = json!({ "id": "00000000-0000-4000-8000-000000000002", "display_name": "bob",
                       "primary_email": "b@example.com" });
    let late = world.signed("msg_late", "user.created", late);
    migrating.run("BEGIN");
    migrating.run(MIGRATE);
    let mut delivering = world.superuser();
    let pid = delivering.pid();
    thread::scope(|scope| {
        let delivery = scope.spawn(|| delivering.try_deliver(&late));
        await_lock(&mut world.superuser(), pid);
        migrating.run("COMMIT");
        let refused = delivery.join().expect("no thread panics");
        let refused = refused.expect_err("its service is no longer trusted");
        let code = refused.code().expect("the server refuses it");
        assert_eq!(*code, SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
    });
    assert_eq!(migrating.value(USERS, &[]).as_deref(), Some("alice"));
}

#[test]
fn the_migration_waits_for_a_webhook_that_is_being_applied() {
    let world = World::with_webhooks();
    let mut delivering = world.superuser();
    delivering.run(TABLES);
    let user = json!({ "id": "u1", "display_name": "alice", "primary_email": "a@example.com" });
    delivering.run("BEGIN");
    delivering.deliver(&world.signed("msg_1", "user.created", user));
    let mut migrating = world.superuser();
    let pid = migrating.pid();
    thread::scope(|scope| {
        let migration = scope.spawn(|| migrating.run(MIGRATE));
        await_lock(&mut world.superuser(), pid);
        delivering.run("COMMIT");
        migration.join().expect("no thread panics");
    });
    let moved = "SELECT string_agg(name, ' ') FROM app.users";
    assert_eq!(delivering.value(moved, &[]).as_deref(), Some("alice"));
}

/// Everybody who signs up would wait with it.
#[test]
fn the_migration_does_not_wait_long_for_a_writer() {
    let world = World::new();
    let mut signing_up = world.superuser();
    signing_up.run(TABLES);
    signing_up.run("BEGIN; DELETE FROM app.users");
    let refused = world.superuser().run_refused(MIGRATE);
    assert_eq!(refused.code(), &SqlState::LOCK_NOT_AVAILABLE);
    assert_eq!(
        refused.message(),
        "a table of Better Auth is locked by another transaction"
    );
}

/// A run that went on after the migration would write users of Stack Auth.
#[test]
fn the_migration_waits_for_a_synchronisation() {
    let world = World::new();
    world.superuser().run(TABLES);
    world
        .stack
        .sign_up(NewUser::named("alice", "a@example.com"));
    world.stack.hold(Endpoint::Teams, 0);
    let (mut syncing, mut migrating) = (world.superuser(), world.superuser());
    let pid = migrating.pid();
    thread::scope(|scope| {
        let run = scope.spawn(|| syncing.batch_execute(SYNC));
        world.stack.wait_until_held(Endpoint::Teams);
        let migration = scope.spawn(|| migrating.run(MIGRATE));
        await_lock(&mut world.superuser(), pid);
        world.stack.release(Endpoint::Teams);
        run.join().expect("no thread panics").expect("it succeeds");
        migration.join().expect("no thread panics");
    });
    let moved = "SELECT string_agg(name, ' ') FROM app.users";
    assert_eq!(
        world.superuser().value(moved, &[]).as_deref(),
        Some("alice")
    );
}
