//! What goes wrong at the key server: without keys tokens are refused with the reason, and a
//! good set at hand goes on serving.

use std::net::{Ipv4Addr, TcpListener};

use neon_auth_connections::{Cluster, World};
use neon_auth_stack::Fault;
use postgres::error::SqlState;

/// With no keys at hand, a token is refused and the DETAIL says why.
#[track_caller]
fn refused_without_keys(fault: Fault, reason: &str) {
    let world = World::new();
    world.database.set("neon_auth.jwks_timeout", "500ms");
    world.break_key_server(fault);
    let refusal = world.app().sign_in_refused(&world.token());
    assert_eq!(refusal.code(), &SqlState::SYSTEM_ERROR);
    let detail = refusal.detail().unwrap_or_default();
    assert!(detail.contains(reason), "{detail:?} lacks {reason:?}");
    assert_eq!(world.cached("jwks"), None);
    let last_error = world.cached("last_error").unwrap_or_default();
    assert!(last_error.contains(reason), "{last_error:?}");
    world.mend_key_server();
    world.end_cooldown();
    world.app().sign_in_for_session(&world.token());
    assert_eq!(world.cached("last_error"), None);
}

/// With a good set that has run out, the good set serves and stays.
#[track_caller]
fn serves_the_last_good_set(fault: Fault, reason: &str) {
    let world = World::with_keys();
    world.database.set("neon_auth.jwks_timeout", "500ms");
    let good = world.cached("jwks");
    world.break_key_server(fault);
    world.outdate_keys(60);
    let mut app = world.app();
    let user = app.sign_in_for_session(&world.token());
    assert_eq!(app.user(), Some(user));
    assert_eq!(world.fetches(), 1);
    assert_eq!(world.cached("jwks"), good);
    let last_error = world.cached("last_error").unwrap_or_default();
    assert!(last_error.contains(reason), "{last_error:?}");
    let still_old = world.cached("fresh_until < now() AND fetched_at < now() - interval '1 hour'");
    assert_eq!(still_old, Some("true".to_owned()));
}

/// Two tests for a fault: with and without keys at hand.
macro_rules! faults {
    ($($name:ident: $fault:expr => $reason:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn is_refused_without_keys() {
                refused_without_keys($fault, $reason);
            }

            #[test]
            fn leaves_the_last_good_set_serving() {
                serves_the_last_good_set($fault, $reason);
            }
        }
    )*};
}

fn body(content_type: &str, body: &str) -> Fault {
    Fault::Body {
        content_type: content_type.to_owned(),
        body: body.to_owned(),
    }
}

faults! {
    a_hanging_server: Fault::Hang => "within the time limit";
    a_reset_connection: Fault::Reset => "request to the key server failed";
    a_closed_connection: Fault::Close => "request to the key server failed";
    a_truncated_body: Fault::Truncate => "request to the key server failed";
    a_trickling_body: Fault::Trickle { interval_millis: 100 } => "within the time limit";
    a_redirect: Fault::Redirect { location: "http://127.0.0.1:9/".to_owned() } => "redirects are not followed";
    a_redirect_shown: Fault::Redirect { location: "https://user:word@a.example/keys?token=secret#x".to_owned() }
        => "/.well-known/jwks.json to https://a.example/keys; redirects";
    a_redirect_within_the_server: Fault::Redirect { location: "/elsewhere?token=secret".to_owned() }
        => "/.well-known/jwks.json to /elsewhere; redirects";
    a_missing_document: Fault::status(404) => "returned status 404";
    an_internal_error: Fault::status(500) => "returned status 500";
    a_rate_limit: Fault::Status { status: 429, retry_after: Some(60) } => "returned status 429";
    an_empty_answer: Fault::status(204) => "returned status 204";
    a_web_page: Fault::Html => "not a usable JWKS";
    an_empty_set: Fault::EmptySet => "not a usable JWKS";
    malformed_json: Fault::Malformed => "not a usable JWKS";
    another_document: body("application/json", r#"{"error": "sorry"}"#) => "not a usable JWKS";
    a_discovery_document: body("application/json", r#"{"issuer": "https://a.example", "jwks_uri": "https://a.example/keys"}"#)
        => "its jwks_uri is \"https://a.example/keys\". Give its jwks_uri as jwks_url";
    a_map_of_certificates: body("application/json", r#"{"kid": "-----BEGIN CERTIFICATE-----\nMIIC"}"#)
        => "securetoken@system.gserviceaccount.com";
    a_byte_order_mark: body("application/json", "\u{feff}{\"keys\": []}") => "byte order mark";
    a_compressed_body: Fault::Header { name: "content-encoding".to_owned(), value: Some("gzip".to_owned()) }
        => "is compressed (content-encoding \"gzip\")";
    one_key_without_a_set: body("application/json", r#"{"kty": "RSA"}"#) => "it is one JWK";
    bytes_that_are_no_text: body("application/json", "{\"keys\": [\u{0}]}") => "not a usable JWKS";
    a_private_key: Fault::PrivateKey => "it is a private key in a published set";
    ten_thousand_keys: Fault::ManyKeys { count: 10_000 } => "longer than 262144 bytes";
    a_hundred_keys_too_many: Fault::ManyKeys { count: 100 } => "not a usable JWKS";
    a_huge_body: Fault::Huge { bytes: 1 << 30 } => "longer than 262144 bytes";
    a_body_one_byte_too_long: Fault::Huge { bytes: 256 * 1024 + 1 } => "longer than 262144 bytes";
}

#[test]
fn a_body_of_the_greatest_length_is_read() {
    let world = World::new();
    world.break_key_server(Fault::Huge { bytes: 256 * 1024 });
    world.app().sign_in_for_session(&world.token());
}

/// What is stored is jsonb, which may be longer than what was fetched, or not to be had at all. So
/// no more is stored than is looked at.
#[test]
fn what_is_not_looked_at_does_no_harm() {
    let huge = format!("[{}]", ["1e300"; 1000].join(","));
    for extra in [huge.as_str(), "1e-20000", "\"\\u0000\""] {
        for place in ["{", "{\"keys\": [{"] {
            let world = World::with_keys();
            let good = world.cached("jwks").expect("there are keys");
            let longer = good.replacen(place, &format!("{place}\"extra\": {extra}, "), 1);
            world.break_key_server(body("application/json", &longer));
            world.superuser().run("SELECT neon_auth.refresh_jwks()");
            // What nothing can hold costs the key that it is in.
            let left_out = place.len() > 1 && extra != huge;
            if left_out {
                let refusal = world.app().sign_in_refused(&world.token());
                let detail = refusal.detail().unwrap_or_default();
                assert!(detail.contains("it is not strict JSON"), "{detail}");
            } else {
                world.app().sign_in_for_session(&world.token());
            }
            let stored = world.cached("jwks").expect("there are keys");
            assert_eq!(stored == good, !left_out, "{stored}");
            assert!(!stored.contains("extra"), "{stored}");
        }
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let (world, elsewhere) = (World::new(), World::new());
    let location = elsewhere.stack.keys_response()["jwks_url"].clone();
    world.break_key_server(Fault::Redirect {
        location: location.as_str().expect("a URL is a string").to_owned(),
    });
    world.app().sign_in_refused(&world.token());
    assert_eq!(elsewhere.fetches(), 0);
}

/// Not for keys, and not for the REST API, to which the secret key is sent.
#[test]
fn a_proxy_of_the_environment_is_not_used() {
    let proxy = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    proxy.set_nonblocking(true).expect("it is a socket");
    let url = format!("http://{}", proxy.local_addr().expect("it is bound"));
    let variables = [
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ];
    let mut environment = variables.map(|name| (name, url.clone())).to_vec();
    // The exceptions of the machine that runs the test are not those of this server.
    environment.extend(["no_proxy", "NO_PROXY"].map(|name| (name, String::new())));
    let cluster = Cluster::with_environment("", environment);
    let world = World::in_server(cluster.server());
    world.database.set("neon_auth.jwks_timeout", "5s");
    world.app().sign_in_for_session(&world.token());
    world.superuser().run("CALL neon_auth.sync()");
    assert!(proxy.accept().is_err(), "the proxy was connected to");
}

#[test]
fn an_outage_beyond_its_limit_refuses_tokens_until_it_ends() {
    let world = World::with_keys();
    world.break_key_server(Fault::Reset);
    world.outdate_keys(3500);
    let mut app = world.app();
    app.sign_in_for_session(&world.token());
    world.outdate_keys(3700);
    for session in [&mut app, &mut world.app()] {
        let refusal = session.sign_in_refused(&world.token());
        assert_eq!(refusal.code(), &SqlState::SYSTEM_ERROR);
        let detail = refusal.detail().unwrap_or_default();
        assert!(detail.contains("neon_auth.jwks_max_stale"), "{detail}");
        assert!(detail.contains("request to the key server"), "{detail}");
    }
    world.mend_key_server();
    world.end_cooldown();
    app.sign_in_for_session(&world.token());
}

#[test]
fn no_outage_is_bridged_where_the_setting_says_so() {
    let world = World::with_keys();
    world.database.set("neon_auth.jwks_max_stale", "0");
    world.break_key_server(Fault::Reset);
    world.app().sign_in_for_session(&world.token());
    world.outdate_keys(1);
    let refusal = world.app().sign_in_refused(&world.token());
    assert_eq!(refusal.code(), &SqlState::SYSTEM_ERROR);
}

#[test]
fn a_rotation_during_an_outage_is_made_up_for_after_it() {
    let world = World::with_keys();
    world.break_key_server(Fault::Reset);
    world.stack.rotate_keys();
    world.end_cooldown();
    let refusal = world.app().sign_in_refused(&world.token());
    assert_eq!(
        refusal.code(),
        &SqlState::INVALID_AUTHORIZATION_SPECIFICATION
    );
    world.mend_key_server();
    world.end_cooldown();
    world.app().sign_in_for_session(&world.token());
}

#[test]
fn refresh_jwks_says_why_it_failed() {
    let world = World::with_keys();
    let mut superuser = world.superuser();
    for (fault, reason) in [
        (Fault::status(503), "returned status 503"),
        (Fault::EmptySet, "JWKS"),
    ] {
        world.break_key_server(fault);
        let refusal = superuser.run_refused("SELECT neon_auth.refresh_jwks()");
        assert_eq!(refusal.code(), &SqlState::SYSTEM_ERROR);
        let detail = refusal.detail().unwrap_or_default();
        assert!(detail.contains(reason), "{detail}");
    }
    world.mend_key_server();
    superuser.run("SELECT neon_auth.refresh_jwks()");
}

#[test]
fn a_clock_that_was_wrong_does_not_hold_up_a_fetch() {
    let world = World::with_keys();
    world.superuser().run(
        "UPDATE neon_auth.jwks_cache
            SET fetched_at = now() + interval '1 year', fresh_until = now() + interval '2 years',
                attempted_at = now() + interval '1 year'",
    );
    world.app().sign_in_for_session(&world.token());
    assert_eq!(world.fetches(), 1);
}
