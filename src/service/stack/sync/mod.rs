//! Makes the mirror equal to the REST API.
//!
//! `objects` writes users and teams into the mirror; `walk` and `list` read ordered lists,
//! `user_list` reads that of users, `team_list` that of a team's members, `all_teams` that of teams,
//! and `pages` ends lists without an end; `queue` confirms objects whose events may be stale, `run`
//! synchronises everything, `teams` the members of teams one by one, and `erase` erases deleted
//! users.

mod all_teams;
mod erase;
mod list;
mod objects;
mod pages;
mod queue;
mod run;
mod team_list;
mod teams;
mod user_list;
mod walk;

pub use erase::erase_deleted;
pub use run::{drain, sync};
