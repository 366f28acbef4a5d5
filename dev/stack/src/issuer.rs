//! Any other issuer: its key set and its tokens, in a given shape.
//!
//! A shape is what documentation shows of an issuer. The values that only a
//! key can give are written as `…` there, and the times as those of an example.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::derive::{base64url, digest};
use crate::keys::Key;
use crate::test_keys::{self, TestKey};
use crate::tokens;

/// Stands for a value that the key gives.
const ELLIPSIS: &str = "…";

/// The claims that move with the time of issue.
const TIMES: [&str; 4] = ["iat", "nbf", "exp", "auth_time"];

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shape {
    header: Map<String, Value>,
    claims: Map<String, Value>,
    keys: Vec<Map<String, Value>>,
}

impl Shape {
    /// The shape after a merge patch (RFC 7396).
    pub fn patched(self, patch: &Value) -> Result<Self, String> {
        let mut shape = json!({ "header": self.header, "claims": self.claims, "keys": self.keys });
        merge(&mut shape, patch);
        serde_json::from_value(shape).map_err(|error| error.to_string())
    }

    /// The shape as of a token that is issued at `now`.
    pub fn issued_at(mut self, now: i64) -> Result<Self, String> {
        let iat = self.claims.get("iat").and_then(Value::as_i64);
        let later = now - iat.ok_or("the claim iat is not a number of seconds")?;
        for name in TIMES {
            if let Some(time) = self.claims.get(name).and_then(Value::as_i64) {
                self.claims.insert(name.to_owned(), (time + later).into());
            }
        }
        Ok(self)
    }

    /// The key set, with the signing key in its place.
    pub fn jwks(&self) -> Result<Value, String> {
        let signing = self.signing_key()?.jwk();
        let keys: Result<Vec<Value>, String> = self
            .keys
            .iter()
            .enumerate()
            .map(|(at, key)| {
                let material = if at == self.place()? {
                    signing.clone()
                } else {
                    json!({ "n": foreign_modulus(at) })
                };
                complete(key, &material)
            })
            .collect();
        Ok(json!({ "keys": keys? }))
    }

    pub fn token(&self) -> Result<String, String> {
        let key = Key::test(self.signing_key()?);
        Ok(tokens::encode(&self.header, &self.claims, &key))
    }

    fn signing_key(&self) -> Result<TestKey, String> {
        self.header
            .get("alg")
            .and_then(Value::as_str)
            .and_then(TestKey::for_alg)
            .ok_or_else(|| "there is no test key for the header's alg".to_owned())
    }

    /// Where in the set the signing key is: by kid, or the first one for a
    /// token without.
    fn place(&self) -> Result<usize, String> {
        let Some(kid) = self.header.get("kid") else {
            return Ok(0);
        };
        self.keys
            .iter()
            .position(|key| key.get("kid") == Some(kid))
            .ok_or_else(|| "no key has the header's kid".to_owned())
    }
}

/// A key with the values that its material gives.
fn complete(key: &Map<String, Value>, material: &Value) -> Result<Value, String> {
    let mut key = key.clone();
    for (name, value) in &mut key {
        if *value == json!([ELLIPSIS]) {
            *value = json!([test_keys::certificate()]);
        } else if value == ELLIPSIS {
            *value = material
                .get(name)
                .cloned()
                .ok_or_else(|| format!("the key gives no value for {name}"))?;
        }
    }
    Ok(key.into())
}

/// A modulus of 2048 bits that nobody can sign for.
fn foreign_modulus(at: usize) -> String {
    let mut bytes: Vec<u8> = (0..8)
        .flat_map(|part| digest(&["modulus", &at.to_string(), &part.to_string()]))
        .collect();
    bytes[0] |= 0x80;
    bytes[255] |= 1;
    base64url(&bytes)
}

fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(target) = target.as_object_mut() else {
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape() -> Shape {
        serde_json::from_value(json!({
            "header": { "alg": "RS256", "kid": "b" },
            "claims": { "sub": "alice", "iat": 1000, "nbf": 990, "exp": 4600, "o": { "id": 1, "rol": 2 } },
            "keys": [
                { "kty": "RSA", "use": "enc", "kid": "a", "n": "…", "e": "AQAB" },
                { "kty": "RSA", "kid": "b", "n": "…", "e": "AQAB", "x5c": ["…"] },
            ],
        }))
        .unwrap()
    }

    #[test]
    fn only_the_signing_key_has_its_modulus_and_other_members_stay() {
        let jwks = shape().jwks().unwrap();
        let signing = TestKey::Rs256.jwk();
        assert_eq!(jwks["keys"][1]["n"], signing["n"]);
        assert_ne!(jwks["keys"][0]["n"], signing["n"]);
        assert_eq!(jwks["keys"][0]["use"], "enc");
        assert!(jwks["keys"][1].get("alg").is_none());
        assert!(
            jwks["keys"][1]["x5c"][0]
                .as_str()
                .unwrap()
                .starts_with("MII")
        );
    }

    #[test]
    fn times_move_together() {
        let claims = shape().issued_at(5000).unwrap().claims;
        assert_eq!(
            (&claims["iat"], &claims["nbf"], &claims["exp"]),
            (&json!(5000), &json!(4990), &json!(8600))
        );
    }

    #[test]
    fn a_patch_changes_adds_and_removes() {
        let patch = json!({ "claims": { "sub": null, "aud": [], "o": { "id": 3 } } });
        let claims = shape().patched(&patch).unwrap().claims;
        assert_eq!(claims.get("sub"), None);
        assert_eq!(claims["aud"], json!([]));
        assert_eq!(claims["o"], json!({ "id": 3, "rol": 2 }));
    }

    #[test]
    fn what_cannot_be_signed_is_an_error() {
        for patch in [
            json!({ "header": { "alg": "HS256" } }),
            json!({ "header": { "kid": "c" } }),
            json!({ "keys": [{ "kid": "b", "n": "…", "y": "…" }] }),
        ] {
            assert!(shape().patched(&patch).unwrap().jwks().is_err(), "{patch}");
        }
    }
}
