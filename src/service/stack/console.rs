//! The Neon console's two calls about a project's auth.

use std::time::Duration;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Deserialize;
use serde_json::json;
use ureq::Timeout;
use ureq::http::Uri;

use crate::error::Problem;
use crate::http::{self, CancelHandle, RequestThread, milliseconds};
use crate::settings;

/// Maximum size of a response in bytes.
const MAX_BODY: u64 = 64 * 1024;

/// `neon_auth_internal.call_console(call, neon_api_key, project_id)`: the console's response as
/// JSON text.
#[pg_extern(sql = false)]
fn call_console(call: &str, neon_api_key: &str, project_id: &str) -> Result<String, ErrorReport> {
    let base = settings::NEON_API_URL.get().unwrap_or_default();
    let base = base.to_string_lossy();
    let request = ConsoleRequest {
        url: format!("{}/projects/auth/{call}", base.trim_end_matches('/')),
        key: neon_api_key.to_owned(),
        body: json!({ "project_id": project_id, "auth_provider": "stack" }).to_string(),
        limit: milliseconds(settings::API_TIMEOUT.get()),
        http: http::Settings::read(),
    };
    let unreachable = |reason| Problem::ConsoleUnreachable { reason };
    let mut thread = RequestThread::spawn(move |sender| {
        sender.send(request.perform(sender.cancel_handle()));
    })
    .map_err(unreachable)?;
    let answer = thread
        .next(|| Ok::<(), std::convert::Infallible>(()))
        .unwrap_or_default()
        .ok_or_else(|| unreachable("The request failed because of an internal error.".to_owned()))?
        .map_err(unreachable)?;
    if !(200..300).contains(&answer.status) {
        Err(Problem::ConsoleRefused {
            status: answer.status,
            message: answer.message(neon_api_key),
        })?;
    }
    Ok(answer.body)
}

struct ConsoleRequest {
    url: String,
    key: String,
    body: String,
    limit: Duration,
    http: http::Settings,
}

struct ConsoleResponse {
    status: u16,
    body: String,
}

impl ConsoleRequest {
    /// The request itself; runs off the main thread, so it calls nothing of PostgreSQL.
    fn perform(&self, cancel_handle: &CancelHandle) -> Result<ConsoleResponse, String> {
        let setting = "setting neon_auth.neon_api_url";
        let uri: Uri = self
            .url
            .parse()
            .map_err(|_| format!("The {setting} is not a URL."))?;
        let agent = self.http.agent(&uri, setting, cancel_handle, |config| {
            config.timeout_global(Some(self.limit))
        })?;
        let mut response = agent
            .post(&uri)
            .header("authorization", format!("Bearer {}", self.key))
            .header("accept", "application/json")
            .header("content-type", "application/json")
            .send(&self.body)
            .map_err(|error| failure(&error))?;
        let status = response.status().as_u16();
        let body = response.body_mut().with_config().limit(MAX_BODY);
        Ok(ConsoleResponse {
            status,
            body: body.read_to_string().map_err(|error| failure(&error))?,
        })
    }
}

impl ConsoleResponse {
    /// The console's error message, unless it contains the key.
    fn message(&self, key: &str) -> Option<String> {
        #[derive(Deserialize)]
        struct ErrorBody {
            message: String,
        }
        let ErrorBody { message } = serde_json::from_str(&self.body).ok()?;
        (!message.contains(key)).then_some(message)
    }
}

fn failure(error: &ureq::Error) -> String {
    match error {
        ureq::Error::Timeout(Timeout::Connect) => http::NOT_CONNECTED.to_owned(),
        ureq::Error::Timeout(_) => {
            "The console did not respond within neon_auth.api_timeout.".to_owned()
        }
        // The error would quote characters that a header may not contain.
        ureq::Error::Http(_) => {
            "The Neon API key contains characters that a header cannot contain.".to_owned()
        }
        error => http::failure("The request failed", error),
    }
}
