//! The header `Retry-After` of a response (RFC 9110, 10.2.3).

use std::time::{Duration, SystemTime};

/// How long it requests to wait: seconds, or a date. A date refers to the service's clock, which the header
/// `Date` of the response contains; without one, to `now`.
pub fn delay(retry_after: &str, date: Option<&str>, now: SystemTime) -> Option<Duration> {
    if let Ok(seconds) = retry_after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let then = httpdate::parse_http_date(retry_after).ok()?;
    let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
    // A date in the past: at once.
    Some(then.duration_since(date.unwrap_or(now)).unwrap_or_default())
}
