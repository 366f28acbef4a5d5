//! The keys of a project, as the Neon console hands them out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::{Value, json};

use crate::derive::{digest, text};
use crate::webhooks::SECRET_PREFIX;

const SERVER_KEY_PREFIX: &str = "ssk_";

/// What a client needs to talk to the service about one project.
#[derive(Clone, Debug, Serialize)]
pub struct Credentials {
    pub project_id: String,
    /// Sent as `x-stack-publishable-client-key`; a project need not have one.
    pub pub_client_key: Option<String>,
    /// Sent as `x-stack-secret-server-key`.
    pub secret_server_key: String,
    /// The bearer token of the console's calls.
    pub neon_api_key: String,
    /// What webhooks are signed with.
    pub webhook_secret: String,
}

impl Credentials {
    /// The credentials that a seed gives for a project.
    pub fn derive(seed: &str, project_id: &str) -> Self {
        let key = |prefix: &str| format!("{prefix}{}", text(&[prefix, seed, project_id], 40));
        let webhook_key = &digest(&[SECRET_PREFIX, seed, project_id])[..24];
        Self {
            project_id: project_id.to_owned(),
            pub_client_key: Some(key("pck_")),
            secret_server_key: key(SERVER_KEY_PREFIX),
            neon_api_key: key("napi_"),
            webhook_secret: format!("{SECRET_PREFIX}{}", STANDARD.encode(webhook_key)),
        }
    }

    /// Replaces the secret server key; the old one is valid no more.
    pub fn rotate_server_key(&mut self) {
        let next = text(&["next", &self.secret_server_key], 40);
        self.secret_server_key = format!("{SERVER_KEY_PREFIX}{next}");
    }

    /// Where the project's key set is, on the server at `base_url`.
    pub fn jwks_url(&self, base_url: &str) -> String {
        format!(
            "{base_url}/api/v1/projects/{}/.well-known/jwks.json",
            self.project_id
        )
    }

    /// The answer of the console's keys call.
    pub fn keys_response(&self, base_url: &str) -> Value {
        let mut response = json!({
            "auth_provider": "stack",
            "auth_provider_project_id": self.project_id,
            "secret_server_key": self.secret_server_key,
            "jwks_url": self.jwks_url(base_url),
            "schema_name": "neon_auth",
            "table_name": "users_sync",
        });
        if let Some(key) = &self.pub_client_key {
            response["pub_client_key"] = json!(key);
        }
        response
    }
}
