//! The document that should be a JWK Set (RFC 7517 section 5), read down to its keys.
//!
//! Each key is read on its own, so that a key that is not strict JSON affects no other key.

use serde_json::value::RawValue;

use crate::bad_key_set::{BadKeySet, Kind};
use crate::json::{self, Members};
use crate::shown;
use crate::value::Value;

/// Most bytes in a set.
const MAX_BYTES: usize = 256 * 1024;
/// Most keys in a set.
const MAX_KEYS: usize = 100;

/// The keys of the document, each as the JSON text that it is.
pub(crate) fn keys(json: &[u8]) -> Result<Vec<&RawValue>, BadKeySet> {
    let text = text(json)?;
    let members = match serde_json::from_str::<Members<'_>>(text) {
        Ok(members) => members.0,
        Err(error) => return Err(no_object(text, &error.to_string())),
    };
    let mut keys = members.iter().filter(|(name, _)| name == "keys");
    let Some((_, value)) = keys.next() else {
        return Err(another_document(text));
    };
    if keys.next().is_some() {
        let detail = "the member \"keys\" is repeated";
        return Err(BadKeySet::new(Kind::DuplicateMember, detail));
    }
    let keys: Vec<&RawValue> = serde_json::from_str(value.get())
        .map_err(|_| BadKeySet::new(Kind::Malformed, "\"keys\" is not an array"))?;
    if keys.len() > MAX_KEYS {
        let detail = format!("{} keys; at most {MAX_KEYS} are accepted", keys.len());
        return Err(BadKeySet::new(Kind::TooManyKeys, detail));
    }
    Ok(keys)
}

/// The text that the document consists of.
pub(crate) fn text(json: &[u8]) -> Result<&str, BadKeySet> {
    if json.len() > MAX_BYTES {
        let detail = format!("{} bytes; at most {MAX_BYTES} are accepted", json.len());
        return Err(BadKeySet::new(Kind::TooLarge, detail));
    }
    str::from_utf8(json).map_err(|error| {
        let detail = match json {
            [0x1f, 0x8b, ..] => "it is compressed with gzip".to_owned(),
            _ => format!("not UTF-8 from byte {}", error.valid_up_to()),
        };
        BadKeySet::new(Kind::BadJson, detail)
    })
}

/// What a document that is not a JSON object looks like.
pub(crate) fn no_object(text: &str, error: &str) -> BadKeySet {
    let bad_json = |detail: &str| BadKeySet::new(Kind::BadJson, detail);
    if text.starts_with('\u{feff}') {
        return bad_json("it begins with a byte order mark, which JSON must not (RFC 8259)");
    }
    match text.trim_start() {
        "" => bad_json("it is empty"),
        page if page.starts_with('<') => bad_json("it begins with \"<\", as a web page does"),
        pem if pem.starts_with("-----BEGIN") => bad_json("it is in PEM form"),
        _ => match serde_json::from_str::<&RawValue>(text) {
            Ok(value) => {
                let kind = match value.get().as_bytes().first() {
                    Some(b'{') => return bad_json(error),
                    Some(b'[') => "an array",
                    Some(b'"') => "a string",
                    Some(b'n') => "null",
                    Some(b't' | b'f') => "a boolean",
                    _ => "a number",
                };
                BadKeySet::new(Kind::Malformed, format!("{kind} instead of an object"))
            }
            Err(_) => bad_json(error),
        },
    }
}

/// What an object without "keys" is, where it is something that people mistake for a key set.
fn another_document(text: &str) -> BadKeySet {
    let absent = || BadKeySet::new(Kind::Malformed, "\"keys\" is absent");
    let Ok(members) = json::object(text) else {
        return absent();
    };
    if let Some(url) = members.get("jwks_uri") {
        let detail = match url {
            Value::String(url) => format!("its jwks_uri is {}", shown::text(url)),
            other => format!("its jwks_uri is {}", shown::kind(other)),
        };
        return BadKeySet::new(Kind::DiscoveryDocument, detail);
    }
    let certificates = members.values().filter(|value| is_certificate(value));
    match certificates.count() {
        0 if members.contains_key("kty") => BadKeySet::new(
            Kind::Malformed,
            "it is one JWK, without {\"keys\": [...]} around it",
        ),
        0 => absent(),
        count => {
            let detail = format!("certificates by kid: {count}; no \"keys\" and no jwks_uri");
            BadKeySet::new(Kind::Certificates, detail)
        }
    }
}

fn is_certificate(value: &Value) -> bool {
    let pem = value.as_str().map(str::trim_start);
    pem.is_some_and(|pem| pem.starts_with("-----BEGIN CERTIFICATE-----"))
}
