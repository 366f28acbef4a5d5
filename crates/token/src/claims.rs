//! The claims of a token (RFC 7519 section 4), read but not judged.

use crate::number::Number;
use crate::refusal::{Kind, Refusal};
use crate::value::{Map, Value};
use crate::{json, parts, shown};

/// Most bytes in `iss`.
const MAX_ISSUER: usize = 2048;
/// Most bytes in `sub`: "at most 255 ASCII characters" (OpenID Connect Core section 2).
const MAX_SUBJECT: usize = 255;
/// The last second of the year 9999. Nothing beyond it is meant as a date, and every
/// sum of it and a leeway is far from overflowing.
const MAX_DATE: i64 = 253_402_300_799;

/// Reads an object of claims as [`Token::parse`](crate::Token::parse) reads that of a token;
/// `None` if the text is not such an object.
pub fn claims_object(text: &str) -> Option<Map<String, Value>> {
    json::object(text).ok()
}

/// Reads a value as those of a token are read: as strictly, and numbers exactly.
pub fn json_value(text: &str) -> Option<Value> {
    json::document(text).ok()
}

/// A token's claims, the registered ones checked for type and range.
pub(crate) struct Claims {
    pub(crate) json: String,
    pub(crate) members: Map<String, Value>,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) expires_at: i64,
    pub(crate) not_before: Option<i64>,
    pub(crate) issued_at: Option<i64>,
}

impl Claims {
    /// Reads the encoded payload.
    pub(crate) fn parse(part: &str) -> Result<Self, Refusal> {
        let bytes = parts::decode("payload", part)?;
        let bad_json = |fault| Refusal::bad_json("payload", &fault);
        let json = json::utf8(bytes).map_err(bad_json)?;
        let members = json::object(&json).map_err(bad_json)?;
        check_audience(&members)?;
        Ok(Self {
            issuer: issuer(&members)?,
            subject: subject(&members)?,
            expires_at: date(&members, "exp", Number::floor)?.ok_or_else(|| missing("exp"))?,
            not_before: date(&members, "nbf", Number::ceil)?,
            issued_at: date(&members, "iat", Number::floor)?,
            json,
            members,
        })
    }

    /// The audiences that the token names (RFC 7519 section 4.1.3).
    pub(crate) fn audiences(&self) -> impl Iterator<Item = &str> {
        let (one, many) = match self.members.get("aud") {
            Some(Value::Array(items)) => (None, items.as_slice()),
            other => (other, [].as_slice()),
        };
        one.into_iter().chain(many).filter_map(Value::as_str)
    }
}

/// The refusal of a token without the claim `name`.
pub(crate) fn missing(name: &str) -> Refusal {
    Refusal::new(Kind::MissingClaim, format!("{name} is absent"))
}

fn invalid(name: &str, found: &str, expected: &str) -> Refusal {
    Refusal::new(
        Kind::InvalidClaim,
        format!("{name} is {found}; expected {expected}"),
    )
}

fn string<'m>(members: &'m Map<String, Value>, name: &str) -> Result<&'m str, Refusal> {
    match members.get(name) {
        None => Err(missing(name)),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(invalid(name, shown::kind(other), "a string")),
    }
}

fn issuer(members: &Map<String, Value>) -> Result<String, Refusal> {
    let issuer = string(members, "iss")?;
    if !(1..=MAX_ISSUER).contains(&issuer.len()) {
        let found = format!("{} bytes long", issuer.len());
        return Err(invalid("iss", &found, &format!("1 to {MAX_ISSUER} bytes")));
    }
    Ok(issuer.to_owned())
}

fn subject(members: &Map<String, Value>) -> Result<String, Refusal> {
    let subject = string(members, "sub")?;
    if !(1..=MAX_SUBJECT).contains(&subject.len()) {
        let found = format!("{} bytes long", subject.len());
        return Err(invalid("sub", &found, &format!("1 to {MAX_SUBJECT} bytes")));
    }
    if subject.contains(char::is_control) {
        return Err(invalid(
            "sub",
            "a string with a control character",
            "one without",
        ));
    }
    Ok(subject.to_owned())
}

/// A NumericDate (RFC 7519 section 2), which may have a fraction. Time is judged in whole seconds,
/// and each date is rounded so that the token is valid for no longer than it says: `exp` and, as
/// the beginning of a lifetime, `iat` down, `nbf` up.
fn date(
    members: &Map<String, Value>,
    name: &str,
    round: fn(&Number) -> Option<i64>,
) -> Result<Option<i64>, Refusal> {
    let Some(value) = members.get(name) else {
        return Ok(None);
    };
    let Value::Number(number) = value else {
        let expected = "a number of seconds since 1970";
        return Err(invalid(name, shown::kind(value), expected));
    };
    let is_date = |seconds: Option<i64>| seconds.is_some_and(|at| (0..=MAX_DATE).contains(&at));
    if is_date(number.floor()) && is_date(number.ceil()) {
        return Ok(round(number));
    }
    let found = number.floor().map_or_else(
        || "a number far out of range".to_owned(),
        |seconds| seconds.to_string(),
    );
    let refusal = invalid(name, &found, &format!("0 to {MAX_DATE} seconds"));
    Err(match number.floor().and_then(unit) {
        Some(hint) => refusal.with_hint(hint),
        None => refusal,
    })
}

/// What to do about a date that makes sense in another unit: it would be of 2001 to 2286.
fn unit(number: i64) -> Option<&'static str> {
    const SECONDS: std::ops::Range<i64> = 1_000_000_000..10_000_000_000;
    let is_in = |unit: i64| SECONDS.contains(&(number / unit));
    if is_in(1_000) {
        Some("It looks like milliseconds; have the issuer write seconds (RFC 7519 section 2).")
    } else if is_in(1_000_000) {
        Some("It looks like microseconds; have the issuer write seconds (RFC 7519 section 2).")
    } else if is_in(1_000_000_000) {
        Some("It looks like nanoseconds; have the issuer write seconds (RFC 7519 section 2).")
    } else {
        None
    }
}

/// An `aud` that is null or an empty array (Ory Hydra sends it) names no audience, like an absent
/// one.
fn check_audience(members: &Map<String, Value>) -> Result<(), Refusal> {
    let found = match members.get("aud") {
        None | Some(Value::Null | Value::String(_)) => return Ok(()),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => return Ok(()),
        Some(Value::Array(_)) => "an array with something other than strings",
        Some(other) => shown::kind(other),
    };
    Err(invalid("aud", found, "a string or an array of strings"))
}
