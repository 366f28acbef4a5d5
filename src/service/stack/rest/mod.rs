//! The auth service's REST API.
//!
//! `api` sends requests, `answer` parses responses, `items` extracts what the mirror needs, and
//! `users` reads pages of the list of users.

pub mod answer;
pub mod api;
pub mod items;
pub mod users;
