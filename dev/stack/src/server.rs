//! The HTTP server: its routes and its listener.

use std::net::TcpListener;

use axum::Router;
use axum::routing::get;

use crate::state::Shared;
use crate::{jwks, rest};

/// Serves until the runtime stops.
pub async fn serve(listener: TcpListener, shared: Shared) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    axum::serve(listener, routes(shared)).await
}

fn routes(shared: Shared) -> Router {
    Router::new()
        .route(
            "/api/v1/projects/{project_id}/.well-known/jwks.json",
            get(jwks::get),
        )
        .route("/api/v1/users", get(rest::list_users))
        .route("/api/v1/users/{user_id}", get(rest::read_user))
        .with_state(shared)
}
