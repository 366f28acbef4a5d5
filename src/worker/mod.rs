//! Work behind the sessions' backs, for servers that preload the library.
//!
//! `launcher` is one process for the whole server. It holds no connection to any database, and
//! sends short-lived visitors to those that have something to do: `visit`.

mod launcher;
mod retry;
mod visit;

/// Registers the launcher, while the server loads the library.
pub fn define() {
    launcher::register();
}
