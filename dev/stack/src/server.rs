//! The HTTP server: its listener and its routes.

use std::net::TcpListener;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, get, post};

use crate::endpoint::Endpoint;
use crate::socket::{Listener, Switch};
use crate::state::Shared;
use crate::{console, control, intercept, jwks, rest, transfers};

/// Serves until the runtime stops.
pub async fn serve(listener: TcpListener, shared: Shared) -> std::io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = Listener(tokio::net::TcpListener::from_std(listener)?);
    let service = routes(shared).into_make_service_with_connect_info::<Switch>();
    axum::serve(listener, service).await
}

fn routes(shared: Shared) -> Router {
    let prefix = shared.lock().options.path_prefix.clone();
    let service = match prefix {
        Some(prefix) => Router::new().nest(&prefix, service(&shared)),
        None => service(&shared),
    };
    service
        .merge(steering())
        .layer(from_fn_with_state(
            shared.clone(),
            intercept::name_known_errors,
        ))
        .layer(from_fn_with_state(shared.clone(), intercept::record))
        .with_state(shared)
}

/// What Stack Auth and the Neon console serve.
fn service(shared: &Shared) -> Router<Shared> {
    use Endpoint::*;
    let faulty = |endpoint: Endpoint, handler: MethodRouter<Shared>| {
        handler.layer(from_fn_with_state(
            (shared.clone(), endpoint),
            intercept::inject,
        ))
    };
    Router::new()
        .route(
            "/api/v1/projects/{project_id}/.well-known/jwks.json",
            faulty(Jwks, get(jwks::get)),
        )
        .route("/api/v1/users", faulty(Users, get(rest::list_users)))
        .route(
            "/api/v1/users/{user_id}",
            faulty(User, get(rest::read_user)),
        )
        .route("/api/v1/teams", faulty(Teams, get(rest::list_teams)))
        .route(
            "/api/v1/teams/{team_id}",
            faulty(Team, get(rest::read_team)),
        )
        .route(
            "/api/v1/team-member-profiles",
            faulty(TeamMemberProfiles, get(rest::list_memberships)),
        )
        .route(
            "/api/v1/team-permissions",
            faulty(TeamPermissions, get(rest::list_team_permissions)),
        )
        .route(
            "/api/v1/project-permissions",
            faulty(ProjectPermissions, get(rest::list_project_permissions)),
        )
        .route(
            "/api/v2/projects/auth/keys",
            faulty(ConsoleKeys, post(console::create_keys)),
        )
        .route(
            "/api/v2/projects/auth/transfer_ownership",
            faulty(ConsoleTransfer, post(console::transfer)),
        )
        .route(
            "/api/v1/integrations/neon/projects/transfer/confirm",
            post(transfers::confirm),
        )
}

/// What only the simulator serves: what the demonstration and the benchmarks need, which reach it
/// over HTTP. Rust tests call the `Simulator`.
fn steering() -> Router<Shared> {
    Router::new()
        .route("/dev/users", post(control::sign_up))
        .route("/dev/populate", post(control::populate))
        .route("/dev/activity", post(control::activity))
        .route("/dev/tokens", post(control::token))
        .route("/dev/webhook-endpoint", post(control::set_webhook_endpoint))
        .route(
            "/dev/requests",
            get(control::requests).delete(control::forget_requests),
        )
}
