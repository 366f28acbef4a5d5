//! The REST API that a secret server key opens.

use std::borrow::Cow;

use axum::Json;
use axum::extract::{self, Extension, FromRequestParts, Path};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::age::{Age, Gone};
use crate::error::{KnownError, Refusal};
use crate::lists;
use crate::permissions::Holder;
use crate::query::{Given, accept, is_true};
use crate::state::{Shared, State};
use crate::users::User;

/// The most users that one page holds, and that a list without a limit shows.
pub const MAX_LIMIT: usize = 1000;

/// Tells the handler of users that its page is to be a short one.
#[derive(Clone, Copy)]
pub struct Short;

/// Tells the handler of users to look at no `team_id`.
#[derive(Clone, Copy)]
pub struct AnyTeam;

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
    let age = shared.lock().options.age;
    let header = |name: &str| {
        let names = age.header_prefixes().iter();
        let mut values = names.filter_map(|prefix| headers.get(format!("{prefix}{name}")));
        values.next().and_then(|value| value.to_str().ok())
    };
    let key = header("secret-server-key");
    let access_type = match (header("access-type"), key) {
        (Some(given), _) => given,
        (None, Some(_)) => return Err(KnownError::key_without_access_type()),
        (None, None) => return Err(KnownError::access_type_required()),
    };
    if !["client", "server", "admin"].contains(&access_type) {
        return Err(KnownError::invalid_access_type(access_type));
    }
    let project_id = header("project-id")
        .ok_or_else(|| KnownError::access_type_without_project_id(access_type))?;
    let state = shared.lock();
    if state.gone == Some(Gone::Project) || project_id != state.credentials.project_id {
        return Err(KnownError::current_project_not_found(project_id));
    }
    if state.gone == Some(Gone::Branch) {
        return Err(KnownError::branch_does_not_exist());
    }
    if access_type != "server" {
        return Err(KnownError::insufficient_access_type(access_type));
    }
    let key = key.ok_or_else(KnownError::server_authentication_required)?;
    if key != state.credentials.secret_server_key {
        return Err(KnownError::invalid_secret_server_key(project_id));
    }
    Ok(())
}

/// Reads an id from a path or a query.
pub fn parse_id(name: &str, text: &str) -> Result<Uuid, KnownError> {
    text.parse()
        .map_err(|_| KnownError::schema(format!("{name} must be a valid UUID")))
}

fn parse_given_id(name: &str, text: Option<&str>) -> Result<Option<Uuid>, KnownError> {
    text.map(|text| parse_id(name, text)).transpose()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListUsers {
    limit: Option<String>,
    cursor: Option<String>,
    team_id: Option<String>,
    order_by: Option<String>,
    desc: Option<String>,
    include_anonymous: Option<String>,
    include_restricted: Option<String>,
}

#[derive(Serialize)]
pub struct Page {
    items: Vec<Value>,
    is_paginated: bool,
    pagination: Pagination,
}

#[derive(Serialize)]
struct Pagination {
    next_cursor: Option<Uuid>,
}

/// `GET /api/v1/users`; of a team that is not there the list is empty.
pub async fn list_users(
    extract::State(shared): extract::State<Shared>,
    _: Server,
    short: Option<Extension<Short>>,
    any_team: Option<Extension<AnyTeam>>,
    query: Given<ListUsers>,
) -> Result<Json<Page>, Refusal> {
    let query = accept(query)?;
    let limit = query.limit.as_deref().map(parse_limit).transpose()?;
    let cursor = parse_given_id("cursor", query.cursor.as_deref())?;
    let team_id = parse_given_id("team_id", query.team_id.as_deref())?;
    if query.order_by.is_some_and(|order| order != "signed_up_at") {
        return Err(KnownError::schema("order_by must be signed_up_at").into());
    }
    let descending = is_true("desc", query.desc.as_deref())?;
    let state = shared.lock();
    let age = state.options.age;
    let (anonymous, restricted) = (&query.include_anonymous, &query.include_restricted);
    age.accept("include_anonymous", anonymous, Age::BeforeRestricted)?;
    age.accept("include_restricted", restricted, Age::Current)?;
    // Whom a server cannot include, it does not leave out.
    let anonymous =
        is_true("include_anonymous", anonymous.as_deref())? || age < Age::BeforeRestricted;
    let restricted =
        is_true("include_restricted", restricted.as_deref())? || anonymous || age < Age::Current;

    let shown = |user: &Cow<User>| {
        (anonymous || !user.is_anonymous()) && (restricted || !user.is_restricted())
    };
    // A cursor whose user is gone matches nothing, and the list ends.
    let users: Box<dyn Iterator<Item = Cow<User>>> = match team_id {
        Some(team_id) if any_team.is_none() => {
            let members = state.teams.memberships(Some(team_id), None);
            let members = members.into_iter().map(|membership| membership.user_id);
            Box::new(state.users.list_some(members, cursor, descending))
        }
        _ => Box::new(state.users.list(cursor, descending)),
    };
    let is_exclusive = state.options.exclusive_cursors;
    // It leaves out whoever comes first, even if the user of the cursor is not in this list.
    let left_out = usize::from(is_exclusive && cursor.is_some());
    let mut users = users.filter(shown).skip(left_out);
    let mut page = limit.unwrap_or(MAX_LIMIT);
    if short.is_some() {
        page = page.div_ceil(2);
    }
    let listed: Vec<Cow<User>> = users.by_ref().take(page).collect();
    let last = listed.last().map(|user| user.id);
    let next = users.next().map(|user| user.id);
    let next = next.and_then(|next| if is_exclusive { last } else { Some(next) });
    let items: Vec<Value> = (listed.into_iter().map(|user| state.list_user(user))).collect();
    if limit.is_none() && short.is_none() && next.is_some() {
        return Err(Refusal::limit_required(MAX_LIMIT));
    }
    Ok(Json(Page {
        items,
        is_paginated: true,
        pagination: Pagination { next_cursor: next },
    }))
}

fn parse_limit(text: &str) -> Result<usize, KnownError> {
    text.parse()
        .ok()
        .filter(|limit| (1..=MAX_LIMIT).contains(limit))
        .ok_or_else(|| KnownError::schema(format!("limit must be between 1 and {MAX_LIMIT}")))
}

/// The query of an endpoint that has no parameters.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoParameters {}

/// `GET /api/v1/users/{user_id}`
pub async fn read_user(
    extract::State(shared): extract::State<Shared>,
    _: Server,
    Path(user_id): Path<String>,
    query: Given<NoParameters>,
) -> Result<Json<Value>, KnownError> {
    accept(query)?;
    let state = shared.lock();
    let user = state.user(parse_id("user_id", &user_id)?)?;
    Ok(Json(state.read_user(user)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListTeams {
    user_id: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
    order_by: Option<String>,
    desc: Option<String>,
}

/// `GET /api/v1/teams`; a newer server lists them in pages if it is asked to, and its cursor is the
/// last team of the page before.
pub async fn list_teams(
    extract::State(shared): extract::State<Shared>,
    _: Server,
    query: Given<ListTeams>,
) -> Result<Response, KnownError> {
    let query = accept(query)?;
    let user_id = parse_given_id("user_id", query.user_id.as_deref())?;
    let age = shared.lock().options.age;
    for (name, value) in [
        ("limit", &query.limit),
        ("cursor", &query.cursor),
        ("order_by", &query.order_by),
        ("desc", &query.desc),
    ] {
        age.accept(name, value, Age::Newer)?;
    }
    let limit = query.limit.as_deref().map(parse_limit).transpose()?;
    let cursor = parse_given_id("cursor", query.cursor.as_deref())?;
    if query.order_by.is_some_and(|order| order != "created_at") {
        return Err(KnownError::schema("order_by must be created_at"));
    }
    let descending = is_true("desc", query.desc.as_deref())?;
    let listed = move |state: &State| {
        let mut ids = state.teams.list(user_id);
        if descending {
            ids.reverse();
        }
        ids
    };
    let Some(limit) = limit else {
        let read = |state: &State, id: &Uuid| Vec::from_iter(state.teams.get(*id));
        return Ok(lists::whole(shared, listed, read));
    };
    let state = shared.lock();
    let mut ids = listed(&state);
    if let Some(cursor) = cursor {
        let read = ids.iter().position(|id| *id == cursor);
        ids.drain(..read.map_or(ids.len(), |read| read + 1));
    }
    let is_last = ids.len() <= limit;
    ids.truncate(limit);
    let items = ids.iter().filter_map(|id| state.teams.get(*id));
    Ok(Json(Page {
        items: items.collect(),
        is_paginated: true,
        pagination: Pagination {
            next_cursor: ids.last().copied().filter(|_| !is_last),
        },
    })
    .into_response())
}

/// `GET /api/v1/teams/{team_id}`
pub async fn read_team(
    extract::State(shared): extract::State<Shared>,
    _: Server,
    Path(team_id): Path<String>,
    query: Given<NoParameters>,
) -> Result<Json<Value>, KnownError> {
    accept(query)?;
    let team = shared.lock().teams.get(parse_id("team_id", &team_id)?);
    team.map(Json).ok_or_else(KnownError::team_not_found)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListMemberships {
    team_id: Option<String>,
    user_id: Option<String>,
}

/// `GET /api/v1/team-member-profiles`; of a team or a user that is not there it has no list. Those of
/// permissions have an empty one.
pub async fn list_memberships(
    extract::State(shared): extract::State<Shared>,
    _: Server,
    query: Given<ListMemberships>,
) -> Result<Response, Refusal> {
    let query = accept(query)?;
    let team_id = parse_given_id("team_id", query.team_id.as_deref())?;
    let user_id = parse_given_id("user_id", query.user_id.as_deref())?;
    let state = shared.lock();
    state.check_present(team_id, user_id)?;
    // It loads the user of each membership, more than its database takes at once.
    if state.teams.memberships(team_id, user_id).len() > state.options.profiles_cap {
        return Err(Refusal::internal());
    }
    drop(state);
    Ok(lists::whole(
        shared,
        |state| state.teams.memberships(team_id, user_id),
        |state, membership| Vec::from_iter(state.read_membership(membership)),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListTeamPermissions {
    team_id: Option<String>,
    user_id: Option<String>,
    permission_id: Option<String>,
    recursive: Option<String>,
}

/// `GET /api/v1/team-permissions`
pub async fn list_team_permissions(
    extract::State(shared): extract::State<Shared>,
    _: Server,
    query: Given<ListTeamPermissions>,
) -> Result<Response, KnownError> {
    let query = accept(query)?;
    let team_id = parse_given_id("team_id", query.team_id.as_deref())?;
    let user_id = parse_given_id("user_id", query.user_id.as_deref())?;
    let recursive = is_true("recursive", query.recursive.as_deref())?;
    Ok(lists::whole(
        shared,
        |state| state.team_holders(team_id, user_id),
        move |state, holder| held(state, *holder, recursive, query.permission_id.as_deref()),
    ))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListProjectPermissions {
    user_id: Option<String>,
    permission_id: Option<String>,
    recursive: Option<String>,
}

/// `GET /api/v1/project-permissions`
pub async fn list_project_permissions(
    extract::State(shared): extract::State<Shared>,
    _: Server,
    query: Given<ListProjectPermissions>,
) -> Result<Response, KnownError> {
    let query = accept(query)?;
    let user_id = parse_given_id("user_id", query.user_id.as_deref())?;
    let recursive = is_true("recursive", query.recursive.as_deref())?;
    Ok(lists::whole(
        shared,
        |state| state.project_holders(user_id),
        move |state, holder| held(state, *holder, recursive, query.permission_id.as_deref()),
    ))
}

/// What a holder has, or of that one permission.
fn held(state: &State, holder: Holder, recursive: bool, permission_id: Option<&str>) -> Vec<Value> {
    let mut held = state.permissions.held(holder, recursive);
    held.retain(|grant| permission_id.is_none_or(|id| grant["id"] == id));
    held
}
