//! Everything a Rust test can do to the simulator is open over HTTP too.

use neon_auth_stack::Simulator;
use serde_json::{Value, json};

use crate::client::{get_jwks, jwks_path, receive, request, send, server_get, start, steer};

fn accepted(stack: &Simulator, method: &str, path: &str, body: Value) -> Value {
    let answer = steer(stack, method, path, body);
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

fn count(stack: &Simulator, path: &str) -> usize {
    let answer = server_get(stack, path).json();
    answer["items"].as_array().unwrap().len()
}

#[test]
fn users_come_change_and_go() {
    let stack = start();
    let new = json!({ "display_name": "Alice Example", "client_metadata": { "a": 1 } });
    let user = accepted(&stack, "POST", "/dev/users", new);
    assert_eq!(user["client_metadata"], json!({ "a": 1 }));
    let id = user["id"].as_str().unwrap();
    let path = format!("/dev/users/{id}");
    let change = json!({ "primary_email": "alice@example.com" });
    let changed = accepted(&stack, "PATCH", &path, change);
    assert_eq!(changed["primary_email"], "alice@example.com");
    assert_eq!(changed["display_name"], "Alice Example");
    accepted(&stack, "PUT", &path, json!({ "id": id }));
    assert_eq!(count(&stack, "/api/v1/users"), 1);
    accepted(&stack, "DELETE", &path, json!({}));
    assert_eq!(count(&stack, "/api/v1/users"), 0);
    assert_eq!(steer(&stack, "DELETE", &path, json!({})).status, 404);
}

#[test]
fn teams_memberships_and_permissions_come_and_go() {
    let stack = start();
    let user = accepted(&stack, "POST", "/dev/users", json!({}));
    let team = accepted(&stack, "POST", "/dev/teams", json!({ "display_name": "A" }));
    let path = format!("/dev/teams/{}", team["id"].as_str().unwrap());
    let renamed = accepted(&stack, "PATCH", &path, json!({ "display_name": "B" }));
    assert_eq!(renamed["display_name"], "B");

    let membership = json!({ "team_id": team["id"], "user_id": user["id"] });
    let definition = json!({ "scope": "team", "id": "write", "contained_permission_ids": [] });
    let mut grant = membership.clone();
    grant["id"] = "write".into();
    assert_eq!(
        steer(&stack, "POST", "/dev/permissions", grant.clone()).status,
        404
    );
    accepted(&stack, "POST", "/dev/memberships", membership.clone());
    accepted(&stack, "POST", "/dev/permission-definitions", definition);
    accepted(&stack, "POST", "/dev/permissions", grant.clone());
    assert_eq!(count(&stack, "/api/v1/team-permissions"), 2);
    accepted(&stack, "DELETE", "/dev/permissions", grant.clone());
    accepted(&stack, "POST", "/dev/permissions", grant);
    let defined = json!({ "scope": "team", "id": "write" });
    accepted(&stack, "DELETE", "/dev/permission-definitions", defined);
    assert_eq!(count(&stack, "/api/v1/team-permissions"), 1);

    accepted(&stack, "DELETE", "/dev/memberships", membership);
    assert_eq!(count(&stack, "/api/v1/team-member-profiles"), 0);
    accepted(&stack, "DELETE", &path, json!({}));
    assert_eq!(count(&stack, "/api/v1/teams"), 0);
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
fn keys_rotate_and_are_dropped() {
    let stack = start();
    let before = stack.jwks();
    let after = accepted(&stack, "POST", "/dev/rotate", json!({}));
    assert_ne!(before, after);
    assert_eq!(get_jwks(&stack).json(), after);
    let path = format!("/dev/keys/{}", after["keys"][0]["kid"].as_str().unwrap());
    accepted(&stack, "DELETE", &path, json!({}));
    assert_eq!(get_jwks(&stack).json()["keys"].as_array().unwrap().len(), 5);
    assert_eq!(
        steer(&stack, "DELETE", "/dev/keys/x", json!({})).status,
        404
    );
}

#[test]
fn faults_and_settings_are_set_and_taken_away() {
    let stack = start();
    let fault = json!({ "kind": "status", "status": 500 });
    let set = json!({ "endpoint": "jwks", "fault": fault, "times": 1 });
    accepted(&stack, "POST", "/dev/faults", set.clone());
    assert_eq!(get_jwks(&stack).status, 500);
    assert_eq!(get_jwks(&stack).status, 200);
    accepted(&stack, "POST", "/dev/faults", set.clone());
    accepted(&stack, "POST", "/dev/faults", json!({ "endpoint": "jwks" }));
    assert_eq!(get_jwks(&stack).status, 200);
    accepted(&stack, "POST", "/dev/faults", set);
    accepted(&stack, "DELETE", "/dev/faults", json!({}));
    assert_eq!(get_jwks(&stack).status, 200);
    let late = json!({ "endpoint": "jwks", "fault": { "kind": "reset" }, "after": 1 });
    accepted(&stack, "POST", "/dev/faults", late);
    assert_eq!(get_jwks(&stack).status, 200);
    assert!(receive(send(stack.base_url(), "GET", &jwks_path(&stack), &[], "")).is_err());
    accepted(&stack, "DELETE", "/dev/faults", json!({}));
    accepted(&stack, "POST", "/dev/settings", json!({ "etags": true }));
    assert!(get_jwks(&stack).header("etag").is_some());
}

#[test]
fn the_server_key_rotates() {
    let stack = start();
    let before = stack.credentials().secret_server_key;
    let answer = accepted(&stack, "POST", "/dev/rotate-server-key", json!({}));
    assert_ne!(answer["secret_server_key"], before);
    assert_eq!(
        answer["secret_server_key"],
        stack.credentials().secret_server_key
    );
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
    for (path, body) in [
        ("/dev/users", "["),
        ("/dev/teams", "{}"),
        ("/dev/tokens", r#"{"user_id":"x"}"#),
        (
            "/dev/faults",
            r#"{"endpoint":"jwks","fault":{"kind":"unknown"}}"#,
        ),
    ] {
        let answer = request(stack.base_url(), "POST", path, &[], body);
        assert_eq!(answer.status, 400, "{path}");
        assert_eq!(answer.header("x-stack-known-error"), Some("SCHEMA_ERROR"));
    }
}
