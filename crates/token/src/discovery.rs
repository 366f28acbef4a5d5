//! An issuer's own word where its keys are (OpenID Connect Discovery 1.0 sections 3 and 4).

use crate::bad_key_set::BadKeySet;
use crate::value::Value;
use crate::{document, json, shown};

/// The `jwks_uri` of an issuer's discovery document. The document must be of that very issuer:
/// otherwise whoever can write one for another name would choose this one's keys.
///
/// # Errors
/// Why the document is of no use, as a sentence.
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
