//! The parameters of a public key (RFC 7518 section 6, RFC 8037): checked, and in one spelling.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve};

use crate::left_out::{Kind, Reason};
use crate::member::{bytes, malformed, string, unsupported};
use crate::value::{Map, Value};
use crate::{Algorithm, base64url, roca, small_order};

/// RSA moduli in bits: below, they can be factored; above, they cost too much.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Most bits in an RSA exponent, which aws-lc limits to bound the cost.
const MAX_EXPONENT_BITS: usize = 33;

/// Checks the parameters, and returns them as RFC 7518 spells them, with the algorithms that the
/// key serves: the one that is named, or each that fits the key.
///
/// `jsonwebtoken` and thumbprints expect that spelling. Issuers use others for the same value:
/// padding, the letters of plain base64, Java's zero byte before an integer, and coordinates
/// without leading zeros (Stack Auth).
pub(crate) fn check(
    kty: &str,
    parameters: AlgorithmParameters,
    members: &Map<String, Value>,
    named: Option<Algorithm>,
) -> Result<(AlgorithmParameters, Vec<Algorithm>), Reason> {
    match parameters {
        AlgorithmParameters::RSA(mut rsa) => {
            let modulus = integer("n", &rsa.n)?;
            let exponent = integer("e", &rsa.e)?;
            check_rsa(&modulus, &exponent)?;
            let serves = serves(&Algorithm::RSA, named, "an RSA key")?;
            rsa.n = base64url::encode(&modulus);
            rsa.e = base64url::encode(&exponent);
            Ok((AlgorithmParameters::RSA(rsa), serves))
        }
        AlgorithmParameters::EllipticCurve(mut ec) => {
            let (own, width) = match ec.curve {
                EllipticCurve::P256 => (Algorithm::ES256, 32),
                EllipticCurve::P384 => (Algorithm::ES384, 48),
                EllipticCurve::P521 => (Algorithm::ES512, 66),
                _ => return Err(why_not_typed(kty, members)),
            };
            let serves = serves(&[own], named, "a key of another curve or type")?;
            ec.x = coordinate("x", &ec.x, width)?;
            ec.y = coordinate("y", &ec.y, width)?;
            Ok((AlgorithmParameters::EllipticCurve(ec), serves))
        }
        AlgorithmParameters::OctetKeyPair(mut okp) if okp.curve == EllipticCurve::Ed25519 => {
            let serves = serves(&[Algorithm::EdDSA], named, "an Ed25519 key")?;
            let point = bytes("x", &okp.x)?;
            check_ed25519(&point)?;
            okp.x = base64url::encode(&point);
            Ok((AlgorithmParameters::OctetKeyPair(okp), serves))
        }
        _ => Err(why_not_typed(kty, members)),
    }
}

/// Why aws-lc does not accept checked parameters.
pub(crate) fn why_no_key(parameters: &AlgorithmParameters) -> Reason {
    match parameters {
        AlgorithmParameters::EllipticCurve(_) => {
            Reason::new(Kind::BadEcKey, "its x and y are not a point on the curve")
        }
        // aws-lc accepts each RSA and Ed25519 key that the checks let pass.
        _ => Reason::new(Kind::Malformed, "it is not a valid key"),
    }
}

/// Why `jsonwebtoken` has no type for the parameters: what is missing, or not supported.
fn why_not_typed(kty: &str, members: &Map<String, Value>) -> Reason {
    let required: &[&str] = match kty {
        "RSA" => &["n", "e"],
        "EC" => &["crv", "x", "y"],
        "OKP" => &["crv", "x"],
        other => return unsupported("kty", other),
    };
    for name in required {
        match string(members, name) {
            Err(mistyped) => return mistyped,
            Ok(None) => return malformed(format!("{name} is absent")),
            Ok(Some(curve)) if *name == "crv" && !is_curve_of(kty, curve) => {
                return unsupported("crv", curve);
            }
            Ok(Some(_)) => {}
        }
    }
    malformed("its members make no key")
}

/// Whether keys of a type can be on a curve.
fn is_curve_of(kty: &str, curve: &str) -> bool {
    match kty {
        "EC" => ["P-256", "P-384", "P-521"].contains(&curve),
        _ => curve == "Ed25519",
    }
}

/// The algorithm that `alg` names, if it fits the key; all that fit if there is no `alg`.
fn serves(
    fitting: &[Algorithm],
    named: Option<Algorithm>,
    key: &str,
) -> Result<Vec<Algorithm>, Reason> {
    match named {
        None => Ok(fitting.to_vec()),
        Some(named) if fitting.contains(&named) => Ok(vec![named]),
        Some(named) => Err(Reason::new(
            Kind::AlgorithmMismatch,
            format!("its alg is {named} on {key}"),
        )),
    }
}

/// Refuses RSA keys that are weak, or too costly to use. Both integers are big-endian and begin
/// with no zero byte.
fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), Reason> {
    let bad = |text: String| Err(Reason::new(Kind::BadRsaKey, text));
    let bits = bit_length(modulus);
    if !RSA_BITS.contains(&bits) {
        let (least, most) = RSA_BITS.into_inner();
        return bad(format!(
            "its n has {bits} bits; {least} to {most} are accepted"
        ));
    }
    if !is_odd(modulus) {
        return bad("its n is even".to_owned());
    }
    if bit_length(exponent) > MAX_EXPONENT_BITS || !is_odd(exponent) || exponent == [1] {
        return bad(format!(
            "its e must be odd, at least 3 and of at most {MAX_EXPONENT_BITS} bits"
        ));
    }
    if roca::is_weak(modulus) {
        return bad("its n can be factored (CVE-2017-15361)".to_owned());
    }
    Ok(())
}

/// Refuses what cannot be an Ed25519 key (RFC 8037 section 2), or is one with which one
/// signature fits many messages.
fn check_ed25519(point: &[u8]) -> Result<(), Reason> {
    let bad = |text| Err(Reason::new(Kind::BadEdKey, text));
    match point.try_into() {
        Err(_) => bad("its x is not 32 bytes long"),
        Ok(point) if small_order::is_unsafe(point) => {
            bad("its x is of small order or not canonical")
        }
        Ok(_) => Ok(()),
    }
}

/// A coordinate in the full width of its curve (RFC 7518 section 6.2.1.2).
fn coordinate(name: &str, text: &str, width: usize) -> Result<String, Reason> {
    let coordinate = integer(name, text)?;
    let Some(padding) = width.checked_sub(coordinate.len()) else {
        let found = coordinate.len();
        let text = format!("its {name} has {found} bytes; {width} are the most");
        return Err(Reason::new(Kind::BadEcKey, text));
    };
    Ok(base64url::encode(&[vec![0; padding], coordinate].concat()))
}

/// An integer in the fewest bytes (RFC 7518 section 2, "Base64urlUInt").
fn integer(name: &str, text: &str) -> Result<Vec<u8>, Reason> {
    let bytes = bytes(name, text)?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    Ok(bytes[zeros..].to_vec())
}

/// The bits of a big-endian integer without leading zero bytes.
fn bit_length(bytes: &[u8]) -> usize {
    let unused = bytes.first().map_or(0, |first| first.leading_zeros());
    (bytes.len() * 8).saturating_sub(unused as usize)
}

fn is_odd(bytes: &[u8]) -> bool {
    bytes.last().is_some_and(|last| last & 1 == 1)
}
