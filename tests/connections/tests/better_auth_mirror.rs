//! The mirror of Better Auth when transactions of the application, which owns the tables, are concurrent, and when it
//! cannot be written: no write of the application fails, and no right outlives its row.

use std::thread;

use neon_auth_connections::{BetterAuth, Cluster, Session, await_lock, eventually};
use postgres::error::SqlState;

const USERS: &str = r#"INSERT INTO ba."user" (id, name, email, "emailVerified")
                       SELECT id, id, id || '@example.com', true FROM unnest('{a,b,c}'::text[]) AS id"#;
const MEMBERSHIP: &str = "SELECT count(*)::text FROM neon_auth.team_members_sync";

/// Three users and an organization, in which two rows make one of them a member.
fn populated() -> BetterAuth {
    let world = BetterAuth::new();
    // A wait for a lock of the mirror ends before this, and here it must last until the other has gone on.
    world.database.set("deadlock_timeout", "30s");
    world.app().run(&format!(
        "{USERS};
         INSERT INTO ba.organization VALUES ('o', 'Org');
         INSERT INTO ba.member VALUES ('m1', 'o', 'a', 'member'), ('m2', 'o', 'a', 'editor');
         INSERT INTO ba.\"organizationRole\" VALUES ('r', 'o', 'editor', '{{\"page\": [\"write\"]}}')"
    ));
    assert_settled(&world);
    world
}

#[track_caller]
fn assert_settled(world: &BetterAuth) {
    assert_eq!(world.gaps("count(*)").as_deref(), Some("0"));
    assert_eq!(world.differences(), Vec::<String>::new());
}

/// Runs a statement of a second session that waits for the first, whose transaction then ends.
fn beside(world: &BetterAuth, first: &str, end: &str, second: &str) {
    let mut one = world.app();
    one.run(&format!("BEGIN; {first}"));
    let mut other = world.app();
    let pid = other.pid();
    thread::scope(|scope| {
        let waiting = scope.spawn(move || other.run(second));
        await_lock(&mut world.superuser(), pid);
        one.run(end);
        waiting.join().expect("the second statement succeeds");
    });
}

#[test]
fn two_transactions_that_delete_the_two_rows_of_a_membership_leave_none() {
    let world = populated();
    beside(
        &world,
        "DELETE FROM ba.member WHERE id = 'm1'",
        "COMMIT",
        "DELETE FROM ba.member WHERE id = 'm2'",
    );
    assert_eq!(
        world.superuser().value(MEMBERSHIP, &[]).as_deref(),
        Some("0")
    );
    assert_settled(&world);
}

#[test]
fn a_deletion_that_is_rolled_back_leaves_the_membership_to_the_other_row() {
    let world = populated();
    beside(
        &world,
        "DELETE FROM ba.member WHERE id = 'm1'",
        "ROLLBACK",
        "DELETE FROM ba.member WHERE id = 'm2'",
    );
    assert_eq!(
        world.superuser().value(MEMBERSHIP, &[]).as_deref(),
        Some("1")
    );
    assert_settled(&world);
}

#[test]
fn a_member_who_is_added_while_a_role_changes_gets_what_the_role_is_then() {
    let role = |permission: &str| {
        format!(r#"UPDATE ba."organizationRole" SET permission = '{{"page": ["{permission}"]}}'"#)
    };
    let add = "INSERT INTO ba.member VALUES ('m3', 'o', 'b', 'editor')";
    for (first, second) in [
        (role("read"), add.to_owned()),
        (add.to_owned(), role("read")),
    ] {
        let world = populated();
        beside(&world, &first, "COMMIT", &second);
        let permissions = "SELECT string_agg(permission_id, ' ' ORDER BY permission_id)
                             FROM neon_auth.team_permissions_sync WHERE user_id = 'b'";
        let permissions = world.superuser().value(permissions, &[]);
        assert_eq!(permissions.as_deref(), Some("editor page:read"));
        assert_settled(&world);
    }
}

/// Calls sync() while a transaction of the application is open, which then commits.
fn sync_beside(world: &BetterAuth, first: &str) {
    let mut app = world.app();
    app.run(&format!("BEGIN; {first}"));
    world.sync();
    assert!(!world.is_ok("mirror"));
    app.run("COMMIT");
    assert_eq!(world.differences(), Vec::<String>::new());
    world.sync();
}

#[test]
fn sync_does_not_undo_what_a_transaction_was_writing() {
    let world = populated();
    let stale = "UPDATE neon_auth.users_sync SET raw_json = raw_json || '{\"display_name\": \"stale\"}' WHERE id = 'a'";
    world.superuser().run(stale);
    sync_beside(
        &world,
        r#"UPDATE ba."user" SET name = 'new' WHERE id = 'a'"#,
    );
    assert_settled(&world);
}

#[test]
fn sync_does_not_bring_back_a_user_whom_a_transaction_was_deleting() {
    let world = populated();
    world
        .superuser()
        .run("DELETE FROM neon_auth.users_sync WHERE id = 'c'");
    sync_beside(&world, r#"DELETE FROM ba."user" WHERE id = 'c'"#);
    assert_settled(&world);
}

#[test]
fn sync_does_not_bring_back_a_membership_that_a_transaction_was_deleting() {
    let world = populated();
    world
        .superuser()
        .run("DELETE FROM neon_auth.team_members_sync");
    sync_beside(&world, "DELETE FROM ba.member");
    assert_eq!(
        world.superuser().value(MEMBERSHIP, &[]).as_deref(),
        Some("0")
    );
    assert_settled(&world);
}

#[test]
fn a_deadlock_with_the_mirror_does_not_fail_the_application() {
    let world = populated();
    world.database.set("deadlock_timeout", "1s");
    let mut one = world.app();
    let mut other = world.app();
    let other_pid = other.pid();
    // It holds the row of the membership in the mirror; the other one holds m2 and waits for that row.
    one.run("BEGIN; DELETE FROM ba.member WHERE id = 'm1'");
    thread::scope(|scope| {
        let other = scope.spawn(move || {
            other.run("BEGIN; DELETE FROM ba.member WHERE id = 'm2'");
            other
        });
        await_lock(&mut world.superuser(), other_pid);
        let one = scope
            .spawn(move || one.run("UPDATE ba.member SET role = 'owner' WHERE id = 'm2'; COMMIT"));
        eventually("the other one goes on", || other.is_finished());
        other.join().expect("it succeeds").run("COMMIT");
        one.join().expect("it succeeds");
    });
    assert!(!world.is_ok("mirror"));
    world.sync();
    assert!(world.is_ok("mirror"));
    assert_eq!(
        world.superuser().value(MEMBERSHIP, &[]).as_deref(),
        Some("0")
    );
    assert_settled(&world);
}

/// Signs a user up while a table of the mirror is locked.
fn sign_up_while_locked(world: &BetterAuth, tables: &str) {
    let mut locker = world.superuser();
    locker.run(&format!(
        "BEGIN; LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE"
    ));
    world.app().run(USERS);
    locker.run("COMMIT");
    let users = world
        .app()
        .value(r#"SELECT count(*)::text FROM ba."user""#, &[]);
    assert_eq!(users.as_deref(), Some("3"));
}

#[test]
fn a_sign_up_succeeds_while_the_mirror_is_locked_and_status_says_what_it_lacks() {
    let world = BetterAuth::new();
    world.database.set("deadlock_timeout", "100ms");
    sign_up_while_locked(&world, "neon_auth.users_sync");
    assert_eq!(world.differences().len(), 3);
    assert_eq!(
        world
            .gaps("string_agg(concat_ws(' ', what, id, reason), '; ' ORDER BY id)")
            .as_deref(),
        Some(
            "user a canceling statement due to lock timeout; user b canceling statement due to lock timeout; \
             user c canceling statement due to lock timeout"
        )
    );
    assert!(!world.is_ok("mirror"));
    world.sync();
    assert!(world.is_ok("mirror"));
    assert_settled(&world);
}

#[test]
fn a_gap_that_cannot_be_recorded_is_counted_and_repaired() {
    let world = BetterAuth::new();
    world.database.set("deadlock_timeout", "100ms");
    sign_up_while_locked(
        &world,
        "neon_auth.users_sync, neon_auth_internal.mirror_gaps",
    );
    assert_eq!(world.differences().len(), 3);
    assert_eq!(world.gaps("count(*)").as_deref(), Some("0"));
    assert!(!world.is_ok("mirror"));
    world.sync();
    assert!(world.is_ok("mirror"));
    assert_settled(&world);
}

#[test]
fn a_change_of_a_transaction_that_was_open_when_sync_began_is_not_taken_for_repaired() {
    let world = BetterAuth::new();
    world.database.set("deadlock_timeout", "100ms");
    let mut app = world.app();
    let mut locker = world.superuser();
    locker.run("BEGIN; LOCK TABLE neon_auth.users_sync, neon_auth_internal.mirror_gaps IN ACCESS EXCLUSIVE MODE");
    app.run(&format!("BEGIN; {USERS}"));
    locker.run("COMMIT");
    let mut caller = world.superuser();
    thread::scope(|scope| {
        let run = scope.spawn(move || caller.run("CALL neon_auth.sync()"));
        // It has begun, and waits for the transaction.
        let begun = "SELECT count(*) > 0 FROM neon_auth.sync_runs";
        let begun = format!("SELECT ({begun})::text");
        let mut observer = world.superuser();
        eventually("the run begins", || {
            observer.value(&begun, &[]).as_deref() == Some("true")
        });
        app.run("COMMIT");
        run.join().expect("sync() succeeds");
    });
    assert!(world.is_ok("mirror"));
    assert_settled(&world);
}

#[test]
fn a_cancel_ends_the_statement_and_undoes_it() {
    let world = BetterAuth::new();
    world.database.set("deadlock_timeout", "30s");
    let mut locker = world.superuser();
    locker.run("BEGIN; LOCK TABLE neon_auth.users_sync IN ACCESS EXCLUSIVE MODE");
    let mut app = world.app();
    let pid = app.pid();
    let refusal = thread::scope(|scope| {
        let statement = scope.spawn(move || app.run_refused(USERS));
        let mut observer = world.superuser();
        await_lock(&mut observer, pid);
        observer.run(&format!("SELECT pg_cancel_backend({pid})"));
        statement.join().expect("no thread panics")
    });
    assert_eq!(refusal.code(), &SqlState::QUERY_CANCELED);
    locker.run("ROLLBACK");
    assert_settled(&world);
}

#[test]
fn a_worker_repairs_the_mirror() {
    let cluster = Cluster::with_workers("deadlock_timeout = 100ms");
    let world = BetterAuth::in_server(cluster.server());
    sign_up_while_locked(&world, "neon_auth.users_sync");
    eventually("a worker repairs the mirror", || {
        world.differences().is_empty()
    });
    eventually("status says so", || world.is_ok("mirror"));
    let changed = "SELECT sum(changed)::text FROM neon_auth.sync_runs";
    let changed = world.superuser().value(changed, &[]);
    assert_eq!(changed.as_deref(), Some("3"));
}

#[test]
fn writers_at_every_isolation_level_are_followed() {
    for level in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let world = populated();
        let mut session = world.app();
        session.run(&format!(
            "BEGIN ISOLATION LEVEL {level}; SELECT FROM ba.\"user\""
        ));
        // Committed by another one after this one's snapshot.
        world
            .app()
            .run(r#"UPDATE ba."user" SET name = 'other' WHERE id = 'b'"#);
        session.run(
            r#"INSERT INTO ba."user" (id, name, email, "emailVerified") VALUES ('d', 'd', 'd', true);
               UPDATE ba."user" SET name = 'mine' WHERE id = 'a';
               DELETE FROM ba.member WHERE id = 'm1';
               COMMIT"#,
        );
        assert_settled(&world);
    }
}

/// In an old snapshot the row of the mirror cannot be written, although the application's row can.
#[test]
fn a_snapshot_that_is_too_old_for_the_mirror_leaves_a_gap() {
    let world = populated();
    let mut session: Session = world.app();
    session.run("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM ba.member");
    world.app().run("DELETE FROM ba.member WHERE id = 'm1'; INSERT INTO ba.member VALUES ('m1', 'o', 'a', 'owner')");
    session.run("UPDATE ba.member SET role = 'admin' WHERE id = 'm2'; COMMIT");
    if !world.differences().is_empty() {
        assert!(!world.is_ok("mirror"));
    }
    world.sync();
    assert_settled(&world);
}

#[test]
fn merge_is_followed() {
    const MERGE: &str = r#"MERGE INTO ba."user" u USING unnest('{a,b,d}'::text[]) AS given(id) ON u.id = given.id
        WHEN MATCHED AND u.id = 'a' THEN DELETE
        WHEN MATCHED THEN UPDATE SET name = 'merged'
        WHEN NOT MATCHED THEN INSERT (id, name, email, "emailVerified") VALUES (given.id, 'merged', given.id, true)"#;
    let world = populated();
    let mut app = world.app();
    let version = app.value("SELECT current_setting('server_version_num')", &[]);
    if version.is_some_and(|version| version.starts_with("14")) {
        assert_eq!(app.run_refused(MERGE).code(), &SqlState::SYNTAX_ERROR);
        return;
    }
    app.run(MERGE);
    let users =
        "SELECT string_agg(concat_ws(' ', id, name), ', ' ORDER BY id) FROM neon_auth.users_sync
                  WHERE deleted_at IS NULL";
    let users = world.superuser().value(users, &[]);
    assert_eq!(users.as_deref(), Some("b merged, c c, d merged"));
    assert_settled(&world);
}
