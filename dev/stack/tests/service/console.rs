//! The Neon console's calls.

use neon_auth_stack::{DEFAULT_NEON_PROJECT_ID, Simulator};
use serde_json::{Value, json};

use crate::client::{Answer, request, start, steer};

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
    let page = "/integrations/neon/projects/transfer/confirm?code=";
    let start = format!("{}{page}", stack.base_url());
    assert!(link.json()["url"].as_str().unwrap().starts_with(&start));
}

#[test]
fn a_link_works_once_and_for_an_hour() {
    let stack = start();
    let bearer = stack.credentials().neon_api_key;
    let code = || {
        let link = call(&stack, "transfer_ownership", &bearer, about_the_project()).json();
        let url = link["url"].as_str().unwrap();
        url.split_once("code=").unwrap().1.to_owned()
    };
    let confirm = |code: &str| {
        let path = "/api/v1/integrations/neon/projects/transfer/confirm";
        let answer = steer(&stack, "POST", path, json!({ "code": code }));
        (
            answer.status,
            answer.header("x-stack-known-error").map(str::to_owned),
        )
    };
    let refused = |status, code: &str| (status, Some(code.to_owned()));
    let [first, second] = [code(), code()];
    assert_ne!(first, second);
    assert_eq!(confirm(&first), (200, None));
    assert_eq!(
        confirm(&first),
        refused(400, "VERIFICATION_CODE_ALREADY_USED")
    );
    stack.expire_transfer_links();
    assert_eq!(confirm(&second), refused(400, "VERIFICATION_CODE_EXPIRED"));
    assert_eq!(confirm(&code()), (200, None));
    assert_eq!(
        confirm("other"),
        refused(404, "VERIFICATION_CODE_NOT_FOUND")
    );
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
