//! The auth services that fill the mirror.

mod procedure;
pub mod stack;
