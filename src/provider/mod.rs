//! The providers that the database trusts, their keys, and the tokens that they accept.
//!
//! `trust` caches the tables per session until they change; `rules` interprets a provider's columns
//! and `defects` collects what is invalid; `freshness` decides whether the cached keys may be used;
//! `refresh` gets new keys, with one fetch for many waiting sessions; `fetch` is the HTTP request;
//! `admit` combines these, `role` maps a claim to a role (`role_map`), `claim_map` maps claims to readers,
//! `seen` caches verified tokens in the session, `signatures` their signatures in the server, and `first_seen` makes
//! the rows of new users. `tables` has the tables
//! of Better Auth that are bound; `table_keys` reads keys, `opaque` sessions, `table_api_keys` API keys
//! and `table_users` users from them; `mirrored_user` reads users of the mirror, `user_standing` refuses
//! deleted and banned ones, and `standing` checks an identity again. `api_key` accepts API keys, whose
//! form is in `neon_auth_wire`, for the user whom `owner` finds.

mod admit;
mod admitted;
mod api_key;
mod claim_map;
mod credential;
mod defects;
mod extend;
mod fetch;
mod first_seen;
mod freshness;
mod functions;
mod inspect;
mod mirrored_user;
mod opaque;
mod owner;
mod refresh;
mod revocations;
mod role;
mod role_map;
mod rules;
mod seen;
mod signatures;
mod standing;
mod table_api_keys;
mod table_keys;
mod table_users;
mod tables;
mod trust;
mod user_claims;
mod user_standing;
mod well_known;

pub use admit::{admit, admit_api_key, is_api_key};
pub use admitted::{Admitted, Proof};
pub use api_key::note_use;
pub use credential::read;
pub use first_seen::create_if_new;
pub use opaque::{demand_signed, takes_sessions};
pub use owner::demand_own_keys;
pub use refresh::refresh_ahead;
pub use role::session_user;
pub use signatures::define as share_signatures;
pub use standing::{can_end, still_stands};
pub use tables::{Bound, What, bound, bound_if_any};
pub use trust::current;
pub use user_standing::demand_of_each;

/// Registers for changes of tables.
pub fn define() {
    trust::define();
    tables::define();
    revocations::define();
}
