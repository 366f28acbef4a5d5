//! One JSON Web Key (RFC 7517 section 4) of a published set.

use crate::bad_key_set::{BadKeySet, Kind};
use crate::header::is_key_id;
use crate::public_key::PublicKey;
use crate::value::{Map, Value};
use crate::{Algorithm, base64url, shown, small_order};

/// RSA moduli in bits: below, they can be factored; above, they cost too much.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Most bits in an RSA exponent, which aws-lc limits to bound the cost.
const MAX_EXPONENT_BITS: usize = 33;

/// A named key of a set.
pub(crate) struct Key {
    pub(crate) id: String,
    /// One entry per algorithm the key serves, or why it serves none.
    pub(crate) serves: Result<Vec<PublicKey>, &'static str>,
}

/// What a JWK says about its purpose.
enum Purpose {
    /// Verifying signatures: of this algorithm, or of any that fits the key.
    Signatures(Option<Algorithm>),
    /// Something else, and this is how it shows.
    Other(&'static str),
}

impl Key {
    /// Reads one JWK. A key for another purpose or of an unknown type is kept by name
    /// alone; a key without a name is `None`, since no token can ask for it.
    pub(crate) fn parse(jwk: &Map<String, Value>) -> Result<Option<Self>, BadKeySet> {
        let kty = string(jwk, "kty")?.ok_or_else(|| malformed("kty is absent"))?;
        refuse_secrets(kty, jwk)?;
        let Some(id) = string(jwk, "kid")? else {
            return Ok(None);
        };
        if !is_key_id(id) {
            return Err(malformed(
                "kid is empty, too long or has control characters",
            ));
        }
        let serves = match purpose(jwk)? {
            Purpose::Other(why) => Err(why),
            Purpose::Signatures(algorithm) => match kty {
                "RSA" => rsa(jwk, algorithm).map(Ok)?,
                "EC" => ec(jwk, algorithm)?,
                "OKP" => okp(jwk, algorithm)?,
                _ => Err("its kty is not known"),
            },
        };
        Ok(Some(Self {
            id: id.to_owned(),
            serves,
        }))
    }
}

fn malformed(detail: impl Into<String>) -> BadKeySet {
    BadKeySet::new(Kind::Malformed, detail)
}

fn string<'j>(jwk: &'j Map<String, Value>, name: &str) -> Result<Option<&'j str>, BadKeySet> {
    match jwk.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let found = shown::kind(other);
            Err(malformed(format!("{name} is {found} instead of a string")))
        }
    }
}

/// A published secret proves nothing, so a set that has one is not merely short of a key.
fn refuse_secrets(kty: &str, jwk: &Map<String, Value>) -> Result<(), BadKeySet> {
    if kty == "oct" || jwk.contains_key("k") {
        return Err(BadKeySet::new(
            Kind::SymmetricKey,
            "kty is \"oct\" or k is present",
        ));
    }
    let private: &[&str] = match kty {
        "RSA" => &["d", "p", "q", "dp", "dq", "qi", "oth"],
        _ => &["d", "priv"],
    };
    match private.iter().find(|name| jwk.contains_key(**name)) {
        Some(name) => Err(BadKeySet::new(
            Kind::PrivateKey,
            format!("{name} is present"),
        )),
        None => Ok(()),
    }
}

/// Reads `use`, `key_ops` and `alg` (RFC 7517 sections 4.2 to 4.4).
fn purpose(jwk: &Map<String, Value>) -> Result<Purpose, BadKeySet> {
    if string(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return Ok(Purpose::Other("its use is not \"sig\""));
    }
    if !may_verify(jwk)? {
        return Ok(Purpose::Other("its key_ops lack \"verify\""));
    }
    Ok(match string(jwk, "alg")?.map(str::parse) {
        None => Purpose::Signatures(None),
        Some(Ok(algorithm)) => Purpose::Signatures(Some(algorithm)),
        Some(Err(_)) => Purpose::Other("its alg is not supported"),
    })
}

fn may_verify(jwk: &Map<String, Value>) -> Result<bool, BadKeySet> {
    let Some(value) = jwk.get("key_ops") else {
        return Ok(true);
    };
    let operations: Option<Vec<&str>> = value
        .as_array()
        .and_then(|items| items.iter().map(Value::as_str).collect());
    let Some(mut operations) = operations else {
        return Err(malformed("key_ops is not an array of strings"));
    };
    let verifies = operations.contains(&"verify");
    let total = operations.len();
    operations.sort_unstable();
    operations.dedup();
    if operations.len() < total {
        return Err(malformed("key_ops repeats an operation"));
    }
    Ok(verifies)
}

/// RFC 7518 section 6.3.1.
fn rsa(
    jwk: &Map<String, Value>,
    algorithm: Option<Algorithm>,
) -> Result<Vec<PublicKey>, BadKeySet> {
    let modulus = number(jwk, "n")?;
    let exponent = number(jwk, "e")?;
    let bits = bit_length(&modulus);
    if !RSA_BITS.contains(&bits) {
        let (least, most) = RSA_BITS.into_inner();
        let detail = format!("n has {bits} bits; {least} to {most} are accepted");
        return Err(BadKeySet::new(Kind::BadRsaKey, detail));
    }
    if !is_odd(&modulus) {
        return Err(BadKeySet::new(Kind::BadRsaKey, "n is even"));
    }
    if bit_length(&exponent) > MAX_EXPONENT_BITS || !is_odd(&exponent) || exponent == [1] {
        let detail = format!("e is not odd, not at least 3, or above {MAX_EXPONENT_BITS} bits");
        return Err(BadKeySet::new(Kind::BadRsaKey, detail));
    }
    let candidates = algorithm.map_or(Algorithm::RSA.to_vec(), |named| vec![named]);
    if let Some(other) = candidates
        .iter()
        .find(|named| !Algorithm::RSA.contains(named))
    {
        return Err(mismatch(*other, "an RSA key"));
    }
    candidates
        .into_iter()
        .map(|named| PublicKey::rsa(named, &modulus, &exponent))
        .collect::<Option<_>>()
        .ok_or_else(|| BadKeySet::new(Kind::BadRsaKey, "n and e make no key"))
}

/// RFC 7518 section 6.2.1.
fn ec(
    jwk: &Map<String, Value>,
    algorithm: Option<Algorithm>,
) -> Result<Result<Vec<PublicKey>, &'static str>, BadKeySet> {
    let (own, size) = match string(jwk, "crv")? {
        Some("P-256") => (Algorithm::ES256, 32_usize),
        Some("P-384") => (Algorithm::ES384, 48),
        Some(_) => return Ok(Err("its crv is not supported")),
        None => return Err(malformed("crv is absent")),
    };
    if let Some(named) = algorithm.filter(|named| *named != own) {
        return Err(mismatch(named, "a key of another curve or type"));
    }
    let mut point = vec![0x04];
    for name in ["x", "y"] {
        let coordinate = bytes(jwk, name)?;
        // RFC 7518 wants the full width, but Stack Auth drops leading zeros.
        let Some(padding) = size.checked_sub(coordinate.len()) else {
            let detail = format!("{name} has {} bytes; {size} are the most", coordinate.len());
            return Err(BadKeySet::new(Kind::BadEcKey, detail));
        };
        point.resize(point.len() + padding, 0);
        point.extend(coordinate);
    }
    let key = PublicKey::elliptic(own, &point)
        .ok_or_else(|| BadKeySet::new(Kind::BadEcKey, "x and y are no point on the curve"))?;
    Ok(Ok(vec![key]))
}

/// RFC 8037 section 2.
fn okp(
    jwk: &Map<String, Value>,
    algorithm: Option<Algorithm>,
) -> Result<Result<Vec<PublicKey>, &'static str>, BadKeySet> {
    match string(jwk, "crv")? {
        Some("Ed25519") => {}
        Some(_) => return Ok(Err("its crv is not supported")),
        None => return Err(malformed("crv is absent")),
    }
    if let Some(named) = algorithm.filter(|named| *named != Algorithm::EdDSA) {
        return Err(mismatch(named, "an Ed25519 key"));
    }
    let bad = |detail: &str| BadKeySet::new(Kind::BadEdKey, detail);
    let point: [u8; 32] = bytes(jwk, "x")?
        .try_into()
        .map_err(|_| bad("x is not 32 bytes long"))?;
    if small_order::is_unsafe(&point) {
        return Err(bad("x is of small order or not canonical"));
    }
    let key = PublicKey::elliptic(Algorithm::EdDSA, &point).ok_or_else(|| bad("x is no point"))?;
    Ok(Ok(vec![key]))
}

fn mismatch(algorithm: Algorithm, key: &str) -> BadKeySet {
    BadKeySet::new(
        Kind::AlgorithmMismatch,
        format!("alg is {algorithm} on {key}"),
    )
}

/// A required member of base64url bytes.
fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, BadKeySet> {
    let text = string(jwk, name)?.ok_or_else(|| malformed(format!("{name} is absent")))?;
    base64url::decode(text).map_err(|fault| malformed(format!("{name} has {fault}")))
}

/// A required integer in the fewest bytes (RFC 7518 section 2, "Base64urlUInt").
fn number(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, BadKeySet> {
    let bytes = bytes(jwk, name)?;
    match bytes.first() {
        None | Some(0) => {
            let detail = format!("{name} is empty or begins with a zero byte");
            Err(BadKeySet::new(Kind::BadRsaKey, detail))
        }
        Some(_) => Ok(bytes),
    }
}

/// The bits of a big-endian integer without leading zero bytes.
fn bit_length(bytes: &[u8]) -> usize {
    let unused = bytes.first().map_or(0, |first| first.leading_zeros());
    (bytes.len() * 8).saturating_sub(unused as usize)
}

fn is_odd(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|last| last & 1 == 1)
}
