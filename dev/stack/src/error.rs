//! The service's refusals, in the form in which a client sees them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::clock::now_millis;
use crate::derive;

/// The header that repeats the code of a known error; a newer server adds it under its other name.
pub const KNOWN_ERROR_HEADER: &str = "x-stack-known-error";

/// A refusal with one of the service's documented codes.
#[derive(Clone, Debug, PartialEq)]
pub struct KnownError {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub details: Option<Value>,
}

impl KnownError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            details: None,
        }
    }

    fn with_details(self, details: Value) -> Self {
        Self {
            details: Some(details),
            ..self
        }
    }

    /// The request does not have the form that the endpoint asks for.
    pub fn schema(message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(StatusCode::BAD_REQUEST, "SCHEMA_ERROR", message.clone())
            .with_details(json!({ "message": message }))
    }

    /// A query has a parameter that the endpoint does not know.
    pub fn unknown_parameter(name: &str) -> Self {
        Self::schema(format!("query contains unknown properties: {name}"))
    }

    pub fn access_type_required() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "ACCESS_TYPE_REQUIRED",
            "The x-stack-access-type header is required here.",
        )
    }

    pub fn key_without_access_type() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "PROJECT_KEY_WITHOUT_ACCESS_TYPE",
            "A project key came without the x-stack-access-type header.",
        )
    }

    pub fn invalid_access_type(given: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "INVALID_ACCESS_TYPE",
            format!("The access type {given:?} is none of client, server and admin."),
        )
    }

    pub fn access_type_without_project_id(given: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "ACCESS_TYPE_WITHOUT_PROJECT_ID",
            "An access type came without the x-stack-project-id header.",
        )
        .with_details(json!({ "request_type": given }))
    }

    pub fn insufficient_access_type(given: &str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "INSUFFICIENT_ACCESS_TYPE",
            format!("The access type {given:?} is not enough here."),
        )
        .with_details(json!({ "actual_access_type": given, "allowed_access_types": ["server"] }))
    }

    pub fn server_authentication_required() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "SERVER_AUTHENTICATION_REQUIRED",
            "The x-stack-secret-server-key header is required here.",
        )
    }

    pub fn invalid_secret_server_key(project_id: &str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "INVALID_SECRET_SERVER_KEY",
            format!("This secret server key is not valid for the project {project_id:?}."),
        )
        .with_details(json!({ "project_id": project_id }))
    }

    /// The project, which is looked for before the key.
    pub fn current_project_not_found(project_id: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "CURRENT_PROJECT_NOT_FOUND",
            format!("There is no project {project_id:?}."),
        )
        .with_details(json!({ "project_id": project_id }))
    }

    pub fn branch_does_not_exist() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "BRANCH_DOES_NOT_EXIST",
            "The project has no branch \"main\".",
        )
        .with_details(json!({ "branch_id": "main" }))
    }

    pub fn user_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "USER_NOT_FOUND", "User not found.")
    }

    pub fn team_not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "TEAM_NOT_FOUND", "Team not found.")
    }

    pub fn membership_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "TEAM_MEMBERSHIP_NOT_FOUND",
            "The user is not a member of the team.",
        )
    }

    pub fn code_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "VERIFICATION_CODE_NOT_FOUND",
            "The code does not exist for this project.",
        )
    }

    pub fn code_expired() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "VERIFICATION_CODE_EXPIRED",
            "The code has expired.",
        )
    }

    pub fn code_already_used() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "VERIFICATION_CODE_ALREADY_USED",
            "The code was used before.",
        )
    }

    pub fn permission_not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "PERMISSION_NOT_FOUND",
            "No such permission is defined or granted.",
        )
    }
}

/// A refusal of either form.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    Known(KnownError),
    /// Text without a code.
    Text(StatusCode, String),
}

impl Refusal {
    /// Too many users match, and the request does not limit them.
    pub fn limit_required(most: usize) -> Self {
        Self::Text(
            StatusCode::BAD_REQUEST,
            format!(
                "More than {most} users match. Add the parameter limit, and read them page by page."
            ),
        )
    }

    /// The service failed; it says no more than which request it was.
    pub fn internal() -> Self {
        let request_id = derive::uuid(&["request", &now_millis().to_string()]);
        Self::Text(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("Something went wrong. Please try again later.\n\nRequest ID: {request_id}"),
        )
    }
}

impl From<KnownError> for Refusal {
    fn from(error: KnownError) -> Self {
        Self::Known(error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Known(error) => error.into_response(),
            // axum sends a string as text/plain.
            Self::Text(status, text) => (status, text).into_response(),
        }
    }
}

impl IntoResponse for KnownError {
    fn into_response(self) -> Response {
        let mut body = json!({ "code": self.code, "error": self.message });
        if let Some(details) = self.details {
            body["details"] = details;
        }
        (self.status, [(KNOWN_ERROR_HEADER, self.code)], Json(body)).into_response()
    }
}
