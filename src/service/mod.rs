//! The auth services that fill the mirror.
//!
//! `source` chooses the one for the mirror, `procedure` is `CALL neon_auth.sync()`, and each
//! service has a folder; `runs` has what their runs have in common.

mod better_auth;
mod procedure;
mod runs;
mod source;
mod stack;

pub use runs::note_error;
pub use source::{drain, sync};
pub use stack::sync::erase_deleted;
