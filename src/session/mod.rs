//! The session's identity: its verified claims.
//!
//! `setting` stores it where it cannot be forged and where it follows transactions, `scope` is how
//! long it lasts, `current` sets, clears and reads it. `hooks` runs before each statement, `settle`
//! then removes void and expired identities, `standing` checks once per transaction whether its
//! service has ended one, and `statement` knows when the statement began, for which expiry is checked.
//! `enter` has the functions that sign in and out, `pre_request` finds the credential of an HTTP request,
//! `role` sets the Postgres role, `actor` is who really acts, which `stamp` writes into rows (`moved_row`
//! knows those that an UPDATE moves) and `wal` into the WAL, `in_person` refuses those who act for the
//! user, `log` writes the server log, `readers` are the functions that policies call, `once` evaluates
//! them once per query, `before_planning` finds their calls (`reader_call`) in each query before it is
//! planned: `unwrap` replaces sub-selects by their expression, `wrap` evaluates once what is the `same`
//! for all rows, by a `sub_select`, unless it may raise an error (`cannot_raise`) or the query reads only
//! `one_row` anyway.

mod actor;
mod before_planning;
mod cannot_raise;
mod current;
mod enter;
mod guard;
mod hooks;
mod in_person;
mod log;
mod moved_row;
mod once;
mod one_row;
mod pre_request;
mod reader_call;
mod readers;
mod role;
mod same;
mod scope;
mod setting;
mod settle;
mod stamp;
mod standing;
mod statement;
mod sub_select;
mod unwrap;
mod wal;
mod wrap;

pub use current::{current, lend, taken_back};
pub use enter::impersonated;
pub use reader_call::{finds_reader, is_reader_call};
pub use sub_select::only_expression;

/// Registers what every process needs.
pub fn define() {
    setting::define();
    settle::define();
    standing::define();
    statement::define();
    before_planning::define();
    wal::define(current::actor);
}
