//! How a process that is no session behaves, and how sessions wake it.
//!
//! `process` sets up its signals and settings, and knows whether somebody waits for its database to
//! be left; `steps` works in short transactions, in a procedure as in a worker; `wake` is how
//! sessions tell the launcher that there is something to do.

pub mod process;
pub mod steps;
pub mod wake;
