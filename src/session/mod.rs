//! The session's identity: the verified claims that it acts under.
//!
//! `identity` is what an identity is, `store` keeps it where nobody can forge it and where it
//! follows transactions, `hooks` keeps void ones from parallel workers, `enter` is how a session
//! comes by one, `role` is the Postgres role that may come with it, `log` writes the server log,
//! `readers` are the functions that policies call, `value` makes their answers, `once` has the
//! planner call them once per query, and `one_row` knows the queries where it does so anyway.

mod enter;
mod hooks;
mod identity;
mod log;
mod once;
mod one_row;
mod readers;
mod role;
mod store;
mod value;

pub use identity::Identity;
pub use store::{POSTGRES_EPOCH, current, define};
