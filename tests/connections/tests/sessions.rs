//! Whom an identity belongs to, and when it ends.

use neon_auth_connections::{World, eventually};
use postgres::error::SqlState;
use serde_json::json;

#[test]
fn an_identity_is_invisible_to_other_connections() {
    let world = World::new();
    let (mut one, mut other) = (world.app(), world.app());
    let user = one.sign_in_for_session(&world.token());
    assert_eq!(one.user(), Some(user));
    assert_eq!(other.user(), None);
    let second = other.sign_in_for_session(&world.token());
    assert_eq!(other.user(), Some(second));
    assert_ne!(one.user(), other.user());
}

#[test]
fn a_session_identity_ends_with_its_connection() {
    let world = World::new();
    let mut first = world.app();
    first.sign_in_for_session(&world.token());
    drop(first);
    assert_eq!(world.app().user(), None);
}

/// An identity is read again after a rollback and in parallel workers, as strictly as the token was.
#[test]
fn a_claim_stays_what_it_is_when_it_is_read_again() {
    let world = World::new();
    let user = world.sign_up("somebody");
    // What serde_json takes for a piece of JSON to be read.
    let meta = json!({"$serde_json::private::RawValue": "{\"admin\": true}"});
    let token = world.token_with(&user, |claims, _| {
        claims.insert("meta".to_owned(), meta.clone());
    });
    let mut app = world.app();
    app.run("BEGIN");
    app.sign_in(&token);
    let claim = "SELECT (auth.claim('meta')::jsonb = $1::text::jsonb)::text";
    let same = Some("true".to_owned());
    assert_eq!(app.value(claim, &[&meta.to_string()]), same);
    app.run("SAVEPOINT s; SELECT auth.logout(); ROLLBACK TO s");
    assert_eq!(app.user(), Some(user));
    assert_eq!(app.value(claim, &[&meta.to_string()]), same);
}

#[test]
fn a_session_identity_outlives_transactions() {
    let world = World::new();
    let mut app = world.app();
    let user = Some(app.sign_in_for_session(&world.token()));
    app.run("BEGIN; COMMIT; BEGIN; ROLLBACK");
    assert_eq!(app.user(), user);
    app.run("BEGIN");
    assert_eq!(
        app.run_refused("SELECT 1/0").code(),
        &SqlState::DIVISION_BY_ZERO
    );
    app.run("ROLLBACK");
    assert_eq!(app.user(), user);
}

#[test]
fn a_session_identity_that_is_rolled_back_was_never_there() {
    let world = World::new();
    let mut app = world.app();
    app.run("BEGIN");
    app.sign_in_for_session(&world.token());
    app.run("ROLLBACK");
    assert_eq!(app.user(), None);
}

#[test]
fn a_local_identity_ends_at_commit() {
    let world = World::new();
    let mut app = world.app();
    app.run("BEGIN");
    let user = app.sign_in(&world.token());
    assert_eq!(app.user(), Some(user));
    app.run("COMMIT");
    assert_eq!(app.user(), None);
}

#[test]
fn a_local_identity_ends_at_rollback() {
    let world = World::new();
    let mut app = world.app();
    app.run("BEGIN");
    app.sign_in(&world.token());
    app.run("ROLLBACK");
    assert_eq!(app.user(), None);
}

#[test]
fn a_local_identity_ends_with_an_error() {
    let world = World::new();
    let mut app = world.app();
    app.run("BEGIN");
    app.sign_in(&world.token());
    app.run_refused("SELECT 1/0");
    app.run("COMMIT");
    assert_eq!(app.user(), None);
}

#[test]
fn a_local_identity_does_not_reach_a_chained_transaction() {
    let world = World::new();
    let mut app = world.app();
    for end in ["COMMIT AND CHAIN", "ROLLBACK AND CHAIN"] {
        app.run("BEGIN");
        app.sign_in(&world.token());
        app.run(end);
        assert_eq!(app.user(), None, "{end}");
        app.run("COMMIT");
    }
}

#[test]
fn a_local_identity_ends_when_a_procedure_commits() {
    let world = World::with_keys();
    world.superuser().run(
        "CREATE PROCEDURE sign_in(token text, OUT inside text, OUT afterwards text)
         LANGUAGE plpgsql AS $$
         BEGIN
             PERFORM auth.authenticate(token);
             inside := auth.user_id();
             COMMIT;
             afterwards := auth.user_id();
         END $$",
    );
    let user = world.sign_up("caller");
    let mut app = world.app();
    let call = "CALL sign_in($1, NULL, NULL)";
    let row = app.query_one(call, &[&world.token_of(&user)]);
    let row = row.expect("the procedure runs");
    assert_eq!(row.get::<_, Option<String>>(0), Some(user));
    assert_eq!(row.get::<_, Option<String>>(1), None);
    assert_eq!(app.user(), None);
}

#[test]
fn a_local_identity_outside_a_transaction_block_ends_with_its_statement() {
    let world = World::new();
    let mut app = world.app();
    app.sign_in(&world.token());
    assert_eq!(app.user(), None);
}

#[test]
fn a_local_identity_lasts_for_all_statements_that_are_sent_at_once() {
    let world = World::new();
    let mut app = world.app();
    let user = world.sign_up("batch");
    let batch = format!(
        "SELECT auth.authenticate('{}');
         INSERT INTO notes (body) VALUES ('hers');
         SELECT body FROM notes",
        world.token_of(&user)
    );
    app.run(&batch);
    assert_eq!(app.user(), None);
    let owner = world.superuser().value("SELECT user_id FROM notes", &[]);
    assert_eq!(owner, Some(user));
}

#[test]
fn a_local_identity_uncovers_the_session_identity_when_it_ends() {
    let world = World::new();
    let mut app = world.app();
    let outer = app.sign_in_for_session(&world.token());
    app.run("BEGIN");
    let inner = app.sign_in(&world.token());
    assert_eq!(app.user(), Some(inner));
    app.run("COMMIT");
    assert_eq!(app.user(), Some(outer));
}

#[test]
fn a_refused_token_leaves_nobody_signed_in_at_any_scope() {
    let world = World::new();
    let mut app = world.app();
    app.sign_in_for_session(&world.token());
    app.run("BEGIN");
    app.sign_in(&world.token());
    app.run("SAVEPOINT before");
    let refusal = app.sign_in_refused(&world.forged_token());
    assert_eq!(
        refusal.code(),
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
    app.run("ROLLBACK TO before");
    assert_eq!(app.user(), None);
    app.run("COMMIT");
    assert_eq!(app.user(), None);
}

#[test]
fn a_refused_token_ends_the_session_identity_outside_a_transaction_block() {
    let world = World::new();
    let mut app = world.app();
    app.sign_in_for_session(&world.token());
    app.sign_in_refused(&world.forged_token());
    assert_eq!(app.user(), None);
    // Nor does the end of anything bring it back.
    app.run("BEGIN; SAVEPOINT s; SELECT auth.user_id(); ROLLBACK TO s; ROLLBACK");
    assert_eq!(app.user(), None);
}

#[test]
fn discard_all_signs_out() {
    let world = World::new();
    let mut app = world.app();
    app.sign_in_for_session(&world.token());
    app.run("DISCARD ALL");
    assert_eq!(app.user(), None);
    let user = app.sign_in_for_session(&world.token());
    assert_eq!(app.user(), Some(user));
}

#[test]
fn a_token_that_runs_out_ends_its_identity_between_two_statements() {
    let world = World::with_keys();
    world
        .superuser()
        .run("UPDATE neon_auth.providers SET leeway = '0'");
    let user = world.sign_up("brief");
    let token = world.token_for(&user, 3);
    let mut app = world.app();
    app.sign_in_for_session(&token);
    assert_eq!(app.user(), Some(user));
    eventually("the reader refuses", || {
        app.query_one("SELECT auth.user_id()", &[]).is_err()
    });
    let refusal = app.refused("SELECT auth.user_id()", &[]);
    assert_eq!(
        refusal.code(),
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
    assert_eq!(
        refusal.message(),
        "the session's identity has expired",
        "{refusal:?}"
    );
    // A policy must not answer either.
    assert_eq!(
        app.refused("SELECT body FROM notes", &[]).code(),
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
    let fresh = app.sign_in_for_session(&world.token());
    assert_eq!(app.user(), Some(fresh));
}
