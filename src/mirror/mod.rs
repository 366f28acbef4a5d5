//! The mirror of users, teams and permissions. Its tables and rules are SQL; here is what SQL
//! cannot do, or not fast enough for a policy that asks for each row.

mod changes;
mod known;
mod lock;
mod object;
mod readers;
mod row;
mod standing;

pub use lock::lock_mirror;
pub use object::{TEAM, USER, id};
pub use row::{Table, define};
