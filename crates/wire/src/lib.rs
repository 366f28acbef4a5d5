//! What arrives from outside and is not a JSON Web Token, read without PostgreSQL, clock or network: keys
//! and cookies, deliveries of webhooks, pages of REST lists, and the texts in them.
//!
//! No input makes a function of this crate panic, and no error text contains a secret. What needs
//! PostgreSQL to be read, such as `jsonb`, is in `src`.

pub mod api_key;
pub mod cache_control;
pub mod cookie;
pub mod delivery;
pub mod discovery;
pub mod hosts;
pub mod id;
pub mod iso_8601;
pub mod items;
pub mod list;
pub mod retry_after;
