//! The session's identity: the verified claims that it acts under.
//!
//! `current` keeps it where nobody can forge it and where it
//! follows transactions, `hooks` keeps void ones from parallel workers,
//! `statement` knows when the statement began at which expiry is judged, `enter` is how a session
//! comes by one, `role` is the Postgres role that may come with it, `log` writes the server log,
//! `readers` are the functions that policies call, `value` makes their answers, `once` has them
//! called once per query, `before_planning` meets them in each query before it is planned,
//! and `one_row` knows the queries where they are called once anyway.

mod before_planning;
mod current;
mod enter;
mod hooks;
mod log;
mod once;
mod one_row;
mod readers;
mod role;
mod statement;
mod value;

pub use current::current;
pub use statement::POSTGRES_EPOCH;
pub use value::Value;

/// Registers what every process needs.
pub fn define() {
    current::define();
    statement::define();
    before_planning::define();
}
