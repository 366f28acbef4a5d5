//! What is accepted, and a test for each thing that must be refused, which its name says.

mod claims;
mod common;
mod discovery;
mod form;
mod header;
mod inspect;
mod key_rows;
mod keys;
mod ml_dsa;
mod mutation;
mod numbers;
mod policy;
mod positive;
mod signature;
mod signature_cache;
mod stack;
mod time;
