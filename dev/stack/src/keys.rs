//! Signing keys: two per audience, derived from the server's secret.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use jsonwebtoken::{Algorithm, EncodingKey, crypto};
use serde_json::{Value, json};

use crate::derive::{base64url, digest, text};
use crate::test_keys::TestKey;

/// A seed under which the default project's signing key for normal users has
/// an `x` shorter than 32 bytes.
pub const SHORT_X_SEED: &str = "short-x-108";

/// The same for `y`.
pub const SHORT_Y_SEED: &str = "short-y-128";

/// The three kinds of user that Stack Auth tells apart by `iss` and `aud`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    Normal,
    Restricted,
    Anonymous,
}

impl Audience {
    /// Every audience, in the order in which the key set lists them.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Restricted, Self::Anonymous];

    /// The kind of a user with these two flags.
    pub fn of(is_anonymous: bool, is_restricted: bool) -> Self {
        match (is_anonymous, is_restricted) {
            (true, _) => Self::Anonymous,
            (false, true) => Self::Restricted,
            (false, false) => Self::Normal,
        }
    }

    /// The token's `aud`.
    pub fn claim(self, project_id: &str) -> String {
        match self {
            Self::Normal => project_id.to_owned(),
            Self::Restricted => format!("{project_id}:restricted"),
            Self::Anonymous => format!("{project_id}:anon"),
        }
    }

    /// The token's `iss`.
    pub fn issuer(self, base_url: &str, project_id: &str) -> String {
        let collection = match self {
            Self::Normal => "projects",
            Self::Restricted => "projects-restricted-users",
            Self::Anonymous => "projects-anonymous-users",
        };
        format!("{base_url}/api/v1/{collection}/{project_id}")
    }
}

/// The two derivations in use side by side; the first one signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generation {
    Old,
    Current,
}

impl Generation {
    /// Both, the signing one first.
    pub const ALL: [Self; 2] = [Self::Old, Self::Current];

    fn label(self) -> &'static str {
        match self {
            Self::Old => "old",
            Self::Current => "current",
        }
    }
}

/// A private key with its key id.
#[derive(Clone)]
pub struct Key {
    kid: String,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Stack(Box<StackKey>),
    Test(TestKey),
}

/// A key of Stack Auth's own algorithm, ES256.
#[derive(Clone)]
struct StackKey {
    /// The private scalar.
    scalar: [u8; 32],
    private: EncodingKey,
    public: Jwk,
}

impl Key {
    /// The key that `secret` gives for an audience.
    pub fn derive(
        secret: &str,
        project_id: &str,
        audience: Audience,
        generation: Generation,
    ) -> Self {
        let audience = audience.claim(project_id);
        let parts = [secret, &audience, generation.label()];
        Self {
            kid: text(&[&["kid"], &parts[..]].concat(), 12),
            material: Material::Stack(Box::new(StackKey::derive(&parts))),
        }
    }

    /// The published test key of another algorithm than Stack Auth's own.
    pub fn test(key: TestKey) -> Self {
        Self {
            kid: key.kid().to_owned(),
            material: Material::Test(key),
        }
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The header's `alg`.
    pub fn alg(&self) -> &'static str {
        match &self.material {
            Material::Stack(_) => "ES256",
            Material::Test(key) => key.alg(),
        }
    }

    /// The signature of `message`, in base64url.
    pub fn sign(&self, message: &[u8]) -> String {
        match &self.material {
            Material::Stack(key) => crypto::sign(message, &key.private, Algorithm::ES256)
                .expect("a key that gave its public key signs"),
            Material::Test(key) => key.sign(message),
        }
    }

    /// The public key as the key server lists it.
    pub fn jwk(&self) -> Value {
        match &self.material {
            Material::Stack(key) => {
                let mut jwk = key.public.clone();
                jwk.common.key_id = Some(self.kid.clone());
                serde_json::to_value(jwk).expect("a JWK is JSON")
            }
            Material::Test(key) => key.jwk(),
        }
    }

    /// The key with its private part, which no key server should ever list.
    pub fn private_jwk(&self) -> Value {
        let mut jwk = self.jwk();
        if let Material::Stack(key) = &self.material {
            jwk["d"] = base64url(&key.scalar).into();
        }
        jwk
    }
}

impl StackKey {
    /// The first digest that is a valid private scalar; all but one in 2^32 are.
    fn derive(parts: &[&str]) -> Self {
        (0u32..)
            .find_map(|attempt| {
                let attempt = attempt.to_string();
                Self::of(digest(&[&["key"], parts, &[&attempt]].concat()))
            })
            .expect("one of the first digests is below the group order")
    }

    fn of(scalar: [u8; 32]) -> Option<Self> {
        let private = EncodingKey::from_ec_der(&[PRIVATE_KEY_INFO.as_slice(), &scalar].concat());
        let mut public = Jwk::from_encoding_key(&private, Algorithm::ES256).ok()?;
        if let AlgorithmParameters::EllipticCurve(point) = &mut public.algorithm {
            for coordinate in [&mut point.x, &mut point.y] {
                *coordinate = without_leading_zeros(coordinate);
            }
        }
        Some(Self {
            scalar,
            private,
            public,
        })
    }
}

/// What precedes the scalar of a P-256 key in PKCS #8 (RFC 5208, RFC 5915): a `PrivateKeyInfo` with
/// an `ECPrivateKey` without the public key, which aws-lc computes.
const PRIVATE_KEY_INFO: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, // SEQUENCE, version 0
    0x30, 0x13, // SEQUENCE
    0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, // id-ecPublicKey
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, // prime256v1
    0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, // OCTET STRING, SEQUENCE, version 1
    0x04, 0x20, // OCTET STRING of 32 bytes
];

/// Stack Auth drops leading zero bytes of a coordinate.
fn without_leading_zeros(coordinate: &str) -> String {
    let bytes = URL_SAFE_NO_PAD
        .decode(coordinate)
        .expect("a coordinate is base64url");
    let start = bytes.iter().take_while(|byte| **byte == 0).count();
    base64url(&bytes[start..])
}

/// All keys of one server secret, and which of them have been revoked.
#[derive(Clone)]
pub struct KeySet {
    keys: Vec<(Audience, Key)>,
    dropped: Vec<String>,
}

impl KeySet {
    /// The six keys that `secret` gives for a project.
    pub fn derive(secret: &str, project_id: &str) -> Self {
        let keys = Audience::ALL
            .into_iter()
            .flat_map(|audience| {
                Generation::ALL.map(|generation| {
                    (
                        audience,
                        Key::derive(secret, project_id, audience, generation),
                    )
                })
            })
            .collect();
        Self {
            keys,
            dropped: Vec::new(),
        }
    }

    /// The key that signs tokens for `audience`, published or revoked.
    pub fn signing(&self, audience: Audience) -> &Key {
        self.keys
            .iter()
            .find_map(|(of, key)| (*of == audience).then_some(key))
            .expect("a set holds keys for every audience")
    }

    /// The key with this id, published or revoked.
    pub fn find(&self, kid: &str) -> Option<&Key> {
        self.keys
            .iter()
            .find_map(|(_, key)| (key.kid() == kid).then_some(key))
    }

    /// Revokes a key: it leaves the published set; tokens are still signed with
    /// it. Answers whether there is such a key.
    pub fn drop_key(&mut self, kid: &str) -> bool {
        let known = self.find(kid).is_some();
        if known {
            self.dropped.push(kid.to_owned());
        }
        known
    }

    /// The published key set for the given audiences.
    pub fn jwks(&self, audiences: &[Audience]) -> Value {
        let keys: Vec<Value> = self
            .keys
            .iter()
            .filter(|(audience, key)| {
                audiences.contains(audience) && !self.dropped.iter().any(|kid| kid == key.kid())
            })
            .map(|(_, key)| key.jwk())
            .collect();
        json!({ "keys": keys })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DEFAULT_PROJECT_ID, DEFAULT_SEED};

    fn set(seed: &str) -> KeySet {
        KeySet::derive(seed, DEFAULT_PROJECT_ID)
    }

    #[test]
    fn a_seed_always_gives_the_same_six_distinct_keys() {
        let keys = set(DEFAULT_SEED).jwks(&Audience::ALL);
        assert_eq!(keys, set(DEFAULT_SEED).jwks(&Audience::ALL));
        let mut kids: Vec<_> = keys["keys"]
            .as_array()
            .unwrap()
            .iter()
            .map(|key| key["kid"].as_str().unwrap())
            .collect();
        assert!(kids.iter().all(|kid| kid.len() == 12));
        kids.sort_unstable();
        kids.dedup();
        assert_eq!(kids.len(), 6);
        assert_ne!(keys, set("another").jwks(&Audience::ALL));
    }

    #[test]
    fn a_public_key_has_exactly_the_members_of_the_service() {
        let jwk = set(DEFAULT_SEED).signing(Audience::Normal).jwk();
        let mut members: Vec<_> = jwk.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["alg", "crv", "kid", "kty", "x", "y"]);
    }

    #[test]
    fn the_short_seeds_give_short_coordinates() {
        for (seed, short, full) in [(SHORT_X_SEED, "x", "y"), (SHORT_Y_SEED, "y", "x")] {
            let jwk = set(seed).signing(Audience::Normal).jwk();
            assert_eq!(jwk[full].as_str().unwrap().len(), 43, "{seed} {full}");
            assert!(jwk[short].as_str().unwrap().len() < 43, "{seed} {short}");
        }
    }

    #[test]
    fn a_dropped_key_is_not_published_and_still_signs() {
        let mut set = set(DEFAULT_SEED);
        let kid = set.signing(Audience::Normal).kid().to_owned();
        assert!(set.drop_key(&kid));
        assert!(!set.drop_key("unknown"));
        let keys = set.jwks(&[Audience::Normal]);
        assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
        assert_ne!(keys["keys"][0]["kid"], kid);
        assert_eq!(set.signing(Audience::Normal).kid(), kid);
    }
}
