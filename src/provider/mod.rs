//! Whom the database trusts: providers, their keys, and the tokens that they vouch for.
//!
//! `trust` is what the tables say, read once per session and again when they change;
//! `rules` says what a provider's columns mean and `defects` what is wrong with them; `freshness`
//! decides whether the keys at hand will do; `refresh` gets new ones, with one fetch for many
//! waiting sessions; `fetch` is the HTTP request; `admit` puts them together, `role` follows
//! a role claim, `claim_map` says what readers read, and `seen` spares a signature that was checked before.

mod admit;
mod admitted;
mod claim_map;
mod credential;
mod defects;
mod discovery;
mod fetch;
mod freshness;
mod functions;
mod inspect;
mod refresh;
mod role;
mod rules;
mod seen;
mod trust;
mod well_known;

pub use admit::admit;
pub use admitted::{Admitted, Proof};
pub use credential::read;
pub use refresh::refresh_ahead;
pub use trust::{current, define};
