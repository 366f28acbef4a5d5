//! Makes the mirror equal to the REST API.
//!
//! `objects` writes users and teams into the mirror; `walk` and `list` read ordered lists,
//! `user_list` reads that of users, and `pages` ends lists without an end; `queue` confirms objects
//! whose events may be stale, `run` synchronises everything, and `erase` erases deleted users.

mod erase;
mod list;
mod objects;
mod pages;
mod queue;
mod run;
mod user_list;
mod walk;

pub use erase::erase_deleted;
pub use run::{drain, sync};
