//! Better Auth, whose tables are in this database.
//!
//! `trigger` learns which rows a statement has changed and `follow` brings the mirror up to date,
//! without ever failing the statement. `rows` and `memberships` say what the tables contain now, with
//! `object` and `ids` for the form that it has in the mirror. `confirm` reads again what may not have been
//! written. `sync` compares everything.

mod confirm;
mod follow;
mod ids;
mod memberships;
mod object;
mod rows;
mod sync;
mod trigger;

pub use sync::{drain, sync};
