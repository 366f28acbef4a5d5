//! `/dev/*`: what steers the simulator over HTTP.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::value::Error as ValueError;
use serde::de::{DeserializeOwned, IntoDeserializer};
use serde_json::{Map, Value, json};

use crate::error::KnownError;
use crate::faults::{Endpoint, Fault};
use crate::keys::Audience;
use crate::permissions::{Definition, Grant, Scope};
use crate::population::Asked;
use crate::requests::Received;
use crate::rest::parse_id;
use crate::state::Shared;
use crate::teams::{Membership, NewTeam};
use crate::users::NewUser;
use crate::webhooks::{Delivery, Message};

type Answer = Result<Json<Value>, KnownError>;

/// A JSON body of any content type; nothing at all is an empty object.
pub struct Input<T>(T);

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

/// What an operation answers that finds nothing but its own target missing.
fn done_if(found: bool) -> (StatusCode, Json<Value>) {
    let status = if found {
        StatusCode::OK
    } else {
        StatusCode::NOT_FOUND
    };
    (status, Json(json!({ "success": found })))
}

/// `POST /dev/users`
pub async fn sign_up(State(shared): State<Shared>, Input(new): Input<NewUser>) -> Json<Value> {
    Json(shared.lock().sign_up(new))
}

/// `PATCH /dev/users/{user_id}`
pub async fn update_user(
    State(shared): State<Shared>,
    Path(user_id): Path<String>,
    Input(changes): Input<Map<String, Value>>,
) -> Answer {
    let id = parse_id("user_id", &user_id)?;
    shared.lock().update_user(id, changes).map(Json)
}

/// `PUT /dev/users/{user_id}`: stores the object exactly as it is
pub async fn put_user(
    State(shared): State<Shared>,
    Path(user_id): Path<String>,
    Input(object): Input<Map<String, Value>>,
) -> Answer {
    let id = parse_id("user_id", &user_id)?;
    shared.lock().put_raw_user(id, object);
    done()
}

/// `DELETE /dev/users/{user_id}`
pub async fn delete_user(State(shared): State<Shared>, Path(user_id): Path<String>) -> Answer {
    shared.lock().delete_user(parse_id("user_id", &user_id)?)?;
    done()
}

/// `POST /dev/populate`: signs up that many users, whom no message tells of
pub async fn populate(State(shared): State<Shared>, Input(asked): Input<Asked>) -> Answer {
    shared.lock().populate(asked)?;
    done()
}

/// `POST /dev/teams`
pub async fn create_team(State(shared): State<Shared>, Input(new): Input<NewTeam>) -> Answer {
    shared.lock().create_team(new).map(Json)
}

/// `PATCH /dev/teams/{team_id}`
pub async fn update_team(
    State(shared): State<Shared>,
    Path(team_id): Path<String>,
    Input(changes): Input<Map<String, Value>>,
) -> Answer {
    let id = parse_id("team_id", &team_id)?;
    shared.lock().update_team(id, changes).map(Json)
}

/// `DELETE /dev/teams/{team_id}`
pub async fn delete_team(State(shared): State<Shared>, Path(team_id): Path<String>) -> Answer {
    shared.lock().delete_team(parse_id("team_id", &team_id)?)?;
    done()
}

/// `POST /dev/memberships`
pub async fn join_team(
    State(shared): State<Shared>,
    Input(membership): Input<Membership>,
) -> Answer {
    shared.lock().join_team(membership)?;
    done()
}

/// `DELETE /dev/memberships`
pub async fn leave_team(
    State(shared): State<Shared>,
    Input(membership): Input<Membership>,
) -> Answer {
    shared.lock().leave_team(membership)?;
    done()
}

/// `POST /dev/permissions`: a team's with a `team_id`, else the project's
pub async fn grant(State(shared): State<Shared>, Input(grant): Input<Grant>) -> Answer {
    shared.lock().grant(grant)?;
    done()
}

/// `DELETE /dev/permissions`
pub async fn revoke(State(shared): State<Shared>, Input(grant): Input<Grant>) -> Answer {
    shared.lock().revoke(&grant)?;
    done()
}

/// `POST /dev/permission-definitions`
pub async fn define(State(shared): State<Shared>, Input(definition): Input<Definition>) -> Answer {
    shared.lock().permissions.define(definition);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defined {
    scope: Scope,
    id: String,
}

/// `DELETE /dev/permission-definitions`
pub async fn undefine(State(shared): State<Shared>, Input(defined): Input<Defined>) -> Answer {
    let Defined { scope, id } = defined;
    shared.lock().permissions.undefine(scope, &id)?;
    done()
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

/// `POST /dev/rotate`: answers the new key set
pub async fn rotate(State(shared): State<Shared>) -> Json<Value> {
    let mut state = shared.lock();
    state.rotate_keys();
    Json(state.keys.jwks(&Audience::ALL))
}

/// `POST /dev/rotate-server-key`: answers the new secret server key
pub async fn rotate_server_key(State(shared): State<Shared>) -> Json<Value> {
    let credentials = &mut shared.lock().credentials;
    credentials.rotate_server_key();
    Json(json!({ "secret_server_key": credentials.secret_server_key }))
}

/// `DELETE /dev/keys/{kid}`
pub async fn drop_key(
    State(shared): State<Shared>,
    Path(kid): Path<String>,
) -> (StatusCode, Json<Value>) {
    done_if(shared.lock().keys.drop_key(&kid))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRequest {
    endpoint: Endpoint,
    /// None takes the endpoint's fault away.
    fault: Option<Fault>,
    /// How many requests do not meet it yet.
    #[serde(default)]
    after: u32,
    /// For how many requests then; until it is taken away, where it is not given.
    times: Option<u32>,
}

/// `POST /dev/faults`
pub async fn set_fault(State(shared): State<Shared>, Input(asked): Input<FaultRequest>) -> Answer {
    let faults = &mut shared.lock().faults;
    match asked.fault {
        Some(fault) => faults.set(asked.endpoint, fault, asked.after, asked.times),
        None => faults.clear(asked.endpoint),
    }
    done()
}

/// `DELETE /dev/faults`
pub async fn clear_faults(State(shared): State<Shared>) -> Answer {
    shared.lock().faults.clear_all();
    done()
}

fn parse_endpoint(name: &str) -> Result<Endpoint, KnownError> {
    Endpoint::deserialize(name.into_deserializer())
        .map_err(|error: ValueError| KnownError::schema(error.to_string()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// How many requests pass before.
    #[serde(default)]
    after: u32,
}

/// `POST /dev/holds/{endpoint}`: lets what an earlier hold held go on
pub async fn hold(
    State(shared): State<Shared>,
    Path(endpoint): Path<String>,
    Input(asked): Input<HoldRequest>,
) -> Answer {
    let endpoint = parse_endpoint(&endpoint)?;
    shared.lock().holds.set(endpoint, asked.after);
    done()
}

/// `GET /dev/holds/{endpoint}`: answers when a request is held, or after a
/// minute that none is
pub async fn held(
    State(shared): State<Shared>,
    Path(endpoint): Path<String>,
) -> Result<(StatusCode, Json<Value>), KnownError> {
    let endpoint = parse_endpoint(&endpoint)?;
    let holds = shared.lock().holds.clone();
    Ok(done_if(holds.wait(endpoint).await))
}

/// `DELETE /dev/holds/{endpoint}`
pub async fn release(State(shared): State<Shared>, Path(endpoint): Path<String>) -> Answer {
    shared.lock().holds.release(parse_endpoint(&endpoint)?);
    done()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    etags: Option<bool>,
    require_verified_email: Option<bool>,
}

/// `POST /dev/settings`
pub async fn settings(State(shared): State<Shared>, Input(asked): Input<Settings>) -> Answer {
    let options = &mut shared.lock().options;
    options.etags = asked.etags.unwrap_or(options.etags);
    options.require_verified_email = asked
        .require_verified_email
        .unwrap_or(options.require_verified_email);
    done()
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

/// `GET /dev/webhooks`
pub async fn webhooks(State(shared): State<Shared>) -> Json<Value> {
    let state = shared.lock();
    let items: Vec<&Message> = state.outbox.messages().collect();
    Json(json!({ "items": items }))
}

/// `GET /dev/webhooks/{message_id}`: the message as it is signed now
pub async fn webhook(
    State(shared): State<Shared>,
    Path(message_id): Path<String>,
) -> Result<Json<Delivery>, StatusCode> {
    let delivery = shared.lock().delivery(&message_id);
    delivery.map(Json).ok_or(StatusCode::NOT_FOUND)
}

/// `POST /dev/webhooks/{message_id}/resend`
pub async fn resend_webhook(
    State(shared): State<Shared>,
    Path(message_id): Path<String>,
) -> (StatusCode, Json<Value>) {
    done_if(shared.lock().outbox.resend(&message_id))
}
