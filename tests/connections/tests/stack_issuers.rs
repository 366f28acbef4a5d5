//! Tokens of a server whose URL is written in another way than the server writes its issuer.

use neon_auth_connections::{Database, Server, World};
use neon_auth_stack::{NewUser, Options, Simulator};
use serde_json::Value;

/// A world whose service is below a path, as behind a proxy.
fn below_a_path() -> World {
    let options = Options {
        path_prefix: Some("/stack".to_owned()),
        ..Options::default()
    };
    let world = World {
        database: Database::create_in(Server::shared()),
        stack: Simulator::start(options).expect("a port is free"),
    };
    world.configure(&mut world.superuser());
    world
}

/// Configures with the keys' URL, rewritten.
#[track_caller]
fn configure(world: &World, rewrite: impl Fn(&str) -> String) {
    let mut keys = world.stack.keys_response();
    let url = keys["jwks_url"].as_str().expect("there is a URL");
    keys["jwks_url"] = Value::String(rewrite(url));
    let keys = keys.to_string();
    world
        .superuser()
        .execute("SELECT neon_auth.configure($1::text::jsonb)", &[&keys])
        .expect("configure takes the URL");
}

/// A token of each kind of user is accepted, and the mirror is filled from the same URL.
#[track_caller]
fn assert_works(world: &World) {
    let mut session = world.superuser();
    session.run("UPDATE neon_auth.providers SET allow_anonymous = true, allow_restricted = true");
    let restricted = NewUser {
        restricted_by_admin: true,
        ..NewUser::default()
    };
    for new in [NewUser::default(), NewUser::anonymous(), restricted] {
        let user = world.stack.sign_up(new);
        let user = user["id"].as_str().expect("an id is a string");
        let mut app = world.app();
        app.run("BEGIN");
        assert_eq!(app.sign_in(&world.token_of(user)), user);
    }
    world.sync();
    world.assert_mirrored();
}

#[test]
fn a_path_before_the_api_is_not_part_of_the_issuer() {
    let world = below_a_path();
    assert_works(&world);
    let requests = world.stack.requests("/stack/api/v1/");
    assert!(requests > 5);
    assert_eq!(world.stack.requests(""), requests);
}

#[test]
fn capital_letters_of_the_host_are_not_part_of_the_issuer() {
    let world = World::new();
    // The server's own name for itself is in its tokens.
    let base = world.stack.base_url().replace("127.0.0.1", "localhost");
    world.stack.set_issuer_base(&base);
    configure(&world, |url| url.replace("127.0.0.1", "LocalHost"));
    assert_works(&world);
    // Again, as it is written now: nothing is different.
    let issuers = "SELECT issuers::text FROM neon_auth.providers";
    let before = world.superuser().value(issuers, &[]);
    configure(&world, |url| url.replace("127.0.0.1", "localhost"));
    assert_eq!(world.superuser().value(issuers, &[]), before);
    assert_works(&world);
}

/// The issuer of a server that only looks like the configured one is not trusted, although its
/// tokens are signed with the same keys.
#[test]
fn another_host_is_another_issuer() {
    let world = World::new();
    world.fetch_keys();
    let user = world.sign_up("user");
    let base = world.stack.base_url().to_owned();
    for issuer in [
        format!("{base}."),
        format!("{base}/stack"),
        base.replace("http:", "https:"),
        base.replace("127.0.0.1", "127.0.0.1.evil.example"),
        base.replace("127.0.0.1", "user@127.0.0.1"),
        "https://api.stack-auth.com".to_owned(),
    ] {
        let token = world.token_with(&user, |claims, _| {
            let path = claims["iss"].as_str().expect("iss is a string");
            let path = path
                .strip_prefix(&base)
                .expect("it is the server's own")
                .to_owned();
            claims.insert("iss".to_owned(), format!("{issuer}{path}").into());
        });
        let refusal = world.app().sign_in_refused(&token);
        assert_eq!(
            refusal.message(),
            "JWT refused: no provider trusts the token's issuer",
            "{issuer}"
        );
    }
}
