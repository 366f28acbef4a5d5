//! What the demonstration and the benchmarks do over HTTP.

use neon_auth_stack::Simulator;
use serde_json::{Value, json};

use crate::client::{get_jwks, items, request, start, steer};

fn accepted(stack: &Simulator, method: &str, path: &str, body: Value) -> Value {
    let answer = steer(stack, method, path, body);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

#[test]
fn users_sign_up() {
    let stack = start();
    let new = json!({ "display_name": "Alice Example", "client_metadata": { "a": 1 } });
    let user = accepted(&stack, "POST", "/dev/users", new);
    assert_eq!(user["display_name"], "Alice Example");
    assert_eq!(user["client_metadata"], json!({ "a": 1 }));
    assert_eq!(items(&stack, "/api/v1/users"), [user]);
}

#[test]
fn tokens_are_issued_with_deviations() {
    let stack = start();
    let user = accepted(&stack, "POST", "/dev/users", json!({}));
    let asked = json!({
        "user_id": user["id"], "expires_in": -1, "claims": { "aud": "other" },
        "without": ["email"], "header": { "typ": "JWT" },
    });
    let token = accepted(&stack, "POST", "/dev/tokens", asked)["access_token"].clone();
    let claims = jsonwebtoken::dangerous::insecure_decode::<Value>(token.as_str().unwrap())
        .unwrap()
        .claims;
    let at = |name: &str| claims[name].as_i64().unwrap();
    assert_eq!(at("exp"), at("iat") - 1);
    assert_eq!(claims["aud"], "other");
    assert_eq!(claims.get("email"), None);
}

#[test]
fn requests_are_shown_and_forgotten() {
    let stack = start();
    get_jwks(&stack);
    let shown = |prefix: &str| {
        let path = format!("/dev/requests?prefix={prefix}");
        request(stack.base_url(), "GET", &path, &[], "").json()
    };
    let requests = shown("/api/v1/projects");
    assert_eq!(requests["count"], 1);
    assert_eq!(requests["items"][0]["method"], "GET");
    assert_eq!(shown("/api/v1/users")["count"], 0);
    accepted(&stack, "DELETE", "/dev/requests", json!({}));
    assert_eq!(shown("")["count"], 0);
}

#[test]
fn what_makes_no_sense_is_refused_with_a_reason() {
    let stack = start();
    for (path, body) in [("/dev/users", "["), ("/dev/tokens", r#"{"user_id":"x"}"#)] {
        let answer = request(stack.base_url(), "POST", path, &[], body);
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.header("x-stack-known-error"), Some("SCHEMA_ERROR"));
    }
}
