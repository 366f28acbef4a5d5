//! Access tokens: the claims of Stack Auth, and the compact form.

use serde_json::{Map, Value, json};

use crate::derive::{base64url, uuid};
use crate::keys::{Audience, Key};

/// How long an access token is valid.
pub const LIFETIME_SECONDS: i64 = 600;

/// What a token says about its user.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    pub id: String,
    pub name: Option<String>,
    pub email: Option<String>,
    pub email_verified: bool,
    pub selected_team_id: Option<String>,
    pub signed_up_at: i64,
    pub is_anonymous: bool,
    pub is_restricted: bool,
    /// The `type` of `restricted_reason`.
    pub restricted_reason: Option<String>,
    pub requires_totp_mfa: bool,
}

impl Subject {
    /// The subject that a user object of the REST API describes.
    pub fn of_user(user: &Map<String, Value>) -> Self {
        let text = |key: &str| user.get(key).and_then(Value::as_str).map(str::to_owned);
        let flag = |key: &str| user.get(key).and_then(Value::as_bool).unwrap_or_default();
        Self {
            id: text("id").unwrap_or_default(),
            name: text("display_name"),
            email: text("primary_email"),
            email_verified: flag("primary_email_verified"),
            selected_team_id: text("selected_team_id"),
            signed_up_at: user
                .get("signed_up_at_millis")
                .and_then(Value::as_i64)
                .unwrap_or_default()
                .div_euclid(1000),
            is_anonymous: flag("is_anonymous"),
            is_restricted: flag("is_restricted"),
            restricted_reason: user
                .get("restricted_reason")
                .and_then(|reason| reason.get("type"))
                .and_then(Value::as_str)
                .map(str::to_owned),
            requires_totp_mfa: flag("requires_totp_mfa"),
        }
    }

    /// Which issuer, audience and key this user's tokens have.
    pub fn audience(&self) -> Audience {
        Audience::of(self.is_anonymous, self.is_restricted)
    }
}

/// All claims of a token that is issued at `now` (seconds).
pub fn claims(subject: &Subject, base_url: &str, project_id: &str, now: i64) -> Map<String, Value> {
    let audience = subject.audience();
    let claims = json!({
        "sub": subject.id,
        "iat": now,
        "exp": now.saturating_add(LIFETIME_SECONDS),
        "iss": audience.issuer(base_url, project_id),
        "aud": audience.claim(project_id),
        "project_id": project_id,
        "branch_id": "main",
        "refresh_token_id": uuid(&["refresh token", &subject.id]),
        "role": "authenticated",
        "name": subject.name,
        "email": subject.email,
        "email_verified": subject.email_verified,
        "selected_team_id": subject.selected_team_id,
        "signed_up_at": subject.signed_up_at,
        "is_anonymous": subject.is_anonymous,
        "is_restricted": subject.is_restricted,
        "restricted_reason": subject.restricted_reason.as_ref().map(|kind| json!({ "type": kind })),
        "requires_totp_mfa": subject.requires_totp_mfa,
    });
    match claims {
        Value::Object(claims) => claims,
        _ => unreachable!("an object literal is an object"),
    }
}

/// The header of a token signed with `key`: nothing but `alg` and `kid`.
pub fn header(key: &Key) -> Map<String, Value> {
    Map::from_iter([
        ("alg".to_owned(), key.alg().into()),
        ("kid".to_owned(), key.kid().into()),
    ])
}

/// The compact form of header and claims, signed with `key`, whatever the
/// header says.
pub fn encode(header: &Map<String, Value>, claims: &Map<String, Value>, key: &Key) -> String {
    let claims = serde_json::to_string(claims).expect("a JSON object can be written");
    encode_text(header, &claims, key)
}

/// The same with claims that are JSON text already, and stay as they are written.
pub fn encode_text(header: &Map<String, Value>, claims: &str, key: &Key) -> String {
    let header = serde_json::to_string(header).expect("a JSON object can be written");
    let message = format!(
        "{}.{}",
        base64url(header.as_bytes()),
        base64url(claims.as_bytes())
    );
    let signature = key.sign(message.as_bytes());
    format!("{message}.{signature}")
}
