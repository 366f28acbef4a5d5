//! A row of Better Auth's table `jwks`: one public key, named by the row's id.

use crate::header::is_key_id;
use crate::jwk::Key;
use crate::left_out::{Kind, LeftOut, Reason};
use crate::member::{malformed, string, unsupported};
use crate::value::{Map, Value};
use crate::{Algorithm, KeySet, akp, json};

impl KeySet {
    /// The set without keys: that of a row that does not exist.
    pub fn without_keys() -> Self {
        Self::of(None)
    }

    /// The set of one row: its id, the public key as a JWK, and the algorithm that a column names.
    ///
    /// The type and the curve of the key decide the algorithm. Only RSA keys serve more than one:
    /// that of the column, else that of the JWK, else RS256 and PS256. A row whose key cannot be
    /// used is left out.
    pub fn of_row(id: &str, jwk: &str, algorithm: Option<&str>) -> Self {
        let key = read(id, jwk, algorithm);
        Self::of(Some(key.map_err(|reason| left_out(id, reason))))
    }

    /// The set of a row whose key has expired.
    pub fn of_expired_row(id: &str) -> Self {
        let reason = Reason::new(
            Kind::Expired,
            "its expiresAt and the grace period have passed",
        );
        Self::of(Some(Err(left_out(id, reason))))
    }
}

fn left_out(id: &str, reason: Reason) -> LeftOut {
    LeftOut::new(0, is_key_id(id).then(|| id.to_owned()), reason)
}

fn read(id: &str, jwk: &str, algorithm: Option<&str>) -> Result<Key, Reason> {
    let mut members = json::object(jwk)
        .map_err(|fault| malformed(format!("publicKey is not a JWK: {}", fault.detail())))?;
    // Better Auth makes no such keys, and an AKP key is incomplete without the `alg` of the JWK.
    if string(&members, "kty")? == Some(akp::KTY) {
        return Err(unsupported("kty", akp::KTY));
    }
    let named = algorithms(&members, algorithm)?;
    members.insert("kid".to_owned(), Value::String(id.to_owned()));
    members.remove("alg");
    let mut key = Key::parse(&members)?;
    if !named.is_empty() {
        key.serves
            .retain(|served| named.contains(&served.algorithm()));
    }
    Ok(key)
}

/// The algorithms that an RSA key serves; none for a key that can serve only one.
fn algorithms(jwk: &Map<String, Value>, column: Option<&str>) -> Result<Vec<Algorithm>, Reason> {
    if string(jwk, "kty")? != Some("RSA") {
        return Ok(Vec::new());
    }
    let rsa = |name: &str| {
        let named = name.parse().ok();
        named.filter(|named| Algorithm::RSA.contains(named))
    };
    let named = column.and_then(rsa);
    let named = match named {
        None => string(jwk, "alg")?.and_then(rsa),
        named => named,
    };
    Ok(named.map_or_else(
        || vec![Algorithm::RS256, Algorithm::PS256],
        |named| vec![named],
    ))
}
