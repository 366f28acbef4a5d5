//! `add_better_auth` while others use Better Auth's tables: what its owner changes in the meantime is noticed, and
//! no row is missed.

use std::thread;

use neon_auth_connections::{Database, Server, Session, await_lock, together};
use postgres::error::SqlState;

const ADD: &str = "SELECT FROM neon_auth.add_better_auth('https://shop.example.com')";

/// A database with the tables of Better Auth, of role `shop`.
fn database() -> Database {
    let database = Database::create();
    Server::shared().ensure_role("shop", "LOGIN");
    let mut session = database.superuser();
    session.run(
        r#"DELETE FROM neon_auth.providers;
        CREATE SCHEMA shop AUTHORIZATION shop;
        SET ROLE shop;
        CREATE TABLE shop."user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL,
            "emailVerified" boolean NOT NULL, "createdAt" timestamptz NOT NULL DEFAULT now());
        CREATE TABLE shop.session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL,
            token text NOT NULL UNIQUE, "userId" text NOT NULL);"#,
    );
    database
}

/// Calls `add_better_auth` while the owner of the tables holds a transaction open; `meanwhile` runs in it once the
/// call waits for a lock.
fn add_during<R: Send>(
    database: &Database,
    first: &str,
    meanwhile: &str,
    call: impl FnOnce(&mut Session) -> R + Send,
) -> R {
    let mut owner = Session::open(&database.config("shop"));
    owner.run(&format!("BEGIN; {first}"));
    let mut caller = database.superuser();
    let pid = caller.pid();
    thread::scope(|scope| {
        let call = scope.spawn(move || call(&mut caller));
        await_lock(&mut database.superuser(), pid);
        owner.run(&format!("{meanwhile}; COMMIT"));
        call.join().expect("no thread panics")
    })
}

/// The tables that are bound and have our triggers, by the table of bindings and by the catalog.
fn bound(session: &mut Session) -> (Option<String>, Option<String>) {
    let listed = "SELECT string_agg(relation::text, ' ' ORDER BY relation::text)
                    FROM neon_auth_internal.better_auth_tables";
    let triggered = "SELECT string_agg(DISTINCT tgrelid::regclass::text, ' ') FROM pg_trigger
                      WHERE tgfoid = 'neon_auth_internal.better_auth_changed()'::regprocedure";
    (session.value(listed, &[]), session.value(triggered, &[]))
}

#[test]
fn a_table_that_takes_the_place_of_the_found_one_gets_no_trigger() {
    let database = database();
    let refusal = add_during(
        &database,
        "LOCK TABLE shop.session IN ACCESS EXCLUSIVE MODE",
        "ALTER TABLE shop.session RENAME TO former;
         CREATE TABLE shop.session (LIKE shop.former INCLUDING ALL)",
        |caller| caller.run_refused(ADD),
    );
    assert_eq!(refusal.code(), &SqlState::OBJECT_IN_USE);
    assert_eq!(
        refusal.message(),
        "a table of Better Auth has changed in the meantime"
    );
    let mut session = database.superuser();
    assert_eq!(bound(&mut session), (None, None));
    let providers = "SELECT count(*)::text FROM neon_auth.providers";
    assert_eq!(session.value(providers, &[]).as_deref(), Some("0"));
}

/// PostgreSQL locks the tables of a view with it, so the found table is locked, and known by its OID.
#[test]
fn a_view_that_takes_the_place_of_the_found_table_gets_no_trigger() {
    let database = database();
    add_during(
        &database,
        "LOCK TABLE shop.session IN ACCESS EXCLUSIVE MODE",
        "ALTER TABLE shop.session RENAME TO former; CREATE VIEW shop.session AS TABLE shop.former",
        |caller| caller.run(ADD),
    );
    let tables = Some("shop.\"user\" shop.former".to_owned());
    assert_eq!(bound(&mut database.superuser()), (tables.clone(), tables));
}

#[test]
fn a_column_that_is_renamed_meanwhile_is_not_bound() {
    let database = database();
    let refusal = add_during(
        &database,
        "LOCK TABLE shop.session IN ACCESS EXCLUSIVE MODE",
        "ALTER TABLE shop.session RENAME token TO bearer",
        |caller| caller.run_refused(ADD),
    );
    assert_eq!(refusal.code(), &SqlState::OBJECT_IN_USE);
    assert_eq!(bound(&mut database.superuser()), (None, None));
}

/// Every writer of the table waits behind the call, so it does not wait for long.
#[test]
fn a_transaction_that_does_not_end_makes_the_call_fail() {
    let database = database();
    let mut owner = Session::open(&database.config("shop"));
    owner.run("BEGIN; DELETE FROM shop.session");
    let mut caller = database.superuser();
    let refusal = caller.run_refused(ADD);
    assert_eq!(refusal.code(), &SqlState::LOCK_NOT_AVAILABLE);
    assert_eq!(
        refusal.message(),
        "a table of Better Auth is locked by another transaction"
    );
    // The HINT finds that transaction.
    let hint = refusal.hint().expect("it has a hint");
    let query = &hint[hint.find("SELECT").expect("it contains a query")..];
    let query = query.replace(
        "SELECT pid, usename, state, xact_start, query",
        "SELECT pid::text",
    );
    assert_eq!(
        caller.value(query.trim_end_matches(';'), &[]),
        Some(owner.pid().to_string())
    );
    // A table that is bound no longer, too.
    owner.run("COMMIT");
    caller.run(ADD);
    owner.run("CREATE TABLE shop.logins (LIKE shop.session INCLUDING ALL)");
    owner.run("BEGIN; SELECT FROM shop.session");
    let refusal = caller.run_refused(&ADD.replace(")", r#", names => '{"session": "logins"}')"#));
    assert_eq!(refusal.code(), &SqlState::LOCK_NOT_AVAILABLE);
    assert_eq!(
        bound(&mut caller).0.as_deref(),
        Some("shop.\"user\" shop.session")
    );
    owner.run("COMMIT");
}

#[test]
fn calls_at_once_wait_for_each_other() {
    let database = database();
    let calls = together(
        vec![(); 4],
        |()| database.superuser(),
        |mut session| session.run(ADD),
    );
    assert_eq!(calls.len(), 4);
    let tables = Some("shop.\"user\" shop.session".to_owned());
    let (listed, triggered) = bound(&mut database.superuser());
    assert_eq!(listed, tables);
    assert_eq!(triggered, tables);
}
