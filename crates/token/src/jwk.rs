//! One JSON Web Key (RFC 7517 section 4) of a published set.

use std::borrow::Cow;

use crate::header::is_key_id;
use crate::left_out::{Kind, Reason};
use crate::public_key::PublicKey;
use crate::value::{Map, Value};
use crate::{Algorithm, base64url, shown, small_order};

/// RSA moduli in bits: below, they can be factored; above, they cost too much.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Most bits in an RSA exponent, which aws-lc limits to bound the cost.
const MAX_EXPONENT_BITS: usize = 33;
/// The members of private and symmetric keys (RFC 7518 section 6, RFC 8037, AKP).
const SECRETS: [&str; 9] = ["k", "d", "p", "q", "dp", "dq", "qi", "oth", "priv"];
/// The members of a usable key that are looked at.
const MEMBERS: [&str; 10] = [
    "kty", "kid", "use", "key_ops", "alg", "crv", "n", "e", "x", "y",
];

/// A key that can verify signatures.
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    /// The public key itself, in one spelling: equal for equal keys.
    pub(crate) material: Vec<u8>,
    /// One entry per algorithm that the JWK lets the key serve.
    pub(crate) serves: Vec<PublicKey>,
}

impl Key {
    /// Reads one JWK. A member that is null counts as absent.
    pub(crate) fn parse(jwk: &Map<String, Value>) -> Result<Self, Reason> {
        refuse_secrets(jwk)?;
        let id = string(jwk, "kid")?.map(str::to_owned);
        if id.as_deref().is_some_and(|id| !is_key_id(id)) {
            return Err(malformed(
                "kid is empty, too long or has control characters",
            ));
        }
        let kty = string(jwk, "kty")?.ok_or_else(|| malformed("kty is absent"))?;
        let algorithm = purpose(jwk)?;
        let (material, serves) = match kty {
            "RSA" => rsa(jwk, algorithm)?,
            "EC" => ec(jwk, algorithm)?,
            "OKP" => okp(jwk, algorithm)?,
            _ => return Err(unsupported("kty", kty)),
        };
        Ok(Self {
            id,
            material,
            serves,
        })
    }

    /// The key as it serves the algorithm, if it does.
    pub(crate) fn serving(&self, algorithm: Algorithm) -> Option<&PublicKey> {
        self.serves.iter().find(|key| key.algorithm() == algorithm)
    }
}

/// The `kid`, where it can name a key.
pub(crate) fn key_id(jwk: &Map<String, Value>) -> Option<String> {
    let id = jwk.get("kid")?.as_str().filter(|id| is_key_id(id))?;
    Some(id.to_owned())
}

/// The members of a usable key that are looked at, and no other.
pub(crate) fn essence(jwk: &Map<String, Value>) -> Map<String, Value> {
    let members = MEMBERS.iter().filter_map(|name| {
        let value = jwk.get(*name).filter(|value| !value.is_null())?;
        Some(((*name).to_owned(), value.clone()))
    });
    members.collect()
}

fn malformed(detail: impl Into<String>) -> Reason {
    Reason::new(Kind::Malformed, detail)
}

fn unsupported(name: &str, found: &str) -> Reason {
    let found = shown::text(found);
    Reason::new(
        Kind::Unsupported,
        format!("its {name} {found} is not supported"),
    )
}

/// A member that is there and not null.
fn member<'j>(jwk: &'j Map<String, Value>, name: &str) -> Option<&'j Value> {
    jwk.get(name).filter(|value| !value.is_null())
}

fn string<'j>(jwk: &'j Map<String, Value>, name: &str) -> Result<Option<&'j str>, Reason> {
    match member(jwk, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let found = shown::kind(other);
            Err(malformed(format!("{name} is {found} instead of a string")))
        }
    }
}

/// A published secret proves nothing, whatever else the JWK says.
fn refuse_secrets(jwk: &Map<String, Value>) -> Result<(), Reason> {
    let found = SECRETS.iter().find(|name| member(jwk, name).is_some());
    match found {
        Some(&"k") => Err(Reason::new(
            Kind::SymmetricKey,
            "it is a symmetric key in a published set: k is present",
        )),
        Some(name) => Err(Reason::new(
            Kind::PrivateKey,
            format!("it is a private key in a published set: {name} is present"),
        )),
        None if member(jwk, "kty").and_then(Value::as_str) == Some("oct") => {
            Err(unsupported("kty", "oct"))
        }
        None => Ok(()),
    }
}

/// Reads `use`, `key_ops` and `alg` (RFC 7517 sections 4.2 to 4.4): the one algorithm that the
/// key is for, or `None` for each that fits it.
fn purpose(jwk: &Map<String, Value>) -> Result<Option<Algorithm>, Reason> {
    let other = |text| Err(Reason::new(Kind::OtherPurpose, text));
    if string(jwk, "use")?.is_some_and(|purpose| purpose != "sig") {
        return other("its use is not \"sig\"");
    }
    if !may_verify(jwk)? {
        return other("its key_ops lack \"verify\"");
    }
    let Some(name) = string(jwk, "alg")? else {
        return Ok(None);
    };
    let algorithm = name.parse().map_err(|_| unsupported("alg", name))?;
    Ok(Some(algorithm))
}

fn may_verify(jwk: &Map<String, Value>) -> Result<bool, Reason> {
    let Some(value) = member(jwk, "key_ops") else {
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

type Parsed = (Vec<u8>, Vec<PublicKey>);

/// RFC 7518 section 6.3.1.
fn rsa(jwk: &Map<String, Value>, algorithm: Option<Algorithm>) -> Result<Parsed, Reason> {
    let bad = |text: String| Reason::new(Kind::BadRsaKey, text);
    let modulus = number(jwk, "n")?;
    let exponent = number(jwk, "e")?;
    let bits = bit_length(&modulus);
    if !RSA_BITS.contains(&bits) {
        let (least, most) = RSA_BITS.into_inner();
        return Err(bad(format!(
            "its n has {bits} bits; {least} to {most} are accepted"
        )));
    }
    if !is_odd(&modulus) {
        return Err(bad("its n is even".to_owned()));
    }
    if bit_length(&exponent) > MAX_EXPONENT_BITS || !is_odd(&exponent) || exponent == [1] {
        return Err(bad(format!(
            "its e is not odd, not at least 3, or above {MAX_EXPONENT_BITS} bits"
        )));
    }
    let candidates = algorithm.map_or(Algorithm::RSA.to_vec(), |named| vec![named]);
    if let Some(other) = candidates
        .iter()
        .find(|named| !Algorithm::RSA.contains(named))
    {
        return Err(mismatch(*other, "an RSA key"));
    }
    let serves = candidates
        .into_iter()
        .map(|named| PublicKey::rsa(named, &modulus, &exponent))
        .collect::<Option<_>>()
        .ok_or_else(|| bad("its n and e make no key".to_owned()))?;
    // The length keeps apart what the concatenation would not.
    let length = modulus.len().to_be_bytes();
    Ok((
        [b"RSA".as_slice(), &length, &modulus, &exponent].concat(),
        serves,
    ))
}

/// RFC 7518 section 6.2.1.
fn ec(jwk: &Map<String, Value>, algorithm: Option<Algorithm>) -> Result<Parsed, Reason> {
    let (own, size) = match string(jwk, "crv")? {
        Some("P-256") => (Algorithm::ES256, 32_usize),
        Some("P-384") => (Algorithm::ES384, 48),
        Some("P-521") => (Algorithm::ES512, 66),
        Some(other) => return Err(unsupported("crv", other)),
        None => return Err(malformed("crv is absent")),
    };
    if let Some(named) = algorithm.filter(|named| *named != own) {
        return Err(mismatch(named, "a key of another curve or type"));
    }
    let mut point = vec![0x04];
    for name in ["x", "y"] {
        // RFC 7518 wants the full width, but Stack Auth drops leading zeros and others add some.
        let coordinate = bytes(jwk, name)?;
        let coordinate = without_leading_zeros(&coordinate);
        let Some(padding) = size.checked_sub(coordinate.len()) else {
            let found = coordinate.len();
            let text = format!("its {name} has {found} bytes; {size} are the most");
            return Err(Reason::new(Kind::BadEcKey, text));
        };
        point.resize(point.len() + padding, 0);
        point.extend(coordinate);
    }
    let key = PublicKey::elliptic(own, &point)
        .ok_or_else(|| Reason::new(Kind::BadEcKey, "its x and y are not a point on the curve"))?;
    Ok(([own.name().as_bytes(), &point].concat(), vec![key]))
}

/// RFC 8037 section 2.
fn okp(jwk: &Map<String, Value>, algorithm: Option<Algorithm>) -> Result<Parsed, Reason> {
    match string(jwk, "crv")? {
        Some("Ed25519") => {}
        Some(other) => return Err(unsupported("crv", other)),
        None => return Err(malformed("crv is absent")),
    }
    if let Some(named) = algorithm.filter(|named| *named != Algorithm::EdDSA) {
        return Err(mismatch(named, "an Ed25519 key"));
    }
    let bad = |text: &str| Reason::new(Kind::BadEdKey, text);
    let point: [u8; 32] = bytes(jwk, "x")?
        .try_into()
        .map_err(|_| bad("its x is not 32 bytes long"))?;
    if small_order::is_unsafe(&point) {
        return Err(bad("its x is of small order or not canonical"));
    }
    let key =
        PublicKey::elliptic(Algorithm::EdDSA, &point).ok_or_else(|| bad("its x is not a point"))?;
    Ok(([b"OKP".as_slice(), &point].concat(), vec![key]))
}

fn mismatch(algorithm: Algorithm, key: &str) -> Reason {
    Reason::new(
        Kind::AlgorithmMismatch,
        format!("its alg is {algorithm} on {key}"),
    )
}

/// A required member of base64url bytes. Padding and the two letters of plain base64 change no
/// value, so they are accepted here, unlike in a token, where two spellings would be two tokens.
fn bytes(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Reason> {
    let text = string(jwk, name)?.ok_or_else(|| malformed(format!("{name} is absent")))?;
    let text = text
        .strip_suffix("==")
        .or_else(|| text.strip_suffix('='))
        .unwrap_or(text);
    let text: Cow<'_, str> = if text.contains(['+', '/']) {
        text.replace('+', "-").replace('/', "_").into()
    } else {
        text.into()
    };
    base64url::decode(&text).map_err(|fault| malformed(format!("{name} has {fault}")))
}

/// A required integer in the fewest bytes (RFC 7518 section 2, "Base64urlUInt"). Java's
/// BigInteger puts a zero byte before it, which changes no value.
fn number(jwk: &Map<String, Value>, name: &str) -> Result<Vec<u8>, Reason> {
    Ok(without_leading_zeros(&bytes(jwk, name)?).to_vec())
}

fn without_leading_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}

/// The bits of a big-endian integer without leading zero bytes.
fn bit_length(bytes: &[u8]) -> usize {
    let unused = bytes.first().map_or(0, |first| first.leading_zeros());
    (bytes.len() * 8).saturating_sub(unused as usize)
}

fn is_odd(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|last| last & 1 == 1)
}
