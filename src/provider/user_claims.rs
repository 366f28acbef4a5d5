//! The claims of a credential whose user is a row of Better Auth's table of users, under the names that
//! Better Auth's JWTs have.

use neon_auth_token::{Map, Value, json_value};

use super::tables::Bound;
use super::trust::Provider;
use crate::clock::SECOND;
use crate::pg::others::OthersRow;

/// The claims about the user, and the issuer.
pub fn of_row(
    provider: &Provider,
    user: &str,
    table: &Bound,
    row: &OthersRow,
) -> Map<String, Value> {
    let mut claims = Map::new();
    let mut add = |name: &str, value: Option<Value>| {
        claims.extend(value.map(|value| (name.to_owned(), value)));
    };
    let column = |canonical| table.column(canonical);
    let text = |canonical| row.text(column(canonical)?).map(Value::String);
    let flag = |canonical| row.boolean(column(canonical)?).map(Value::Bool);
    add(
        "iss",
        provider.policy.issuers.first().cloned().map(Value::String),
    );
    add("sub", Some(Value::String(user.to_owned())));
    for name in ["name", "email", "image", "role"] {
        add(name, text(name));
    }
    for name in ["emailVerified", "isAnonymous"] {
        add(name, flag(name));
    }
    claims
}

/// Microseconds since 1970 as a number of seconds, rounded down.
pub fn seconds(microseconds: i64) -> Option<Value> {
    json_value(&microseconds.div_euclid(SECOND).to_string())
}
