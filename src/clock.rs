//! The time since 1970, by the server's clock.

use std::time::{SystemTime, UNIX_EPOCH};

/// One second, in microseconds.
pub const SECOND: i64 = 1_000_000;
/// The epoch of PostgreSQL's timestamps, in seconds since 1970.
const POSTGRES_EPOCH: i64 = 946_684_800;

/// Seconds since 1970. A clock before 1970 is wrong; zero then refuses every token.
pub fn seconds() -> i64 {
    microseconds() / SECOND
}

/// Microseconds since 1970.
pub fn microseconds() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros().try_into().unwrap_or(i64::MAX))
}

/// The seconds since 1970 of a PostgreSQL timestamp.
pub fn seconds_of(timestamp: i64) -> i64 {
    timestamp.div_euclid(SECOND) + POSTGRES_EPOCH
}

/// The microseconds since 1970 of a PostgreSQL timestamp.
pub fn microseconds_of(timestamp: i64) -> i64 {
    timestamp.saturating_add(POSTGRES_EPOCH * SECOND)
}

/// The PostgreSQL timestamp of seconds since 1970; `None` beyond 64 bits.
pub fn timestamp(seconds: i64) -> Option<i64> {
    seconds.checked_sub(POSTGRES_EPOCH)?.checked_mul(SECOND)
}
