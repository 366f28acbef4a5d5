//! What arrives of a response of the REST API, part by part.

use std::time::Duration;

use neon_auth_wire::list::Part;

/// A part of a response, in the order of arrival.
pub enum ResponsePart {
    /// Items of a list.
    Items(Part),
    /// The end of the list, with the cursor of the next page, if there is one.
    End { next_cursor: Option<String> },
    /// One object.
    Object(String),
    /// A response with an error status.
    Refused(ErrorResponse),
    /// The response did not arrive, or ended too early.
    Broken(String),
}

/// A response with an error status.
pub struct ErrorResponse {
    pub status: u16,
    /// The service's error code, if it has one.
    pub code: Option<String>,
    /// How long to wait before the next attempt.
    pub retry_after: Option<Duration>,
}
