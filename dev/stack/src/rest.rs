//! The REST API that a secret server key opens.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::KnownError;
use crate::permissions::Scope;
use crate::query::{Given, accept, is_true};
use crate::state::Shared;
use crate::users::User;

/// The most users that one page holds, and that a list without a limit shows.
pub const MAX_LIMIT: usize = 1000;

/// Proof that a request came with the project's secret server key.
pub struct Server;

impl FromRequestParts<Shared> for Server {
    type Rejection = KnownError;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, KnownError> {
        authenticate(&parts.headers, shared).map(|()| Self)
    }
}

/// The checks of the request's headers, in the service's order.
fn authenticate(headers: &HeaderMap, shared: &Shared) -> Result<(), KnownError> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let key = header("x-stack-secret-server-key");
    let access_type = match (header("x-stack-access-type"), key) {
        (Some(given), _) => given,
        (None, Some(_)) => return Err(KnownError::key_without_access_type()),
        (None, None) => return Err(KnownError::access_type_required()),
    };
    if !["client", "server", "admin"].contains(&access_type) {
        return Err(KnownError::invalid_access_type(access_type));
    }
    let project_id = header("x-stack-project-id")
        .ok_or_else(|| KnownError::access_type_without_project_id(access_type))?;
    if access_type != "server" {
        return Err(KnownError::insufficient_access_type(access_type));
    }
    let key = key.ok_or_else(KnownError::server_authentication_required)?;
    let credentials = &shared.lock().credentials;
    if project_id != credentials.project_id || key != credentials.secret_server_key {
        return Err(KnownError::invalid_secret_server_key(project_id));
    }
    Ok(())
}

/// Reads an id from a path or a query.
pub fn parse_id(name: &str, text: &str) -> Result<Uuid, KnownError> {
    text.parse()
        .map_err(|_| KnownError::schema(format!("{name} must be a valid UUID")))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListUsers {
    limit: Option<String>,
    cursor: Option<String>,
    order_by: Option<String>,
    desc: Option<String>,
    include_anonymous: Option<String>,
    include_restricted: Option<String>,
}

/// `GET /api/v1/users`
pub async fn list_users(
    State(shared): State<Shared>,
    _: Server,
    query: Given<ListUsers>,
) -> Result<Json<Value>, KnownError> {
    let query = accept(query)?;
    let limit = query.limit.as_deref().map(parse_limit).transpose()?;
    let cursor = query
        .cursor
        .as_deref()
        .map(|cursor| parse_id("cursor", cursor))
        .transpose()?;
    if query.order_by.is_some_and(|order| order != "signed_up_at") {
        return Err(KnownError::schema("order_by must be signed_up_at"));
    }
    let descending = is_true("desc", query.desc.as_deref())?;
    let anonymous = is_true("include_anonymous", query.include_anonymous.as_deref())?;
    let restricted =
        is_true("include_restricted", query.include_restricted.as_deref())? || anonymous;

    let state = shared.lock();
    let shown =
        |user: &&User| (anonymous || !user.is_anonymous()) && (restricted || !user.is_restricted());
    let mut users: Box<dyn Iterator<Item = &User>> = if descending {
        Box::new(state.users().rev().filter(shown))
    } else {
        Box::new(state.users().filter(shown))
    };
    if let Some(cursor) = cursor {
        // A cursor whose user is gone matches nothing, and the list ends.
        users = Box::new(users.skip_while(move |user| user.id != cursor));
    }
    let page = limit.unwrap_or(MAX_LIMIT);
    let items: Vec<Value> = users
        .by_ref()
        .take(page)
        .map(|user| state.read_user(user))
        .collect();
    let next = users.next().map(|user| user.id);
    if limit.is_none() && next.is_some() {
        return Err(KnownError::schema(format!(
            "more than {MAX_LIMIT} users match: a limit is required"
        )));
    }
    Ok(Json(json!({
        "items": items,
        "is_paginated": true,
        "pagination": { "next_cursor": next },
    })))
}

fn parse_limit(text: &str) -> Result<usize, KnownError> {
    text.parse()
        .ok()
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| KnownError::schema(format!("limit must be between 1 and {MAX_LIMIT}")))
}

/// `GET /api/v1/users/{user_id}`
pub async fn read_user(
    State(shared): State<Shared>,
    _: Server,
    Path(user_id): Path<String>,
) -> Result<Json<Value>, KnownError> {
    let state = shared.lock();
    let user = state.user(parse_id("user_id", &user_id)?)?;
    Ok(Json(state.read_user(user)))
}

/// A list that comes in one piece.
fn whole(items: Vec<Value>) -> Json<Value> {
    Json(json!({ "items": items, "is_paginated": false }))
}

/// `GET /api/v1/teams`
pub async fn list_teams(State(shared): State<Shared>, _: Server) -> Json<Value> {
    whole(shared.lock().teams.list())
}

/// `GET /api/v1/team-member-profiles`
pub async fn list_memberships(State(shared): State<Shared>, _: Server) -> Json<Value> {
    let state = shared.lock();
    let memberships = state.teams.memberships();
    whole(
        memberships
            .iter()
            .filter_map(|membership| state.read_membership(membership))
            .collect(),
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListPermissions {
    recursive: Option<String>,
}

/// `GET /api/v1/team-permissions`
pub async fn list_team_permissions(
    shared: State<Shared>,
    server: Server,
    query: Given<ListPermissions>,
) -> Result<Json<Value>, KnownError> {
    list_permissions(shared, server, query, Scope::Team)
}

/// `GET /api/v1/project-permissions`
pub async fn list_project_permissions(
    shared: State<Shared>,
    server: Server,
    query: Given<ListPermissions>,
) -> Result<Json<Value>, KnownError> {
    list_permissions(shared, server, query, Scope::Project)
}

fn list_permissions(
    State(shared): State<Shared>,
    _: Server,
    query: Given<ListPermissions>,
    scope: Scope,
) -> Result<Json<Value>, KnownError> {
    let recursive = is_true("recursive", accept(query)?.recursive.as_deref())?;
    Ok(whole(shared.lock().permissions.list(scope, recursive)))
}
