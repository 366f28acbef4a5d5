//! Stack Auth: its REST API, its webhooks, and the Neon console that provisions it.

mod console;
mod rest;
pub mod sync;
mod webhook;
