//! Work behind the sessions' backs, for servers that preload the library.
//!
//! `launcher` is one process for the whole server. It holds no connection to any database, and
//! sends short-lived visitors to those that have something to do: `visit`.

mod launcher;
mod visit;

const SECOND: i64 = 1_000_000;
/// The wait after a first failure; it doubles with each further one.
const FIRST_RETRY: i64 = 5 * SECOND;
const LONGEST_RETRY: i64 = 3600 * SECOND;

/// Registers the launcher, while the server loads the library.
pub fn define() {
    launcher::register();
}

/// How long to wait after so many failures.
fn retry_after(failures: u32) -> i64 {
    (FIRST_RETRY << failures.saturating_sub(1).min(20)).min(LONGEST_RETRY)
}
