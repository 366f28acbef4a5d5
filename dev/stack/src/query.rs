//! Query strings, read as strictly as the service reads them.

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;

use crate::error::KnownError;

/// A query string, or why it is refused.
pub type Given<T> = Result<Query<T>, QueryRejection>;

/// The content of a query string.
pub fn accept<T>(query: Given<T>) -> Result<T, KnownError> {
    match query {
        Ok(Query(content)) => Ok(content),
        Err(error) => Err(KnownError::schema(error.body_text())),
    }
}

/// A flag: `true`, `false` or absent, nothing else.
pub fn is_true(name: &str, value: Option<&str>) -> Result<bool, KnownError> {
    match value {
        Some("true") => Ok(true),
        Some("false") | None => Ok(false),
        Some(_) => Err(KnownError::schema(format!(
            "{name} must be one of true, false"
        ))),
    }
}
