//! The mirror of users, teams and permissions. Its tables and rules are SQL; this folder contains
//! what SQL cannot do, or not fast enough for a policy that calls for each row. `held` is what a user
//! has, and `bounds` what an API key grants of it.

pub mod alike;
mod answers;
mod bounds;
mod changes;
mod held;
mod json_text;
mod lock;
pub mod object;
mod readers;
mod response;

pub use lock::lock_mirror;
