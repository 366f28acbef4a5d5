//! The JOSE header of a token (RFC 7515 section 4).

use crate::refusal::{Kind, Refusal};
use crate::value::{Map, Value};
use crate::{Algorithm, json, parts, shown};

/// Most bytes in a key's name.
const MAX_KEY_ID: usize = 256;

/// Members that would change what is verified, and a key that the token itself brings. Issuers of
/// access tokens do not send them, so a token with one is an attempt at something else.
///
/// `jku`, `x5u`, `x5c` and the thumbprints `x5t` and `x5t#S256` also speak of a key, and UAA sends
/// them in every token. They are hints that RFC 7515 lets a verifier ignore, so they are ignored:
/// neither read nor fetched. The key is always the provider's.
const FORBIDDEN: [&str; 3] = ["b64", "zip", "jwk"];

/// The header's members that matter here.
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) key_id: Option<String>,
    pub(crate) typ: Option<String>,
}

impl Header {
    /// Reads the encoded header.
    pub(crate) fn parse(part: &str) -> Result<Self, Refusal> {
        let bytes = parts::decode("header", part)?;
        let members = json::utf8(bytes)
            .and_then(|text| json::object(&text))
            .map_err(|fault| Refusal::bad_json("header", &fault))?;
        refuse_unsupported_features(&members)?;
        Ok(Self {
            algorithm: algorithm(&members)?,
            key_id: key_id(&members)?,
            typ: typ(&members)?,
        })
    }
}

fn refuse_unsupported_features(members: &Map<String, Value>) -> Result<(), Refusal> {
    if members.contains_key("enc") {
        return Err(Refusal::new(Kind::Encrypted, "the header has \"enc\""));
    }
    // No extension is understood, so any list is unacceptable (RFC 7515 section 4.1.11).
    if members.contains_key("crit") {
        return Err(Refusal::new(
            Kind::CriticalHeader,
            "the header has \"crit\"",
        ));
    }
    match FORBIDDEN.iter().find(|name| members.contains_key(**name)) {
        Some(name) => {
            let detail = format!("the header has {}", shown::text(name));
            Err(Refusal::new(Kind::ForbiddenHeader, detail))
        }
        None => Ok(()),
    }
}

fn algorithm(members: &Map<String, Value>) -> Result<Algorithm, Refusal> {
    let found = members.get("alg");
    found
        .and_then(Value::as_str)
        .and_then(|name| name.parse().ok())
        .ok_or_else(|| {
            let supported = Algorithm::ALL.map(Algorithm::name).join(", ");
            let detail = format!("alg is {}; supported: {supported}", shown::value(found));
            Refusal::new(Kind::UnsupportedAlgorithm, detail)
        })
}

fn key_id(members: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    match members.get("kid") {
        None => Ok(None),
        Some(Value::String(name)) if is_key_id(name) => Ok(Some(name.clone())),
        Some(Value::String(name)) => {
            let detail = format!(
                "kid has {} bytes; 1 to {MAX_KEY_ID} without control characters are accepted",
                name.len()
            );
            Err(Refusal::new(Kind::InvalidKeyId, detail))
        }
        Some(other) => {
            let detail = format!("kid is {} instead of a string", shown::kind(other));
            Err(Refusal::new(Kind::InvalidKeyId, detail))
        }
    }
}

fn typ(members: &Map<String, Value>) -> Result<Option<String>, Refusal> {
    match members.get("typ") {
        None => Ok(None),
        Some(Value::String(name)) => Ok(Some(name.clone())),
        Some(other) => {
            let detail = format!("typ is {} instead of a string", shown::kind(other));
            Err(Refusal::new(Kind::InvalidHeader, detail))
        }
    }
}

/// Whether `name` may name a key, in a token or in a set.
pub(crate) fn is_key_id(name: &str) -> bool {
    (1..=MAX_KEY_ID).contains(&name.len()) && !name.contains(char::is_control)
}
