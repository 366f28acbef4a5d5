//! The auth service's REST API.
//!
//! `api` asks, `answer` reads what comes back, and `items` takes out what the mirror needs.

pub mod answer;
pub mod api;
pub mod items;
