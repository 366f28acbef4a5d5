//! The auth service's REST API.
//!
//! `api` sends requests, `answer` parses responses, and `items` extracts what the mirror needs.

pub mod answer;
pub mod api;
pub mod items;
