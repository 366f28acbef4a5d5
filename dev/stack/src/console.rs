//! The Neon console's two calls about a project's auth.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::state::Shared;

/// What both calls send.
#[derive(Deserialize)]
pub struct About {
    /// The project's id at Neon, not at the auth provider.
    project_id: String,
    auth_provider: String,
}

type Body = Result<Json<About>, JsonRejection>;

/// `POST /api/v2/projects/auth/keys`
pub async fn create_keys(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Response {
    match admit(&shared, &headers, body) {
        Ok(()) => {
            let state = shared.lock();
            let keys = state.credentials.keys_response(&state.base_url);
            (StatusCode::CREATED, Json(keys)).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// `POST /api/v2/projects/auth/transfer_ownership`
pub async fn transfer(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Response {
    match admit(&shared, &headers, body) {
        Ok(()) => {
            let mut state = shared.lock();
            let code = state.transfers.begin();
            let base = &state.base_url;
            let url = format!("{base}/integrations/neon/projects/transfer/confirm?code={code}");
            Json(json!({ "url": url })).into_response()
        }
        Err(refusal) => refusal.into_response(),
    }
}

/// A refusal in the console's form.
type Refusal = (StatusCode, Json<Value>);

fn refusal(status: StatusCode, message: impl Into<String>) -> Refusal {
    let message: String = message.into();
    (status, Json(json!({ "code": "", "message": message })))
}

/// Checks who asks, and about what.
fn admit(shared: &Shared, headers: &HeaderMap, body: Body) -> Result<(), Refusal> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let state = shared.lock();
    if token != Some(&state.credentials.neon_api_key) {
        return Err(refusal(StatusCode::UNAUTHORIZED, "authorization failed"));
    }
    let Json(about) = body.map_err(|error| refusal(error.status(), error.body_text()))?;
    if about.auth_provider != "stack" {
        return Err(refusal(
            StatusCode::BAD_REQUEST,
            "auth_provider must be stack",
        ));
    }
    if about.project_id != state.options.neon_project_id {
        return Err(refusal(StatusCode::NOT_FOUND, "project not found"));
    }
    Ok(())
}
