//! The auth services that fill the mirror.
//!
//! `source` chooses the one for the mirror, `procedure` is `CALL neon_auth.sync()`, and each
//! service has a folder.

mod better_auth;
mod procedure;
mod source;
mod stack;

pub use source::{drain, sync};
pub use stack::sync::{erase_deleted, note_error};
