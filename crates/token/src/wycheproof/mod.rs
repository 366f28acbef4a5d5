//! The vectors of Project Wycheproof: known attacks on signatures and keys, and their edge cases.

mod compare;
mod json_web;
mod signatures;
