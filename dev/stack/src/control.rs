//! `/dev/*`: what the demonstration and the benchmarks steer over HTTP.

use std::num::NonZeroUsize;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Query, Request, State};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::error::KnownError;
use crate::population::Asked;
use crate::requests::Received;
use crate::rest::parse_id;
use crate::state::Shared;
use crate::users::NewUser;

type Answer = Result<Json<Value>, KnownError>;

/// A JSON body of any content type; nothing at all is an empty object.
pub struct Input<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Shared> for Input<T> {
    type Rejection = KnownError;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, KnownError> {
        let body = Bytes::from_request(request, shared)
            .await
            .map_err(|error| KnownError::schema(error.body_text()))?;
        let body: &[u8] = if body.is_empty() { b"{}" } else { &body };
        serde_json::from_slice(body)
            .map(Self)
            .map_err(|error| KnownError::schema(error.to_string()))
    }
}

fn done() -> Answer {
    Ok(Json(json!({ "success": true })))
}

/// `POST /dev/users`
pub async fn sign_up(State(shared): State<Shared>, Input(new): Input<NewUser>) -> Json<Value> {
    Json(shared.lock().sign_up(new))
}

/// `POST /dev/populate`: signs up that many users, whom no message reports
pub async fn populate(State(shared): State<Shared>, Input(asked): Input<Asked>) -> Answer {
    shared.lock().populate(asked)?;
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Activity {
    every: NonZeroUsize,
}

/// `POST /dev/activity`: refreshes the token of every nth user
pub async fn activity(State(shared): State<Shared>, Input(asked): Input<Activity>) -> Json<Value> {
    let users = shared.lock().refresh_tokens(asked.every);
    Json(json!({ "users": users }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    user_id: String,
    /// Seconds from the time of issue to `exp`.
    expires_in: Option<i64>,
    /// Laid over the claims.
    #[serde(default)]
    claims: Map<String, Value>,
    /// Claims to leave out.
    #[serde(default)]
    without: Vec<String>,
    /// Laid over the header.
    #[serde(default)]
    header: Map<String, Value>,
}

/// `POST /dev/tokens`
pub async fn token(State(shared): State<Shared>, Input(asked): Input<TokenRequest>) -> Answer {
    let user_id = parse_id("user_id", &asked.user_id)?;
    let token = shared.lock().token(user_id, |claims, header| {
        if let Some(seconds) = asked.expires_in {
            let issued_at = claims.get("iat").and_then(Value::as_i64);
            let exp = issued_at.unwrap_or_default().saturating_add(seconds);
            claims.insert("exp".to_owned(), exp.into());
        }
        claims.extend(asked.claims);
        claims.retain(|name, _| !asked.without.contains(name));
        header.extend(asked.header);
    })?;
    Ok(Json(json!({ "access_token": token })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    #[serde(default)]
    prefix: String,
}

/// `GET /dev/requests`
pub async fn requests(State(shared): State<Shared>, Query(which): Query<Which>) -> Json<Value> {
    let state = shared.lock();
    let items: Vec<&Received> = state.requests.with_prefix(&which.prefix).collect();
    Json(json!({ "count": items.len(), "items": items }))
}

/// `DELETE /dev/requests`
pub async fn forget_requests(State(shared): State<Shared>) -> Answer {
    shared.lock().requests.clear();
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookEndpoint {
    url: Option<String>,
}

/// `POST /dev/webhook-endpoint`: where messages go from now on; nowhere
/// without a `url`
pub async fn set_webhook_endpoint(
    State(shared): State<Shared>,
    Input(endpoint): Input<WebhookEndpoint>,
) -> Answer {
    shared.lock().outbox.url = endpoint.url;
    done()
}
