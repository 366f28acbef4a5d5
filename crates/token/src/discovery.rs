//! The URL of an issuer's keys, as the issuer publishes it (OpenID Connect Discovery 1.0
//! sections 3 and 4).

use crate::bad_key_set::BadKeySet;
use crate::value::Value;
use crate::{document, json, shown};

/// The `jwks_uri` of an issuer's discovery document. The document must name that very
/// issuer: otherwise the author of another issuer's document could choose this issuer's keys.
///
/// # Errors
/// Why the document cannot be used, as a sentence.
pub fn jwks_uri(document: &[u8], issuer: &str) -> Result<String, String> {
    let bad = |bad: BadKeySet| format!("It is not a discovery document: {}.", bad.detail());
    let text = document::text(document).map_err(bad)?;
    let members =
        json::object(text).map_err(|fault| bad(document::no_object(text, &fault.detail())))?;
    let found = |name: &str| shown::value(members.get(name));
    if members.get("issuer").and_then(Value::as_str) != Some(issuer) {
        return Err(format!(
            "Its issuer is {}; expected: {}.",
            found("issuer"),
            shown::text(issuer)
        ));
    }
    match members.get("jwks_uri") {
        Some(Value::String(url)) => Ok(url.clone()),
        _ => Err(format!("Its jwks_uri is {}.", found("jwks_uri"))),
    }
}
