//! What a user can do, and which policy says so: evaluates expressions of policies as a role with an identity.
//!
//! `explain` and `functions` are what SQL calls. `as_user` switches role and identity in a subtransaction that is
//! always rolled back, `expression` puts one row in the place of a table's columns, `execute` runs the expression, and
//! `outcome` says what became of it and of the parts that decide. `populate` makes a row that is not stored. `report` is
//! about all rows, which `count` counts (`access` is a row of it), and `map` draws it. `asked_role` knows who may ask, and `sign_in`
//! whether the user can sign in.
//! `advice` is about the conditions of policies themselves.

mod access;
mod advice;
mod as_user;
mod asked_role;
mod count;
mod execute;
mod explain;
mod expression;
mod functions;
mod map;
mod outcome;
mod populate;
mod report;
mod sign_in;
mod test_database;
