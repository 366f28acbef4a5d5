//! A token that a session has seen before is judged by what holds now.

use neon_auth_connections::{World, eventually};
use postgres::error::SqlState;
use serde_json::json;

const REFUSED: &SqlState = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;

#[test]
fn a_token_seen_before_is_refused_once_it_has_expired() {
    let world = World::with_keys();
    world
        .superuser()
        .run("UPDATE neon_auth.providers SET leeway = '0'");
    let user = world.sign_up("brief");
    let token = world.token_for(&user, 3);
    let mut app = world.app();
    app.sign_in_for_session(&token);
    eventually("the token has expired", || {
        app.query("SELECT auth.authenticate($1, false)", &[&token])
            .is_err()
    });
    assert_eq!(app.sign_in_refused(&token).code(), REFUSED);
    assert_eq!(app.user(), None);
}

#[test]
fn a_token_seen_before_is_refused_when_its_key_is_gone() {
    let world = World::with_keys();
    let (token, mut app) = (world.token(), world.app());
    app.sign_in_for_session(&token);
    world.stack.rotate_keys();
    world.fetch_keys();
    assert_eq!(app.sign_in_refused(&token).code(), REFUSED);
}

#[test]
fn a_token_seen_before_is_refused_when_its_provider_has_stricter_rules() {
    let world = World::with_keys();
    let (token, mut app) = (world.token(), world.app());
    app.sign_in_for_session(&token);
    let mut superuser = world.superuser();
    for rule in [
        "audiences = '{another}'",
        "max_lifetime = '1 minute'",
        "typ = 'at+jwt'",
        r#"required_claims = '["absent"]'"#,
        "algorithms = '{RS256}'",
    ] {
        superuser.run("BEGIN");
        superuser.run(&format!("UPDATE neon_auth.providers SET {rule}"));
        app.sign_in_for_session(&token);
        superuser.run("COMMIT");
        assert_eq!(app.sign_in_refused(&token).code(), REFUSED, "{rule}");
        superuser.run(
            "UPDATE neon_auth.providers
                SET max_lifetime = NULL, typ = NULL, required_claims = '{}'",
        );
        world.configure(&mut superuser);
        app.sign_in_for_session(&token);
    }
}

#[test]
fn a_token_seen_before_is_refused_when_its_user_is_deleted() {
    let world = World::with_keys();
    let mut superuser = world.superuser();
    superuser.run("UPDATE neon_auth.providers SET reject_deleted_users = true");
    let user = world.sign_up("deleted");
    let (token, mut app) = (world.token_of(&user), world.app());
    app.sign_in_for_session(&token);
    let object = json!({ "id": user }).to_string();
    superuser
        .execute("SELECT neon_auth.upsert_user($1::text::jsonb)", &[&object])
        .expect("it is a user");
    app.sign_in_for_session(&token);
    superuser
        .execute("SELECT neon_auth.delete_user($1)", &[&user])
        .expect("the user is there");
    assert_eq!(app.sign_in_refused(&token).code(), REFUSED);
    assert_eq!(app.user(), None);
}

#[test]
fn a_token_seen_before_never_signs_in_a_token_that_resembles_it() {
    let world = World::with_keys();
    let (token, mut app) = (world.token(), world.app());
    app.sign_in_for_session(&token);
    let (rest, signature) = token.rsplit_once('.').expect("a token has dots");
    let longer = format!("{token}A");
    let shorter = &token[..token.len() - 1];
    let unsigned = format!("{rest}.");
    let shouted = format!("{rest}.{}", signature.to_uppercase());
    for resembling in [longer.as_str(), shorter, &unsigned, &shouted] {
        assert_eq!(app.sign_in_refused(resembling).code(), REFUSED);
        assert_eq!(app.user(), None);
    }
    app.sign_in_for_session(&token);
}

#[test]
fn more_tokens_than_a_session_remembers_all_sign_in() {
    let world = World::with_keys();
    let mut app = world.app();
    let people: Vec<_> = (0..200)
        .map(|number| {
            let user = world.sign_up(&format!("user-{number}"));
            (world.token_of(&user), user)
        })
        .collect();
    for _ in 0..2 {
        for (token, user) in &people {
            assert_eq!(&app.sign_in_for_session(token), user);
            assert_eq!(app.user().as_ref(), Some(user));
        }
    }
}
