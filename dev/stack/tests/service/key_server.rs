//! What the key server lists, and how it says so.

use neon_auth_stack::{Options, Simulator};

use crate::client::{get_jwks, jwks_path, request, start};

#[test]
fn the_key_set_grows_with_the_kinds_of_user_asked_for() {
    let stack = start();
    let path = stack.credentials().jwks_url("");
    for (query, keys) in [
        ("", 2),
        ("?include_restricted=false", 2),
        ("?include_restricted=true", 4),
        ("?include_anonymous=true", 6),
        ("?include_restricted=true&include_anonymous=true", 6),
    ] {
        let answer = request(stack.base_url(), "GET", &format!("{path}{query}"), &[], "");
        assert_eq!(answer.status, 200);
        let listed = answer.json();
        assert_eq!(listed["keys"].as_array().unwrap().len(), keys, "{query}");
        assert_eq!(listed["keys"][0], stack.jwks()["keys"][0]);
    }
}

#[test]
fn the_key_set_may_be_cached_for_an_hour() {
    let answer = get_jwks(&start());
    assert_eq!(
        answer.header("content-type"),
        Some("application/json; charset=utf-8")
    );
    assert_eq!(answer.header("cache-control"), Some("public, max-age=3600"));
    assert_eq!(answer.header("etag"), None);
}

#[test]
fn an_unknown_project_is_404_in_text() {
    let stack = start();
    let path = "/api/v1/projects/unknown/.well-known/jwks.json";
    let answer = request(stack.base_url(), "GET", path, &[], "");
    assert_eq!(answer.status, 404);
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("text/plain")
    );
    assert_eq!(answer.header("x-stack-known-error"), None);
}

#[test]
fn a_flag_that_is_neither_true_nor_false_is_refused() {
    let stack = start();
    let path = stack.credentials().jwks_url("");
    for query in ["include_anonymous=1", "unknown=true"] {
        let answer = request(stack.base_url(), "GET", &format!("{path}?{query}"), &[], "");
        assert_eq!(answer.status, 400);
        assert_eq!(answer.header("x-stack-known-error"), Some("SCHEMA_ERROR"));
    }
}

#[test]
fn an_unchanged_key_set_is_304_where_entity_tags_are_on() {
    let stack = start();
    stack.set_etags(true);
    let etag = get_jwks(&stack).header("etag").unwrap().to_owned();
    let again = |etag: &str| {
        let headers = [("if-none-match", etag)];
        request(stack.base_url(), "GET", &jwks_path(&stack), &headers, "")
    };
    let unchanged = again(&etag);
    assert_eq!(unchanged.status, 304);
    assert!(unchanged.body.is_empty());
    assert_eq!(unchanged.header("etag"), Some(etag.as_str()));
    assert_eq!(
        unchanged.header("cache-control"),
        Some("public, max-age=3600")
    );
    assert_eq!(again("\"other\"").status, 200);
    stack.rotate_keys();
    assert_eq!(again(&etag).status, 200);
}

#[test]
fn a_dropped_key_is_gone_from_the_set() {
    let stack = start();
    let kid = stack.jwks()["keys"][0]["kid"].as_str().unwrap().to_owned();
    assert!(stack.drop_key(&kid));
    let keys = get_jwks(&stack).json()["keys"].clone();
    assert_eq!(keys.as_array().unwrap().len(), 5);
    assert!(
        keys.as_array()
            .unwrap()
            .iter()
            .all(|key| key["kid"] != *kid)
    );
}

#[test]
fn requests_are_counted_by_path() {
    let stack = start();
    get_jwks(&stack);
    get_jwks(&stack);
    request(stack.base_url(), "GET", "/dev/requests", &[], "");
    assert_eq!(stack.requests(""), 2);
    assert_eq!(stack.requests("/api/v1/projects/"), 2);
    assert_eq!(stack.requests("/api/v1/users"), 0);
    let received = stack.received("/api/v1/projects/");
    assert_eq!(received[0].query.as_deref(), Some("include_anonymous=true"));
    stack.forget_requests();
    assert_eq!(stack.requests(""), 0);
}

#[test]
fn stopping_frees_the_port() {
    let stack = start();
    let port = stack
        .base_url()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    get_jwks(&stack);
    drop(stack);
    let stack = Simulator::start(Options {
        port,
        ..Options::default()
    })
    .unwrap();
    assert_eq!(get_jwks(&stack).status, 200);
}
