//! The key server.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::age::{Age, Gone};
use crate::derive;
use crate::error::KnownError;
use crate::keys::Audience;
use crate::query::{Given, accept, is_true};
use crate::state::Shared;

/// What the service itself says about caching its keys.
const CACHE_CONTROL: &str = "public, max-age=3600";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Include {
    include_restricted: Option<String>,
    include_anonymous: Option<String>,
}

impl Include {
    /// Anonymous users are restricted ones too, so their keys come with the
    /// restricted users' keys, at a server that has restricted users.
    fn audiences(&self, age: Age) -> Result<&'static [Audience], KnownError> {
        age.accept("include_restricted", &self.include_restricted, Age::Current)?;
        let anonymous = is_true("include_anonymous", self.include_anonymous.as_deref())?;
        let restricted = is_true("include_restricted", self.include_restricted.as_deref())?;
        Ok(match (anonymous, restricted) {
            (true, _) if age < Age::Current => &[Audience::Normal, Audience::Anonymous],
            (true, _) => &Audience::ALL,
            (false, true) => &[Audience::Normal, Audience::Restricted],
            (false, false) => &[Audience::Normal],
        })
    }
}

/// `GET /api/v1/projects/{project_id}/.well-known/jwks.json`
pub async fn get(
    State(shared): State<Shared>,
    Path(project_id): Path<String>,
    include: Given<Include>,
    headers: HeaderMap,
) -> Result<Response, KnownError> {
    let age = shared.lock().options.age;
    let audiences = match age {
        Age::BeforeAnonymous => &[Audience::Normal],
        _ => accept(include)?.audiences(age)?,
    };
    let state = shared.lock();
    if state.gone == Some(Gone::Project) || project_id != state.options.project_id {
        return Ok((StatusCode::NOT_FOUND, "Project not found").into_response());
    }
    let body = state.keys.jwks(audiences).to_string();
    let etag = state
        .options
        .etags
        .then(|| format!("\"{}\"", derive::text(&[&body], 16)));
    let unchanged = etag.as_deref().is_some_and(|etag| names(&headers, etag));
    let mut answer = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        (
            [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
            body,
        )
            .into_response()
    };
    answer.headers_mut().insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static(CACHE_CONTROL),
    );
    if let Some(Ok(etag)) = etag.map(HeaderValue::try_from) {
        answer.headers_mut().insert(header::ETAG, etag);
    }
    Ok(answer)
}

/// Whether `If-None-Match` names this entity tag.
fn names(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get(header::IF_NONE_MATCH)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.split(',').any(|named| named.trim() == etag))
}
