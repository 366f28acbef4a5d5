//! Background workers, for servers that preload the library.
//!
//! `launcher` is one process for the whole server. It is not connected to any database, and starts
//! short-lived workers for the databases that have work: `visit`.

mod launcher;
mod retry;
mod visit;

/// Registers the launcher, while the server loads the library.
pub fn define() {
    launcher::register();
}
