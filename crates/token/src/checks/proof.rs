//! Which key signed the token, and whether it did.

use jsonwebtoken::signature::Verifier;

use super::Check;
use super::facts::require;
use crate::public_key::PublicKey;
use crate::refusal::Kind;
use crate::{KeySet, Token, shown};

/// A token and the key it should have been signed with.
pub(super) struct Proof<'p> {
    token: &'p Token<'p>,
    keys: Option<&'p KeySet>,
    key: Result<&'p PublicKey, Kind>,
}

impl<'p> Proof<'p> {
    pub(super) const CHECKS: [Check<Self>; 2] = [
        Check {
            name: "key",
            run: Self::key,
            describe: Self::describe_key,
        },
        Check {
            name: "signature",
            run: Self::signature,
            describe: Self::describe_signature,
        },
    ];

    pub(super) fn new(token: &'p Token<'p>, keys: Option<&'p KeySet>) -> Self {
        Self {
            token,
            keys,
            key: keys
                .ok_or(Kind::NoKeys)
                .and_then(|keys| keys.choose(token.key_id(), token.algorithm())),
        }
    }

    fn key(&self) -> Result<(), Kind> {
        self.key.map(|_| ())
    }

    fn describe_key(&self) -> String {
        let id = self.token.key_id();
        let asked = format!(
            "kid is {}, alg is {}",
            shown::optional(id),
            self.token.algorithm()
        );
        match (self.keys, id) {
            (None, _) => asked,
            (Some(keys), None) => format!("{asked}; usable keys in the set: {}", keys.describe()),
            (Some(keys), Some(id)) => format!(
                "{asked}; keys of that name: {}; usable keys in the set: {}",
                keys.purposes(id),
                keys.describe()
            ),
        }
    }

    fn signature(&self) -> Result<(), Kind> {
        let signed = self.token.signed.as_bytes();
        let verdict = self.key?.verify(signed, &self.token.signature);
        // A token without kid may be signed by a key that is not in the set yet.
        let otherwise = match self.token.key_id() {
            Some(_) => Kind::BadSignature,
            None => Kind::NotByOnlyKey,
        };
        require(verdict.is_ok(), otherwise)
    }

    fn describe_signature(&self) -> String {
        let bytes = self.token.signature.len();
        match self.key {
            Ok(_) => format!("{bytes} bytes checked with {}", self.token.algorithm()),
            Err(_) => format!("{bytes} bytes, and no key to verify them with"),
        }
    }
}
