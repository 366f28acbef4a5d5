//! The session's identity: the verified claims that it acts under.
//!
//! `setting` keeps it where nobody can forge it and where it follows transactions, `scope` is how
//! long it lasts, `current` assumes, forgets and reads it. `hooks` is called before each statement,
//! `settle` then takes void and expired ones away, and `statement` knows when the statement began at
//! which expiry is judged. `enter` is how a session comes by one, `role` is the Postgres role that
//! may come with it, `log` writes the server log, `readers` are the functions that policies call,
//! `once` has them called once per query, `before_planning` meets them in each query before it is
//! planned, and `one_row` knows the queries where they are called once anyway.

mod before_planning;
mod current;
mod enter;
mod hooks;
mod log;
mod once;
mod one_row;
mod readers;
mod role;
mod scope;
mod setting;
mod settle;
mod statement;

pub use current::current;

/// Registers what every process needs.
pub fn define() {
    setting::define();
    settle::define();
    statement::define();
    before_planning::define();
}
