//! One line in the server log for each authentication, if `neon_auth.log_authentication` says so.
//! Never the token; nothing is sent to the client.

use neon_auth_wire::api_key::KeyText;
use pgrx::PgLogLevel;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgSqlErrorCode, ereport};

use crate::error::{Problem, quoted};
use crate::provider::{self, Admitted, Proof};
use crate::settings::{LOG_AUTHENTICATION, LogAuthentication};

/// Logs the outcome of an attempt.
pub fn outcome(token: &str, outcome: Result<&Admitted, &Problem>) {
    match (LOG_AUTHENTICATION.get(), outcome) {
        (LogAuthentication::All, Ok(admitted)) => {
            let provider = admitted.provider.as_ref();
            let provider = quoted(provider.map_or("", |provider| &provider.name));
            let identity = &admitted.identity;
            let about = match &admitted.proof {
                Proof::Jwt(verified) => format!(
                    "iss={} sub={} kid={}",
                    quoted(verified.issuer()),
                    quoted(verified.subject()),
                    quoted(verified.key_id().unwrap_or_default()),
                ),
                Proof::ApiKey => {
                    let key = identity.api_key.as_ref();
                    format!(
                        "sub={} api_key={}",
                        quoted(&identity.subject),
                        quoted(key.map_or("", |key| &key.id)),
                    )
                }
                Proof::Session => format!(
                    "sub={} session={}",
                    quoted(&identity.subject),
                    quoted(identity.session.as_deref().unwrap_or_default()),
                ),
            };
            line(format!(
                "neon_auth: authenticated: provider={provider} {about}"
            ));
        }
        (LogAuthentication::All | LogAuthentication::Failures, Err(problem)) => {
            let report = ErrorReport::from(problem);
            let claimed = claimed(token);
            line(format!(
                "neon_auth: authentication failed:{claimed} reason={} detail={}",
                quoted(report.message()),
                quoted(report.detail().unwrap_or_default()),
            ));
        }
        _ => {}
    }
}

/// What a refused credential says of itself, which is helpful, although it is not verified.
fn claimed(text: &str) -> String {
    if let Ok(key) = KeyText::parse(text) {
        return format!(" prefix={}", quoted(key.shown()));
    }
    provider::read(text).map_or(String::new(), |token| {
        format!(
            " iss={} sub={} kid={}",
            quoted(token.issuer()),
            quoted(token.subject()),
            quoted(token.key_id().unwrap_or_default()),
        )
    })
}

fn line(message: String) {
    ereport!(
        PgLogLevel::LOG_SERVER_ONLY,
        PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION,
        message
    );
}
