//! Key servers of Stack Auth of every age, and their replacement by a newer one.

use neon_auth_connections::{Database, Server, World};
use neon_auth_stack::{Age, Fault, NewUser};
use postgres::error::SqlState;

const WHOLE: &str = "include_restricted=true&include_anonymous=true";
const REDUCED: &str = "include_anonymous=true";

/// A world with a server of an age, at which everybody may sign in.
fn world(age: Age) -> World {
    let world = World::new();
    world.stack.set_age(age);
    world
        .superuser()
        .run("UPDATE neon_auth.providers SET allow_anonymous = true, allow_restricted = true");
    world
}

/// The queries of the requests for keys so far, which are then forgotten.
fn queries(world: &World) -> Vec<String> {
    let received = world.stack.received("/api/v1/projects/");
    world.stack.forget_requests();
    let queries = received.into_iter().map(|request| request.query);
    queries.map(Option::unwrap_or_default).collect()
}

fn token(world: &World, new: NewUser) -> String {
    let user = world.stack.sign_up(new);
    world.token_of(user["id"].as_str().expect("an id is a string"))
}

fn anonymous(world: &World) -> String {
    token(world, NewUser::anonymous())
}

fn restricted(world: &World) -> String {
    let new = NewUser {
        restricted_by_admin: true,
        ..NewUser::default()
    };
    token(world, new)
}

/// Lets the last refusal be long ago.
fn forget_refusal(world: &World) {
    world
        .superuser()
        .run("UPDATE neon_auth.jwks_cache SET refused_at = refused_at - interval '61 minutes'");
}

const SAID: &str =
    "The service is older than 2026-01: keys are requested without include_restricted.";

#[test]
fn tokens_of_a_server_of_any_age_are_accepted() {
    for (age, requests) in [
        (Age::BeforeAnonymous, &[WHOLE][..]),
        (Age::BeforeRestricted, &[WHOLE, REDUCED]),
        (Age::Current, &[WHOLE]),
        (Age::Newer, &[WHOLE]),
    ] {
        let world = world(age);
        let mut app = world.app();
        app.sign_in_for_session(&world.token());
        assert_eq!(queries(&world), requests, "{age:?}");
        if age > Age::BeforeAnonymous {
            app.sign_in_for_session(&anonymous(&world));
        }
        if age >= Age::Current {
            app.sign_in_for_session(&restricted(&world));
        }
        assert_eq!(queries(&world), Vec::<String>::new(), "{age:?}");
        let (ok, detail) = world.status("keys of stack");
        assert!(ok, "{detail}");
        let is_reduced = age == Age::BeforeRestricted;
        assert_eq!(detail.contains(SAID), is_reduced, "{age:?} {detail}");
        // Nothing else is known of the URL, whatever is asked for.
        let url = world.cached("jwks_url").expect("the keys have a URL");
        assert!(url.ends_with(WHOLE), "{url}");
    }
}

#[test]
fn an_old_server_is_asked_once_for_as_long_as_its_refusal_is_known() {
    let world = world(Age::BeforeRestricted);
    world.stack.set_etags(true);
    let mut app = world.app();
    let token = world.token();
    app.sign_in_for_session(&token);
    assert_eq!(queries(&world), [WHOLE, REDUCED]);
    for _ in 0..2 {
        world.outdate_keys(1);
        app.sign_in_for_session(&token);
        let received = world.stack.received("/api/v1/projects/");
        // The entity tag is that of the reduced set, and confirms it.
        assert!(received[0].headers.contains_key("if-none-match"));
        assert_eq!(queries(&world), [REDUCED]);
    }
    forget_refusal(&world);
    world.outdate_keys(1);
    app.sign_in_for_session(&token);
    let received = world.stack.received("/api/v1/projects/");
    assert!(!received[0].headers.contains_key("if-none-match"));
    assert!(received[1].headers.contains_key("if-none-match"));
    assert_eq!(queries(&world), [WHOLE, REDUCED]);
    world.outdate_keys(1);
    app.sign_in_for_session(&token);
    assert_eq!(queries(&world), [REDUCED]);
}

#[test]
fn a_newer_server_is_found_within_the_hour() {
    let world = world(Age::BeforeRestricted);
    world.stack.set_etags(true);
    let mut app = world.app();
    let token = world.token();
    app.sign_in_for_session(&token);
    world.stack.set_age(Age::Current);
    queries(&world);
    world.outdate_keys(1);
    app.sign_in_for_session(&token);
    assert_eq!(queries(&world), [REDUCED]);
    forget_refusal(&world);
    world.outdate_keys(1);
    app.sign_in_for_session(&token);
    assert_eq!(queries(&world), [WHOLE]);
    app.sign_in_for_session(&restricted(&world));
    assert_eq!(queries(&world), Vec::<String>::new());
    assert!(!world.status("keys of stack").1.contains("older"));
    let known = world.cached("num_nulls(reduced_url, refused_at)");
    assert_eq!(known.as_deref(), Some("2"));
}

/// A token with a key that only a newer server publishes, and an administrator, do not wait for it.
#[test]
fn a_newer_server_is_found_at_once_where_it_matters() {
    let world = world(Age::BeforeRestricted);
    let mut app = world.app();
    app.sign_in_for_session(&world.token());
    world.stack.set_age(Age::Current);
    queries(&world);
    app.sign_in_for_session(&restricted(&world));
    assert_eq!(queries(&world), [WHOLE]);
    // The other way round as well.
    world.stack.set_age(Age::BeforeRestricted);
    world.superuser().run("SELECT neon_auth.refresh_jwks()");
    assert_eq!(queries(&world), [WHOLE, REDUCED]);
    world.superuser().run("SELECT neon_auth.refresh_jwks()");
    assert_eq!(queries(&world), [WHOLE, REDUCED]);
    world.stack.set_age(Age::Newer);
    world
        .superuser()
        .run("SELECT neon_auth.refresh_jwks('stack')");
    assert_eq!(queries(&world), [WHOLE]);
}

#[test]
fn a_server_that_refuses_everything_is_asked_in_full_the_next_time() {
    let world = world(Age::BeforeRestricted);
    world.fetch_keys();
    world.break_key_server(Fault::refusal(400, "SCHEMA_ERROR"));
    let mut admin = world.superuser();
    let refusal = admin.run_refused("SELECT neon_auth.refresh_jwks()");
    assert_eq!(
        refusal.detail(),
        Some("The key server returned status 400.")
    );
    assert_eq!(queries(&world), [WHOLE, REDUCED, ""]);
    // The stored keys stay, and so does their URL.
    assert_eq!(
        world
            .cached("jwks IS NOT NULL AND reduced_url IS NOT NULL")
            .as_deref(),
        Some("true")
    );
    world.mend_key_server();
    world.stack.set_age(Age::Current);
    world.outdate_keys(1);
    world.app().sign_in_for_session(&world.token());
    assert_eq!(queries(&world), [WHOLE]);
}

/// No other answer than 400 leads to a further request.
#[test]
fn another_refusal_is_not_repeated() {
    let world = world(Age::Current);
    for status in [401, 403, 404, 405, 422, 500, 503] {
        world.break_key_server(Fault::refusal(status, "SCHEMA_ERROR"));
        let refusal = world
            .superuser()
            .run_refused("SELECT neon_auth.refresh_jwks()");
        let detail = format!("The key server returned status {status}.");
        assert_eq!(refusal.detail(), Some(detail.as_str()));
        assert_eq!(queries(&world), [WHOLE]);
    }
}

/// A session that cannot have the keys stored fetches them itself.
#[test]
fn a_provider_that_is_not_committed_has_its_keys_too() {
    let world = World::new();
    world.stack.set_age(Age::BeforeRestricted);
    let token = world.token();
    let mut session = world.superuser();
    session.run("SELECT neon_auth.drop_provider('stack')");
    session.run("BEGIN");
    world.configure(&mut session);
    let verified = session.value("SELECT (neon_auth.verify_jwt($1) ->> 'iss')", &[&token]);
    assert!(verified.is_some_and(|iss| iss.contains("/api/v1/projects/")));
    assert_eq!(queries(&world), [WHOLE, REDUCED]);
    session.run("ROLLBACK");
    let cached = "SELECT count(*)::text FROM neon_auth.jwks_cache";
    assert_eq!(session.value(cached, &[]).as_deref(), Some("0"));
}

/// Only Stack Auth has such parameters; and only those are left out, of the URL that is configured.
#[test]
fn other_urls_are_requested_as_they_are() {
    let world = world(Age::BeforeRestricted);
    world.break_key_server(Fault::refusal(400, "SCHEMA_ERROR"));
    let url = world.stack.credentials().jwks_url(world.stack.base_url());
    let fetched = |kind: &str, query: &str| {
        let database = Database::create_in(Server::shared());
        let project = match kind {
            "stack" => format!("'{}'", world.stack.project_id()),
            _ => "NULL".to_owned(),
        };
        database.superuser().run(&format!(
            "SELECT neon_auth.add_provider('idp', '{{https://idp.example.com}}', kind => '{kind}',
                                           project_id => {project}, jwks_url => '{url}{query}')"
        ));
        let refusal = database
            .superuser()
            .run_refused("SELECT neon_auth.refresh_jwks()");
        assert_eq!(refusal.code(), &SqlState::SYSTEM_ERROR);
        assert_eq!(
            refusal.detail(),
            Some("The key server returned status 400.")
        );
        queries(&world)
    };
    assert_eq!(fetched("oidc", &format!("?{WHOLE}")), [WHOLE]);
    for (query, requests) in [
        ("", &[""][..]),
        ("?a=b", &["a=b"]),
        ("?include_restrictedly=true", &["include_restrictedly=true"]),
        ("?include_anonymous=true", &["include_anonymous=true", ""]),
        ("?include_restricted=true", &["include_restricted=true", ""]),
        (
            "?a=b&include_anonymous=true&include_restricted=true&c=d",
            &[
                "a=b&include_anonymous=true&include_restricted=true&c=d",
                "a=b&include_anonymous=true&c=d",
                "a=b&c=d",
            ],
        ),
    ] {
        assert_eq!(fetched("stack", query), requests);
    }
}

/// Pinned keys are not fetched.
#[test]
fn pinned_keys_are_left_alone() {
    let world = world(Age::BeforeRestricted);
    let jwks = world.stack.jwks().to_string();
    world.superuser().value(
        "UPDATE neon_auth.providers SET jwks_url = NULL, jwks = $1::text::jsonb RETURNING name",
        &[&jwks],
    );
    let mut app = world.app();
    app.sign_in_for_session(&world.token());
    world.superuser().run("SELECT neon_auth.refresh_jwks()");
    assert_eq!(queries(&world), Vec::<String>::new());
    assert!(!world.status("keys of stack").1.contains("older"));
}
