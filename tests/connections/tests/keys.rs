//! When keys are fetched, whom they serve, and when they stop counting.

use neon_auth_connections::World;
use neon_auth_stack::Fault;
use postgres::error::SqlState;

/// Refused for what the token is; the want of keys is `SYSTEM_ERROR`.
const REFUSED: &SqlState = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;

#[test]
fn the_first_token_fetches_the_keys_once() {
    let world = World::new();
    assert_eq!(world.fetches(), 0);
    let (mut app, mut another) = (world.app(), world.app());
    for session in [&mut app, &mut another] {
        for _ in 0..3 {
            session.sign_in_for_session(&world.token());
        }
    }
    assert_eq!(world.fetches(), 1);
}

#[test]
fn fetched_keys_serve_sessions_to_come() {
    let world = World::new();
    world.app().sign_in_for_session(&world.token());
    world.break_key_server(Fault::Reset);
    world.app().sign_in_for_session(&world.token());
    assert_eq!(world.fetches(), 1);
    assert_eq!(
        world.cached("jsonb_array_length(jwks -> 'keys')"),
        Some("6".to_owned())
    );
    assert_eq!(world.cached("last_error"), None);
}

#[test]
fn keys_outlast_the_refusal_of_the_token_that_fetched_them() {
    let world = World::new();
    let mut app = world.app();
    app.run("BEGIN");
    assert_eq!(app.sign_in_refused(&world.forged_token()).code(), REFUSED);
    app.run("ROLLBACK");
    world.app().sign_in_for_session(&world.token());
    assert_eq!(world.fetches(), 1);
}

#[test]
fn a_token_with_an_unknown_key_fetches_once_and_succeeds_after_a_rotation() {
    let world = World::with_keys();
    let mut app = world.app();
    app.sign_in_for_session(&world.token());
    world.stack.rotate_keys();
    world.end_cooldown();
    app.sign_in_for_session(&world.token());
    world.app().sign_in_for_session(&world.token());
    assert_eq!(world.fetches(), 1);
}

/// A refresh of the keys for their age says nothing about a key that is newer than that.
#[test]
fn an_unknown_key_is_fetched_right_after_a_scheduled_refresh() {
    let world = World::with_keys();
    world.outdate_keys(1);
    world.app().sign_in_for_session(&world.token());
    assert_eq!((world.fetches(), world.cached("missed_at")), (1, None));
    world.stack.rotate_keys();
    world.app().sign_in_for_session(&world.token());
    assert_eq!(world.fetches(), 2);
    // Nor does a refresh that was asked for, while one for an unknown key counts.
    world.stack.rotate_keys();
    let token = world.token();
    assert_eq!(world.app().sign_in_refused(&token).code(), REFUSED);
    assert_eq!(world.fetches(), 2);
    let missed = world.cached("missed_at");
    world.superuser().run("SELECT neon_auth.refresh_jwks()");
    assert_eq!(world.cached("missed_at"), missed);
    world.app().sign_in_for_session(&token);
}

#[test]
fn unknown_keys_wait_for_the_cooldown() {
    let world = World::with_keys();
    // So much as if a key that does not exist had just been asked for.
    let missed = "UPDATE neon_auth.jwks_cache SET missed_at = clock_timestamp()";
    world.superuser().run(missed);
    world.stack.rotate_keys();
    let (token, mut app) = (world.token(), world.app());
    for _ in 0..5 {
        assert_eq!(app.sign_in_refused(&token).code(), REFUSED);
        assert_eq!(world.app().sign_in_refused(&token).code(), REFUSED);
    }
    assert_eq!(world.fetches(), 0);
    world.end_cooldown();
    app.sign_in_for_session(&token);
    assert_eq!(world.fetches(), 1);
}

/// Who is refused is told how old the keys are, when they may be fetched again, and how to fetch
/// them at once.
#[test]
fn the_refusal_of_an_unknown_key_says_when_it_can_be_looked_for() {
    let world = World::with_keys();
    world.database.set("neon_auth.jwks_cooldown", "1h");
    world.superuser().run(
        "UPDATE neon_auth.jwks_cache
            SET fetched_at = now() - interval '120 s', attempted_at = now() - interval '120 s',
                missed_at = now() - interval '120 s'",
    );
    world.stack.rotate_keys();
    let token = world.token();
    let refusal = world.app().sign_in_refused(&token);
    let detail = refusal.detail().unwrap_or_default();
    let (_, words) = detail.rsplit_once("; keys fetched ").expect(detail);
    let seconds: Vec<i64> = words
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    let [age, wait] = seconds[..] else {
        panic!("{detail}");
    };
    assert_eq!(
        words,
        format!("{age} s ago; next fetch allowed in {wait} s"),
    );
    assert!(
        (120..600).contains(&age) && (0..=1).contains(&(age + wait - 3600)),
        "{detail}"
    );
    let hint = refusal.hint().unwrap_or_default();
    let (_, sql) = hint.split_once(": ").expect(hint);
    assert_eq!(sql, "SELECT neon_auth.refresh_jwks('stack');");
    world.superuser().run(sql);
    world.app().sign_in_for_session(&token);
}

#[test]
fn keys_that_exist_nowhere_fetch_once_in_a_cooldown() {
    let world = World::with_keys();
    world.end_cooldown();
    let user = world.sign_up("stranger");
    for number in 0..5 {
        let token = world.token_with(&user, |_, header| {
            header.insert("kid".to_owned(), format!("unknown-{number}").into());
        });
        assert_eq!(world.app().sign_in_refused(&token).code(), REFUSED);
    }
    assert_eq!(world.fetches(), 1);
}

#[test]
fn a_failed_fetch_counts_towards_the_cooldown() {
    let world = World::with_keys();
    world.end_cooldown();
    world.break_key_server(Fault::Reset);
    world.stack.rotate_keys();
    let token = world.token();
    for _ in 0..5 {
        assert_eq!(world.app().sign_in_refused(&token).code(), REFUSED);
    }
    assert_eq!(world.fetches(), 1);
}

#[test]
fn a_failed_first_fetch_counts_towards_the_cooldown() {
    let world = World::new();
    world.break_key_server(Fault::Reset);
    let token = world.token();
    for _ in 0..5 {
        let refusal = world.app().sign_in_refused(&token);
        assert_eq!(refusal.code(), &SqlState::SYSTEM_ERROR);
    }
    assert_eq!(world.fetches(), 1);
    world.mend_key_server();
    world.end_cooldown();
    world.app().sign_in_for_session(&token);
}

#[test]
fn a_shorter_cooldown_is_a_setting() {
    let world = World::with_keys();
    world
        .superuser()
        .run("UPDATE neon_auth.jwks_cache SET missed_at = now() - interval '5 s'");
    world.stack.rotate_keys();
    let token = world.token();
    assert_eq!(world.app().sign_in_refused(&token).code(), REFUSED);
    world.database.set("neon_auth.jwks_cooldown", "2s");
    world.app().sign_in_for_session(&token);
    assert_eq!(world.fetches(), 1);
}

#[test]
fn a_bad_signature_under_a_known_key_never_fetches() {
    let world = World::with_keys();
    world.end_cooldown();
    for _ in 0..5 {
        let refusal = world.app().sign_in_refused(&world.forged_token());
        assert_eq!(refusal.code(), REFUSED);
    }
    assert_eq!(world.fetches(), 0);
}

#[test]
fn a_key_that_the_server_has_dropped_counts_no_longer_in_any_session() {
    let world = World::with_keys();
    let token = world.token();
    let mut sessions = [world.app(), world.app(), world.superuser()];
    for session in &mut sessions {
        session.sign_in_for_session(&token);
    }
    // The first one signs.
    let keys = world.stack.jwks();
    let signing = keys["keys"][0]["kid"].as_str().expect("a key has an id");
    assert!(world.stack.drop_key(signing));
    world.superuser().run("SELECT neon_auth.refresh_jwks()");
    for session in &mut sessions {
        assert_eq!(session.sign_in_refused(&token).code(), REFUSED);
    }
}

#[test]
fn refresh_jwks_fetches_within_the_cooldown() {
    let world = World::with_keys();
    let mut superuser = world.superuser();
    for fetches in 1..=3 {
        superuser.run("SELECT neon_auth.refresh_jwks('stack')");
        assert_eq!(world.fetches(), fetches);
    }
}

#[test]
fn keys_that_run_out_are_fetched_again() {
    let world = World::with_keys();
    world.outdate_keys(1);
    world.app().sign_in_for_session(&world.token());
    world.app().sign_in_for_session(&world.token());
    assert_eq!(world.fetches(), 1);
}
