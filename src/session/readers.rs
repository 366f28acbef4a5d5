//! The readers that policies and applications call: the signed-in user and the token's claims.
//!
//! Every reader returns NULL if nobody is signed in, and raises 28000 if the identity has expired.
//! None uses the network or SPI. The claims named here are read unless the provider's `claim_map`
//! names others.

use neon_auth_token::Value as Json;
use pgrx::datum::{TimestampWithTimeZone, Uuid};
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::{actor as who_acts, current};
use crate::clock;
use crate::identity::Identity;
use crate::pg::jsonb::Jsonb;
use crate::pg::value::Value;

/// Defines readers: the SQL name's Rust function, and the value that it reads from the identity.
macro_rules! readers {
    ($($(#[$doc:meta])* $name:ident: $type:ident = $from:expr;)*) => {$(
        $(#[$doc])*
        #[pg_extern(sql = false)]
        fn $name() -> Result<Option<$type>, ErrorReport> {
            let from: fn(&Identity) -> Option<$type> = $from;
            Ok(current::current()?.and_then(|identity| from(&identity)))
        }
    )*};
}

readers! {
    /// `auth.user_id()`: the claim `sub`.
    user_id: Value = |identity| Value::text(&identity.subject);
    /// `auth.uid()`: the claim `sub` if it is a UUID.
    uid: Uuid = |identity| Some(Uuid::from_bytes(identity.uuid?.into_bytes()));
    /// `auth.jwt()` and `auth.session()`: all claims.
    jwt: Value = |identity| Some(Value::jsonb(identity.jsonb()));
    /// `auth.role()`: the claim `role`.
    role: Value = |identity| Value::text(identity.string("role", identity.names().role)?);
    /// `auth.email()`: the claim `email`.
    email: Value = |identity| Value::text(identity.string("email", identity.names().email)?);
    /// `auth.email_verified()`: the claim `email_verified`.
    email_verified: bool = |identity| identity.email_verified();
    /// `auth.is_anonymous()`: the claim `is_anonymous`.
    is_anonymous: bool = |identity| identity.is_anonymous();
    /// `auth.selected_team_id()`: the claim `selected_team_id`.
    selected_team_id: Value = |identity| {
        Value::text(identity.string("selected_team_id", identity.names().selected_team_id)?)
    };
    /// `auth.provider()`: the name of the provider that accepted the token.
    provider: Value = |identity| Value::text(identity.provider.as_deref()?);
    /// `auth.expires_at()`: the claim `exp`.
    expires_at: TimestampWithTimeZone = |identity| identity.expires_at.and_then(timestamp);
    /// `auth.session_id()`: the claim `sid`, or for Stack Auth `refresh_token_id`.
    session_id: Value = |identity| Value::text(identity.session_id()?);
    /// `auth.actor()`: who really acts.
    actor: Value = |identity| {
        Some(Value::jsonb(&Jsonb::from_json(&who_acts::json(identity))))
    };
}

/// `auth.claim(VARIADIC path)`: the text of the value at a path of the claims, as
/// `auth.jwt() #>> path` returns it; NULL for no value and for JSON null.
#[pg_extern(sql = false)]
fn claim(path: Vec<Option<String>>) -> Result<Option<Value>, ErrorReport> {
    let Some(path) = path.into_iter().collect::<Option<Vec<String>>>() else {
        return Ok(None);
    };
    Ok(
        current::current()?.and_then(|identity| match identity.at(&path)? {
            Json::Null => None,
            Json::String(text) => Value::text(text),
            value => Value::text(&Jsonb::from_json(&value.to_string()).to_text()),
        }),
    )
}

/// Seconds since 1970 as a timestamp; NULL beyond PostgreSQL's range.
fn timestamp(seconds: i64) -> Option<TimestampWithTimeZone> {
    TimestampWithTimeZone::try_from(clock::timestamp(seconds)?).ok()
}
