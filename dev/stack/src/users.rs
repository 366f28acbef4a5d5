//! User objects: signing up, changing, and the restrictions that follow.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What the personal team of somebody without a name is called.
pub const PERSONAL_TEAM: &str = "Personal Team";

/// Somebody who signs up.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct NewUser {
    /// Derived from the seed where it is not given; one in use is replaced.
    pub id: Option<Uuid>,
    pub display_name: Option<String>,
    pub primary_email: Option<String>,
    pub primary_email_verified: bool,
    pub is_anonymous: bool,
    pub restricted_by_admin: bool,
    /// Any other member of the user object, laid over the defaults.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl NewUser {
    /// Somebody with a name and a verified e-mail address.
    pub fn named(name: &str, email: &str) -> Self {
        Self {
            display_name: Some(name.to_owned()),
            primary_email: Some(email.to_owned()),
            primary_email_verified: true,
            ..Self::default()
        }
    }

    /// Somebody who has not said who they are.
    pub fn anonymous() -> Self {
        Self {
            is_anonymous: true,
            ..Self::default()
        }
    }
}

/// A user object as it is stored: all members but `selected_team`'s content,
/// which is looked up when the object is read.
#[derive(Clone, Debug)]
pub struct User {
    pub id: Uuid,
    pub object: Map<String, Value>,
}

impl User {
    /// The user that signing up at `now_millis` gives.
    pub fn sign_up(new: NewUser, id: Uuid, now_millis: i64, verification_required: bool) -> Self {
        let mut object = Map::from_iter(
            [
                ("id", json!(id)),
                ("display_name", json!(new.display_name)),
                ("primary_email", json!(new.primary_email)),
                ("primary_email_verified", json!(new.primary_email_verified)),
                (
                    "primary_email_auth_enabled",
                    json!(new.primary_email.is_some()),
                ),
                ("profile_image_url", Value::Null),
                ("signed_up_at_millis", json!(now_millis)),
                ("last_active_at_millis", json!(now_millis)),
                ("client_metadata", Value::Null),
                ("client_read_only_metadata", Value::Null),
                ("server_metadata", Value::Null),
                ("has_password", json!(false)),
                ("otp_auth_enabled", json!(new.primary_email.is_some())),
                ("passkey_auth_enabled", json!(false)),
                ("auth_with_email", json!(new.primary_email.is_some())),
                ("requires_totp_mfa", json!(false)),
                ("oauth_providers", json!([])),
                ("selected_team_id", Value::Null),
                ("selected_team", Value::Null),
                ("is_anonymous", json!(new.is_anonymous)),
                ("restricted_by_admin", json!(new.restricted_by_admin)),
                ("restricted_by_admin_reason", Value::Null),
                ("restricted_by_admin_private_details", Value::Null),
                ("country_code", Value::Null),
                (
                    "risk_scores",
                    json!({ "sign_up": { "bot": 0, "free_trial_abuse": 0 } }),
                ),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        object.extend(new.other);
        let mut user = Self { id, object };
        user.restrict(verification_required);
        user
    }

    /// Moves a user who was anonymous until now to the end of the list.
    pub fn sign_up_at(&mut self, now_millis: i64) {
        self.object
            .insert("signed_up_at_millis".to_owned(), json!(now_millis));
    }

    /// Lays `changes` over the object; its id stays.
    pub fn update(&mut self, changes: Map<String, Value>, verification_required: bool) {
        self.object.extend(changes);
        self.object.insert("id".to_owned(), json!(self.id));
        self.restrict(verification_required);
    }

    pub fn is_anonymous(&self) -> bool {
        self.flag("is_anonymous")
    }

    pub fn is_restricted(&self) -> bool {
        self.flag("is_restricted")
    }

    pub fn selected_team_id(&self) -> Option<Uuid> {
        self.object.get("selected_team_id")?.as_str()?.parse().ok()
    }

    pub fn personal_team_name(&self) -> String {
        let text = |key| self.object.get(key).and_then(Value::as_str);
        let name = text("display_name").or_else(|| text("primary_email"));
        name.map_or_else(|| PERSONAL_TEAM.to_owned(), |name| format!("{name}'s Team"))
    }

    /// Leaves no team selected, if it is this one.
    pub fn deselect_team(&mut self, team_id: Uuid) {
        if self.selected_team_id() == Some(team_id) {
            self.object
                .insert("selected_team_id".to_owned(), Value::Null);
        }
    }

    /// What users are listed by.
    pub fn signed_up_at_millis(&self) -> i64 {
        self.object
            .get("signed_up_at_millis")
            .and_then(Value::as_i64)
            .unwrap_or_default()
    }

    fn flag(&self, key: &str) -> bool {
        self.object
            .get(key)
            .and_then(Value::as_bool)
            .unwrap_or_default()
    }

    /// Sets the two members that say whether and why a user is restricted.
    fn restrict(&mut self, verification_required: bool) {
        let reason = if self.is_anonymous() {
            Some("anonymous")
        } else if verification_required && !self.flag("primary_email_verified") {
            Some("email_not_verified")
        } else if self.flag("restricted_by_admin") {
            Some("restricted_by_administrator")
        } else {
            None
        };
        self.object
            .insert("is_restricted".to_owned(), json!(reason.is_some()));
        self.object.insert(
            "restricted_reason".to_owned(),
            reason.map_or(Value::Null, |kind| json!({ "type": kind })),
        );
    }
}
