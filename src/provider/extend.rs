//! Extends a session of Better Auth that is used, as Better Auth's own server does: at the age
//! `neon_auth.session_update_age`, for `neon_auth.session_expires_in`.

use pgrx::pg_sys;

use crate::clock::{self, SECOND};
use crate::pg::spi;
use crate::settings::{SESSION_EXPIRES_IN, SESSION_UPDATE_AGE};

/// How much shorter than `session_expires_in` a session may have begun.
const TOLERANCE: i64 = 60 * SECOND;

/// The times of a session, in microseconds since 1970.
pub struct Times {
    pub created_at: i64,
    pub expires_at: i64,
}

/// Extends the session if that is due. Returns its new end; `None` if it is unchanged, also if the
/// table cannot be written: a sign-in never fails because of that.
pub fn if_due(id: &str, times: &Times) -> Option<i64> {
    let now = clock::microseconds();
    let until = due(times, now)?;
    // Cheaper than the attempt, which would fail.
    // SAFETY: both read the state of the process and its transaction.
    if unsafe { pg_sys::XactReadOnly || pg_sys::RecoveryInProgress() } {
        return None;
    }
    let extended = spi::write(
        "SELECT neon_auth_internal.extend_session($1, $2::bigint, $3::bigint, $4::bigint)::text",
        &[
            id,
            &times.expires_at.to_string(),
            &now.to_string(),
            &until.to_string(),
        ],
    );
    (extended.as_deref() == Some("true")).then_some(until)
}

/// The new end of a session, if it is old enough. A session that began shorter stays as long as it
/// is: that of a user who is not to be remembered.
fn due(times: &Times, now: i64) -> Option<i64> {
    let update_age = i64::from(SESSION_UPDATE_AGE.get()) * SECOND;
    let expires_in = i64::from(SESSION_EXPIRES_IN.get()) * SECOND;
    let until = now.saturating_add(expires_in);
    // Times may be infinite.
    let left = times.expires_at.saturating_sub(now);
    let lifetime = times.expires_at.saturating_sub(times.created_at);
    let is_due = update_age > 0
        && left <= expires_in - update_age
        && lifetime >= expires_in - TOLERANCE
        && until > times.expires_at;
    is_due.then_some(until)
}
