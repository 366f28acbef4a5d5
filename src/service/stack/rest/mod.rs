//! The auth service's REST API.
//!
//! `api` sends requests, `answer` has what arrives of a response, which `neon_auth_wire` parses, and `users`
//! reads pages of the list of users.

pub mod answer;
pub mod api;
pub mod users;
