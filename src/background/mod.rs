//! How a background process behaves, and how sessions wake the launcher.
//!
//! `process` sets up signals and settings, and knows whether another session waits for the worker's
//! database; `steps` does work in short transactions, in a procedure as in a worker; `wake` lets a
//! session tell the launcher that its database has work.

pub mod process;
pub mod steps;
pub mod wake;
