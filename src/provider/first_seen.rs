//! The row of `users_sync` for a user who signs in for the first time.

use neon_auth_token::{Map, Value, Verified};
use pgrx::pg_sys;
use serde_json::json;

use super::admitted::{Admitted, Proof};
use super::trust::{self, Provider};
use crate::clock;
use crate::identity::Identity;
use crate::kind::Kind;
use crate::pg::context::Context;
use crate::pg::index::Table;
use crate::pg::spi;
use crate::pg::tables::USERS;

/// Makes the row from the claims of a token whose provider has `create_users`, if there is none. A
/// row that exists is never changed, and a deleted user not revived.
///
/// The identity must be in force: triggers of the application on the table see it. If the table
/// refuses the row, the ERROR is that of the trigger or constraint. If the row is newer than the
/// snapshot of a transaction above READ COMMITTED, no foreign key of it could refer to the row, and
/// the ERROR is a serialization failure.
pub fn create_if_new(admitted: &Admitted) {
    let (Some(provider), Proof::Jwt(token)) = (&admitted.provider, &admitted.proof) else {
        return;
    };
    let identity = &admitted.identity;
    // SAFETY: reads the state of the process and its transaction.
    let is_writable = || unsafe { !pg_sys::XactReadOnly && !pg_sys::RecoveryInProgress() };
    if provider.create_users && is_writable() && !has_row(admitted) {
        create(token, identity);
    }
}

/// Whether the transaction sees a row of the user. The row that the sign-in has found is the latest
/// one, which the snapshot of a transaction above READ COMMITTED may not see.
fn has_row(admitted: &Admitted) -> bool {
    // SAFETY: reads the state of the transaction.
    let sees_latest = unsafe { pg_sys::XactIsoLevel } < pg_sys::XACT_REPEATABLE_READ as i32;
    (sees_latest && admitted.has_row.get()) || Table::Users.has(&[&admitted.identity.subject])
}

fn create(token: &Verified, identity: &Identity) {
    // Whoever renames a provider, or gives a provider the name of another, waits for this lock first. So the
    // name that is read now stays. A provider that was dropped has no new users.
    // SAFETY: the table exists; the lock is released at the end of the transaction.
    unsafe {
        let mode = pg_sys::RowExclusiveLock as pg_sys::LOCKMODE;
        pg_sys::LockRelationOid(USERS.oid(), mode);
    }
    let current =
        trust::current().and_then(|trust| trust.provider_for(token.issuer(), token.audiences()));
    let Some(provider) = current.ok().filter(|provider| provider.create_users) else {
        return;
    };
    let object = object(&provider, token.issuer(), identity).to_string();
    let _context = Context::enter(c"creation of the row of users_sync for a user who signs in");
    // Another transaction may insert the row at this moment.
    let insert = "INSERT INTO neon_auth_internal.users_sync (raw_json, updated_at) \
                  VALUES ($1::jsonb, clock_timestamp()) ON CONFLICT (id) DO NOTHING";
    spi::write(insert, &[&object]);
}

/// The user as an object of the mirror. Claims that are missing or of odd types are left out.
fn object(provider: &Provider, issuer: &str, identity: &Identity) -> serde_json::Value {
    let claims = identity.claims();
    let claim = |name: &str| claims.get(name).and_then(Value::as_str);
    let email = identity.string("email", identity.names().email);
    let texts = [
        ("display_name", claim("name")),
        ("primary_email", email),
        ("profile_image_url", claim("picture")),
    ];
    let mut object = json!({
        "id": identity.subject,
        "signed_up_at_millis": signed_up_at(provider.kind, claims),
        "auth_provider": provider.name,
        "auth_issuer": issuer,
    });
    for (member, text) in texts {
        if let Some(text) = text.filter(|text| !text.is_empty()) {
            object[member] = json!(text);
        }
    }
    if let Some(is_verified) = identity.email_verified() {
        object["primary_email_verified"] = json!(is_verified);
    }
    if identity.is_anonymous() == Some(true) {
        object["is_anonymous"] = json!(true);
    }
    object
}

/// In milliseconds since 1970: Stack Auth's claim, or now.
fn signed_up_at(kind: Kind, claims: &Map<String, Value>) -> i64 {
    let claimed = match kind {
        Kind::Stack => claims
            .get("signed_up_at")
            .and_then(|at| at.as_number()?.floor()),
        Kind::Oidc | Kind::BetterAuth => None,
    };
    let now = clock::seconds();
    let seconds = claimed.filter(|at| (0..=now).contains(at));
    seconds.map_or_else(|| clock::microseconds() / 1000, |at| at * 1000)
}
