//! The one table of errors: what went wrong → SQLSTATE, message, DETAIL, HINT.
//!
//! Messages are stable and carry no values; DETAIL carries the values that help, never a token,
//! a signature, a key or a secret; a HINT says what to do, as SQL where SQL does it.

use neon_auth_token::Refusal;
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;

use crate::version;

/// Everything that the extension's Rust side refuses.
#[derive(Debug)]
pub enum Problem {
    /// The token itself: its form, its signature or what it claims.
    Token(Refusal),
    /// The library and the SQL objects of this database are not of one version.
    OtherVersion {
        library: &'static str,
        installed: Option<String>,
    },
    /// No provider is configured at all.
    NoProvider,
    /// No provider names the token's issuer.
    UnknownIssuer { issuer: String },
    /// More than one provider names the token's issuer.
    AmbiguousIssuer { issuer: String },
    /// A row of `neon_auth.providers` that cannot be used.
    UnusableProvider { provider: String, reason: String },
    /// There are no keys to verify with, or they are too old to be trusted.
    NoKeys { provider: String, reason: String },
    /// `reject_deleted_users`, and the mirror says deleted.
    UserDeleted { provider: String },
    /// The provider maps a claim to a role, and this token names none that is allowed.
    RoleRefused { provider: String, reason: String },
    /// The session's identity has run out.
    Expired { ago: i64 },
    /// A refused token has ended the identity, and the query was planned for its role.
    Ended,
    /// `impersonate` was called with something that cannot be an identity.
    BadImpersonation { reason: String },
    /// `refresh_jwks` was asked for a provider that is not there.
    NoSuchProvider { provider: String },
    /// A webhook came, and there is no secret to verify it with.
    NoWebhookSecret,
    /// One of the webhook secrets is none.
    UnusableWebhookSecret { number: usize, reason: String },
    /// A delivery that is not the auth service's, or not of now.
    WebhookRefused { why: &'static str, detail: String },
}

impl Problem {
    /// Whether other keys might change it.
    pub fn wants_keys(&self) -> bool {
        match self {
            Problem::NoKeys { .. } => true,
            Problem::Token(refusal) => refusal.is_unknown_key(),
            _ => false,
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Problem::Token(refusal)
    }
}

impl From<Problem> for ErrorReport {
    fn from(problem: Problem) -> Self {
        ErrorReport::from(&problem)
    }
}

impl From<&Problem> for ErrorReport {
    fn from(problem: &Problem) -> Self {
        use PgSqlErrorCode as Code;
        let refused = Code::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
        let (code, message, detail, hint) = match problem {
            Problem::Token(refusal) => (
                refused,
                format!("JWT refused: {refusal}"),
                refusal.detail(),
                refusal.hint().unwrap_or_default().to_owned(),
            ),
            Problem::OtherVersion {
                library,
                installed: None,
            } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the extension neon_auth is not installed in this database".to_owned(),
                format!("Its library is loaded, in version {library}."),
                "CREATE EXTENSION neon_auth;".to_owned(),
            ),
            Problem::OtherVersion {
                library,
                installed: Some(installed),
            } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "neon_auth's library and its SQL objects are of different versions".to_owned(),
                format!("The library in use is {library}, the extension in this database {installed}."),
                if version::is_older(library, installed) {
                    format!("Reconnect, as this session has loaded the library before the update; if that is not enough, restart the server, and see that the library of {installed} is installed.")
                } else {
                    "ALTER EXTENSION neon_auth UPDATE;".to_owned()
                },
            ),
            Problem::NoProvider => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "no authentication provider is configured".to_owned(),
                "The table neon_auth.providers is empty, so no token can be trusted.".to_owned(),
                "Configure one: SELECT neon_auth.configure('<answer of the keys API>'); or SELECT neon_auth.add_provider(...);".to_owned(),
            ),
            Problem::UnknownIssuer { issuer } => (
                refused,
                "JWT refused: no provider trusts the token's issuer".to_owned(),
                format!("The claim iss is {}.", quoted(issuer)),
                "Issuers are compared exactly. Look at them: SELECT name, issuers FROM neon_auth.providers;".to_owned(),
            ),
            Problem::AmbiguousIssuer { issuer } => (
                refused,
                "JWT refused: more than one provider claims the token's issuer".to_owned(),
                format!("The claim iss is {}.", quoted(issuer)),
                "Leave the issuer with one of them: SELECT name, issuers FROM neon_auth.providers;".to_owned(),
            ),
            Problem::UnusableProvider { provider, reason } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("the authentication provider {} cannot be used", quoted(provider)),
                reason.clone(),
                "Correct its row: SELECT * FROM neon_auth.providers;".to_owned(),
            ),
            Problem::NoKeys { provider, reason } => (
                Code::ERRCODE_SYSTEM_ERROR,
                format!("no keys to verify tokens of provider {}", quoted(provider)),
                reason.clone(),
                "See what was fetched and when: SELECT * FROM neon_auth.jwks_cache; fetch again: SELECT neon_auth.refresh_jwks();".to_owned(),
            ),
            Problem::UserDeleted { provider } => (
                refused,
                "JWT refused: the user is deleted".to_owned(),
                format!("Provider {} rejects users whose deleted_at is set in neon_auth.users_sync.", quoted(provider)),
                String::new(),
            ),
            Problem::RoleRefused { provider, reason } => (
                refused,
                "JWT refused: it names no role that its provider allows".to_owned(),
                reason.clone(),
                format!("Allowed roles: SELECT role_claim, roles FROM neon_auth.providers WHERE name = {};", literal(provider)),
            ),
            Problem::Expired { ago } => (
                refused,
                "the session's identity has expired".to_owned(),
                format!("It expired {ago} s before this statement began, leeway included."),
                "Authenticate again with a fresh token: SELECT auth.authenticate($1);".to_owned(),
            ),
            Problem::Ended => (
                refused,
                "a refused token has ended the session's identity".to_owned(),
                "The query was planned for the role that came with that identity.".to_owned(),
                "Authenticate again, or sign out: SELECT auth.logout();".to_owned(),
            ),
            Problem::BadImpersonation { reason } => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "these arguments cannot make an identity".to_owned(),
                reason.clone(),
                r#"For example: SELECT auth.impersonate('user-id', '{"role": "authenticated"}');"#.to_owned(),
            ),
            Problem::NoSuchProvider { provider } => (
                Code::ERRCODE_UNDEFINED_OBJECT,
                "there is no such authentication provider".to_owned(),
                format!("The name given is {}.", quoted(provider)),
                "SELECT name FROM neon_auth.providers;".to_owned(),
            ),
            Problem::NoWebhookSecret => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "no webhook secret is set".to_owned(),
                "Without it no delivery can be verified.".to_owned(),
                "Set the signing secret of the endpoint: SELECT neon_auth.set_secret('webhook_secret', $1);".to_owned(),
            ),
            Problem::UnusableWebhookSecret { number, reason } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the webhook secret cannot be used".to_owned(),
                format!("Number {number} of the secrets {reason}."),
                "Set the signing secret of the endpoint; two with a blank between them while one replaces the other: SELECT neon_auth.set_secret('webhook_secret', $1);".to_owned(),
            ),
            Problem::WebhookRefused { why, detail } => (
                refused,
                format!("webhook refused: {why}"),
                detail.clone(),
                "Pass headers and body as they came, the body byte for byte.".to_owned(),
            ),
        };
        let mut report = ErrorReport::new(code, message, "neon_auth");
        if !detail.is_empty() {
            report = report.set_detail(detail);
        }
        if !hint.is_empty() {
            report = report.set_hint(hint);
        }
        report
    }
}

/// A value from outside for a message or a log: bounded, on one line, in double quotes.
pub fn quoted(value: &str) -> String {
    const LONGEST: usize = 100;
    let mut shown: String = value.chars().take(LONGEST).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// A value as an SQL literal, for a HINT that can be run as it is.
fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
