//! Who really acts: `auth.actor()`, as JSON.

use neon_auth_token::{Map, Value};

use crate::identity::Identity;

/// The members that are known.
pub fn json(identity: &Identity) -> String {
    let text = |text: Option<&str>| text.map(|text| Value::String(text.to_owned()));
    let key = identity.api_key.as_ref();
    let members = [
        ("user_id", text(Some(&identity.subject))),
        ("provider", text(identity.provider.as_deref())),
        ("session_id", text(identity.session_id())),
        ("api_key_id", text(key.map(|key| key.id.as_str()))),
        ("impersonator", identity.impersonator().cloned()),
        ("agent", identity.agent().cloned()),
        ("database_role", text(identity.database_role.as_deref())),
    ];
    let known = members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(known.collect::<Map<_, _>>()).to_string()
}
