//! What the tests over many connections share.
//!
//! They run against the server that `dev/cluster` starts. Each test has a database and a key
//! server of its own, so tests run side by side; what only a server of its own can show, such as
//! a shutdown or a standby, starts a `Cluster`.

mod activity;
mod better_auth;
mod better_auth_writes;
mod cluster;
mod database;
mod dump;
mod ids;
mod issuer;
mod library;
mod mirrored;
mod pgbouncer;
mod process;
mod random;
mod server;
mod server_log;
mod session;
mod sync;
mod template;
mod tls;
mod unguarded;
mod wait;
mod webhooks;
mod world;

pub use activity::{Activity, begin_activity};
pub use better_auth::{BETTER_AUTH_DIFFERENCES, BetterAuth};
pub use better_auth_writes::better_auth_transaction;
pub use cluster::{Cluster, Environment};
pub use database::Database;
pub use dump::{Dump, run_program};
pub use ids::{grant, id_of, membership, parsed};
pub use issuer::Issuer;
pub use library::library;
pub use pgbouncer::PgBouncer;
pub use process::{Footprint, peak, threads, waits};
pub use random::Random;
pub use server::Server;
pub use server_log::ServerLog;
pub use session::Session;
pub use sync::SYNC;
pub use tls::TlsKeyServer;
pub use unguarded::{FORGED_USER, forged_identity, unguarded_user};
pub use wait::{await_lock, eventually, together};
pub use world::World;
