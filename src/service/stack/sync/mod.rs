//! Makes the mirror equal to the REST API.
//!
//! `objects` writes users and teams into the mirror; `pages` follows the pages of a list; `queue`
//! confirms objects whose events may be stale, `run` synchronises everything, and `erase` erases
//! deleted users.

mod erase;
mod objects;
mod pages;
mod queue;
mod run;

pub use erase::erase_deleted;
pub use run::{drain, sync};
