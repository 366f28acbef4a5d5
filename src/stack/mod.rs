//! The auth service's REST API, and the mirror made equal to what it answers.
//!
//! `api` asks, `answer` reads what comes back, `items` takes out what the mirror needs; `objects`
//! brings users and teams into the mirror; `pages` leads through the pages of a list; `queue`
//! confirms what events left undecided, `run` compares everything, `steps` is how both work in
//! short transactions, in a procedure as in a worker, `erase` does so with deleted users, and
//! `procedure` is `CALL neon_auth.sync()`.

mod answer;
mod api;
mod erase;
mod items;
mod objects;
mod pages;
mod procedure;
mod queue;
mod run;
mod steps;

pub use erase::erase_deleted;
pub use run::{drain, note_error, sync};
pub use steps::{Steps, Stop};
