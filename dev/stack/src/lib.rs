//! A simulator of the Stack Auth service: its key server, its REST API, its
//! webhooks and the Neon console's calls, with the faults a real network has.
//!
//! Everything it hands out is derived from a seed, so the command line can
//! sign a token that a server started elsewhere with the same seed accepts.

pub mod credentials;
pub mod issuer;
pub mod keys;
pub mod permissions;
pub mod teams;
pub mod test_keys;
pub mod tokens;
pub mod users;
pub mod webhooks;

mod age;
mod answers;
mod bodies;
mod clock;
mod console;
mod control;
mod delivery;
mod derive;
mod directory;
mod endpoint;
mod error;
mod faults;
mod holds;
mod intercept;
mod jwks;
mod lists;
mod poison;
mod population;
mod query;
mod requests;
mod rest;
mod roster;
mod server;
mod simulator;
mod socket;
mod state;
mod transfers;

pub use age::{Age, Gone};
pub use endpoint::Endpoint;
pub use faults::Fault;
pub use requests::Received;
pub use simulator::{Everything, Options, Simulator};
pub use teams::NewTeam;
pub use users::NewUser;
pub use uuid::Uuid;

/// The seed used where none is given: it stands for the server's secret.
pub const DEFAULT_SEED: &str = "demo";

/// The project used where none is given.
pub const DEFAULT_PROJECT_ID: &str = "5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35";

/// The project's id at Neon, used where none is given.
pub const DEFAULT_NEON_PROJECT_ID: &str = "quiet-field-12345678";

/// The most memberships that the server lists at once, where nothing else is given.
pub const DEFAULT_PROFILES_CAP: usize = 14_000;

/// The base URL that hosted projects have.
pub const HOSTED_BASE_URL: &str = "https://api.stack-auth.com";
