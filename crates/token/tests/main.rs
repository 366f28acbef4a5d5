//! What is accepted, and a test for each thing that must be refused. The numbers in the
//! names are those of the project's list of attacks.

mod claims;
mod common;
mod discovery;
mod form;
mod header;
mod inspect;
mod keys;
mod mutation;
mod numbers;
mod policy;
mod positive;
mod signature;
mod stack;
mod time;
