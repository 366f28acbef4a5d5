//! A provider's published keys.

use std::fmt;

use crate::bad_key_set::{self, BadKeySet};
use crate::jwk::Key;
use crate::public_key::PublicKey;
use crate::refusal::Kind;
use crate::value::Value;
use crate::{Algorithm, json};

/// Most bytes in a set.
const MAX_BYTES: usize = 256 * 1024;
/// Most keys in a set.
const MAX_KEYS: usize = 100;

/// A JWK Set (RFC 7517 section 5), every key checked and ready for use.
pub struct KeySet {
    keys: Vec<Key>,
}

impl KeySet {
    /// Reads a JWK Set: at most 256 KiB and 100 keys.
    ///
    /// Keys of an unknown type, for another use or without a `kid` are passed over. A
    /// usable key may lack leading zero bytes in `x` and `y`.
    ///
    /// # Errors
    /// Refuses the whole set if it is not strict JSON of the right shape, if it holds a
    /// private or symmetric key, if a key that could be used is weak or malformed, or if
    /// no usable key remains.
    pub fn parse(json: &[u8]) -> Result<Self, BadKeySet> {
        if json.len() > MAX_BYTES {
            let detail = format!("{} bytes; at most {MAX_BYTES} are accepted", json.len());
            return Err(BadKeySet::new(bad_key_set::Kind::TooLarge, detail));
        }
        let text = json::utf8(json.to_vec())?;
        let document = json::object(&text)?;
        let malformed = |detail| BadKeySet::new(bad_key_set::Kind::Malformed, detail);
        let Some(Value::Array(jwks)) = document.get("keys") else {
            return Err(malformed("\"keys\" is absent or not an array"));
        };
        if jwks.len() > MAX_KEYS {
            let detail = format!("{} keys; at most {MAX_KEYS} are accepted", jwks.len());
            return Err(BadKeySet::new(bad_key_set::Kind::TooManyKeys, detail));
        }
        let mut keys = Vec::with_capacity(jwks.len());
        for (index, jwk) in jwks.iter().enumerate() {
            let Value::Object(jwk) = jwk else {
                return Err(malformed("it is not an object").at(index));
            };
            keys.extend(Key::parse(jwk).map_err(|error| error.at(index))?);
        }
        let set = Self { keys };
        if set.is_empty() {
            let detail = set.why_unusable(jwks.len());
            return Err(BadKeySet::new(bad_key_set::Kind::NoUsableKey, detail));
        }
        Ok(set)
    }

    /// How many keys can verify a token.
    pub fn len(&self) -> usize {
        self.key_ids().count()
    }

    /// Never true of a set that [`parse`](Self::parse) returned.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the set names a key `kid`, usable or not. If it does not, a token that
    /// asks for it is refused as [an unknown key](crate::Refusal::is_unknown_key).
    pub fn contains(&self, kid: &str) -> bool {
        self.keys.iter().any(|key| key.id == kid)
    }

    /// The names of the keys that can verify a token, in the order of the set.
    pub fn key_ids(&self) -> impl Iterator<Item = &str> {
        self.keys
            .iter()
            .filter(|key| key.serves.is_ok())
            .map(|key| key.id.as_str())
    }

    /// The one key of that name that serves the algorithm.
    pub(crate) fn choose(&self, id: &str, algorithm: Algorithm) -> Result<&PublicKey, Kind> {
        if !self.contains(id) {
            return Err(Kind::UnknownKey);
        }
        let mut fitting = self
            .keys
            .iter()
            .filter(|key| key.id == id)
            .flat_map(|key| key.serves.iter().flatten())
            .filter(|key| key.algorithm() == algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(Kind::AmbiguousKey),
            (None, _) => Err(Kind::UnusableKey),
        }
    }

    /// What keys of the name `id` are there for, for a report.
    pub(crate) fn purposes(&self, id: &str) -> String {
        let named = self.keys.iter().filter(|key| key.id == id);
        let purposes: Vec<String> = named
            .map(|key| match &key.serves {
                Ok(keys) => {
                    let names: Vec<_> = keys.iter().map(|key| key.algorithm().name()).collect();
                    format!("one for {}", names.join(" "))
                }
                Err(why) => format!("one unused because {why}"),
            })
            .collect();
        if purposes.is_empty() {
            return "none".to_owned();
        }
        purposes.join(", ")
    }

    fn why_unusable(&self, total: usize) -> String {
        let first = self.keys.iter().find_map(|key| key.serves.as_ref().err());
        match first {
            Some(why) => format!("{total} keys; the first that has a kid is unused because {why}"),
            None => format!("{total} keys, none with a kid"),
        }
    }
}

/// Shows the names of the usable keys and no key material.
impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySet ")?;
        f.debug_list().entries(self.key_ids()).finish()
    }
}
