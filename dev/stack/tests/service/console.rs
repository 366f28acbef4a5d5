//! The Neon console's calls.

use neon_auth_stack::{DEFAULT_NEON_PROJECT_ID, Simulator};
use serde_json::{Value, json};

use crate::client::{Answer, request, start};

const CALLS: [&str; 2] = ["keys", "transfer_ownership"];

fn call(stack: &Simulator, call: &str, bearer: &str, body: Value) -> Answer {
    let path = format!("/api/v2/projects/auth/{call}");
    let bearer = format!("Bearer {bearer}");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    request(stack.base_url(), "POST", &path, &headers, &body.to_string())
}

fn about_the_project() -> Value {
    json!({ "project_id": DEFAULT_NEON_PROJECT_ID, "auth_provider": "stack" })
}

#[test]
fn the_calls_answer_keys_and_a_link() {
    let stack = start();
    let bearer = stack.credentials().neon_api_key;
    let keys = call(&stack, "keys", &bearer, about_the_project());
    assert_eq!(keys.status, 201);
    assert_eq!(keys.json(), stack.keys_response());
    let link = call(&stack, "transfer_ownership", &bearer, about_the_project());
    assert_eq!(link.status, 200);
    assert!(link.json()["url"].as_str().unwrap().starts_with("http"));
}

#[test]
fn the_calls_refuse_what_the_console_refuses() {
    let stack = start();
    let bearer = stack.credentials().neon_api_key;
    for name in CALLS {
        let status = |bearer: &str, body: Value| call(&stack, name, bearer, body).status;
        assert_eq!(status("napi_wrong", about_the_project()), 401);
        assert_eq!(status(&bearer, json!({})), 422);
        let other_provider = json!({ "project_id": DEFAULT_NEON_PROJECT_ID, "auth_provider": "x" });
        assert_eq!(status(&bearer, other_provider), 400);
        let other_project = json!({ "project_id": "x", "auth_provider": "stack" });
        assert_eq!(status(&bearer, other_project), 404);
        let path = format!("/api/v2/projects/auth/{name}");
        let body = about_the_project().to_string();
        let bearer = format!("Bearer {bearer}");
        let headers = [("authorization", bearer.as_str())];
        let untyped = request(stack.base_url(), "POST", &path, &headers, &body);
        assert_eq!(untyped.status, 415);
    }
}
