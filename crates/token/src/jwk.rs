//! One JSON Web Key (RFC 7517 section 4) of a published set.
//!
//! `jsonwebtoken` reads its members into its own types. What those types would let through or
//! could not explain is decided here, before and after.

use std::collections::HashSet;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{CommonParameters, Jwk, KeyOperations, PublicKeyUse, ThumbprintHash};

use crate::header::is_key_id;
use crate::left_out::{Kind, Reason};
use crate::member::{malformed, member, string, unsupported};
use crate::public_key::PublicKey;
use crate::value::{Map, Value};
use crate::{Algorithm, akp, parameters};

/// The members of private and symmetric keys (RFC 7518 section 6, RFC 8037, RFC 9964).
const SECRETS: [&str; 9] = ["k", "d", "p", "q", "dp", "dq", "qi", "oth", "priv"];
/// The members of a usable key that are read.
const MEMBERS: [&str; 11] = [
    "kty", "kid", "use", "key_ops", "alg", "crv", "n", "e", "x", "y", "pub",
];

/// A key that can verify signatures.
pub(crate) struct Key {
    pub(crate) id: Option<String>,
    /// The thumbprint of the public key (RFC 7638): equal for equal keys.
    pub(crate) thumbprint: String,
    /// One entry per algorithm that the JWK lets the key serve.
    pub(crate) serves: Vec<PublicKey>,
}

impl Key {
    /// Reads one JWK. A member that is null is treated as absent.
    pub(crate) fn parse(members: &Map<String, Value>) -> Result<Self, Reason> {
        refuse_secrets(members)?;
        let id = string(members, "kid")?;
        if id.is_some_and(|id| !is_key_id(id)) {
            return Err(malformed(
                "kid is empty, too long or has control characters",
            ));
        }
        let kty = string(members, "kty")?.ok_or_else(|| malformed("kty is absent"))?;
        let mut jwk = typed(members)?;
        refuse_other_purpose(&jwk.common)?;
        let named = named_algorithm(members)?;
        if kty == akp::KTY {
            let (key, thumbprint) = akp::read(members, named)?;
            return Ok(Self {
                serves: vec![key],
                thumbprint,
                id: jwk.common.key_id,
            });
        }
        let (parameters, algorithms) = parameters::check(kty, jwk.algorithm, members, named)?;
        jwk.algorithm = parameters;
        let no_key = || parameters::why_no_key(&jwk.algorithm);
        let key = DecodingKey::from_jwk(&jwk).map_err(|_| no_key())?;
        let prepared = algorithms.into_iter().map(|to| PublicKey::new(to, &key));
        Ok(Self {
            serves: prepared.collect::<Option<_>>().ok_or_else(no_key)?,
            thumbprint: jwk
                .thumbprint(ThumbprintHash::SHA256)
                .map_err(|_| no_key())?,
            id: jwk.common.key_id,
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

/// Only the members of a usable key that are read.
pub(crate) fn essence(jwk: &Map<String, Value>) -> Map<String, Value> {
    let members = MEMBERS.iter().filter_map(|name| {
        let value = jwk.get(*name).filter(|value| !value.is_null())?;
        Some(((*name).to_owned(), value.clone()))
    });
    members.collect()
}

/// A signature by a published secret proves nothing, whatever else the JWK contains.
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
        None => Ok(()),
    }
}

/// The members as `jsonwebtoken` reads them; its types take care of `use`, `key_ops` and of the
/// parameters of each type of key.
///
/// It is handed strings where strings belong, because its enumerations also take `{"EC": null}`
/// for `"EC"`. It is not handed certificates, whose types it would insist on although they are not
/// used.
fn typed(members: &Map<String, Value>) -> Result<Jwk, Reason> {
    string(members, "use")?;
    let typed = MEMBERS.iter().filter_map(|name| {
        let value = member(members, name)?;
        let is_read = *name == "key_ops" || value.is_string();
        is_read.then(|| ((*name).to_owned(), value.clone()))
    });
    // Nothing but key_ops can have another type, since the rest are strings.
    serde_json::from_str(&Value::Object(typed.collect()).to_string())
        .map_err(|_| malformed("key_ops is not an array of strings"))
}

/// RFC 7517 sections 4.2 and 4.3.
fn refuse_other_purpose(common: &CommonParameters) -> Result<(), Reason> {
    let other = |text| Err(Reason::new(Kind::OtherPurpose, text));
    if let Some(purpose) = &common.public_key_use
        && *purpose != PublicKeyUse::Signature
    {
        return other("its use is not \"sig\"");
    }
    let Some(operations) = &common.key_operations else {
        return Ok(());
    };
    let distinct: HashSet<_> = operations.iter().collect();
    if distinct.len() < operations.len() {
        return Err(malformed("key_ops repeats an operation"));
    }
    if !operations.contains(&KeyOperations::Verify) {
        return other("its key_ops lack \"verify\"");
    }
    Ok(())
}

/// `alg` (RFC 7517 section 4.4): the one algorithm that the key is for, or `None` for each that
/// fits it.
fn named_algorithm(members: &Map<String, Value>) -> Result<Option<Algorithm>, Reason> {
    string(members, "alg")?
        .map(|name| name.parse().map_err(|_| unsupported("alg", name)))
        .transpose()
}
