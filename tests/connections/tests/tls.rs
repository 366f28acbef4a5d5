//! Keys over HTTPS: whose certificates are trusted.

use neon_auth_connections::{TlsKeyServer, World};
use postgres::error::SqlState;

/// A world whose keys come from a TLS server at that name.
fn world_at(host: &str) -> (World, TlsKeyServer) {
    let world = World::new();
    let server = TlsKeyServer::start(world.stack.jwks().to_string());
    let url = server.url(host);
    world
        .superuser()
        .execute("UPDATE neon_auth.providers SET jwks_url = $1", &[&url])
        .expect("an https URL is good");
    (world, server)
}

fn trust(world: &World, server: &TlsKeyServer) {
    let file = server.authority().display().to_string();
    world.database.set("neon_auth.ca_file", &file);
}

fn refused_for(world: &World, reason: &str) {
    let refusal = world.app().sign_in_refused(&world.token());
    assert_eq!(refusal.code(), &SqlState::SYSTEM_ERROR);
    let detail = refusal.detail().unwrap_or_default();
    assert!(detail.contains(reason), "{detail}");
}

#[test]
fn the_authorities_of_the_ca_file_are_trusted() {
    let (world, server) = world_at("localhost");
    trust(&world, &server);
    world.app().sign_in_for_session(&world.token());
}

#[test]
fn an_authority_that_the_system_does_not_know_is_not() {
    let (world, _server) = world_at("localhost");
    refused_for(&world, "certificate");
}

#[test]
fn a_certificate_for_another_name_is_not() {
    let (world, server) = world_at("127.0.0.1");
    trust(&world, &server);
    refused_for(&world, "certificate");
}

#[test]
fn a_ca_file_without_certificates_is_an_error() {
    let (world, _server) = world_at("localhost");
    world.database.set("neon_auth.ca_file", "/dev/null");
    refused_for(&world, "neon_auth.ca_file contains no certificate");
}

#[test]
fn a_ca_file_that_is_not_there_is_an_error() {
    let (world, _server) = world_at("localhost");
    world.database.set("neon_auth.ca_file", "/nowhere/ca.pem");
    refused_for(&world, "neon_auth.ca_file cannot be read");
}
