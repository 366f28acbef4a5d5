//! The back-off after failures.

use crate::clock::SECOND;

/// The back-off after a first failure; it doubles with each further one.
pub const FIRST_RETRY: i64 = 5 * SECOND;
const LONGEST_RETRY: i64 = 3600 * SECOND;

/// The back-off after this number of failures.
pub fn retry_after(failures: u32) -> i64 {
    (FIRST_RETRY << failures.saturating_sub(1).min(20)).min(LONGEST_RETRY)
}
