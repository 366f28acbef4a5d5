//! The mirror made equal to what the REST API answers.
//!
//! `objects` brings users and teams into the mirror; `pages` leads through the pages of a list;
//! `queue` confirms what events left undecided, `run` compares everything, and `erase` erases
//! deleted users.

mod erase;
mod objects;
mod pages;
mod queue;
mod run;

pub use erase::erase_deleted;
pub use run::{drain, note_error, sync};
