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
    keys: &'p KeySet,
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

    pub(super) fn new(token: &'p Token<'p>, keys: &'p KeySet) -> Self {
        Self {
            token,
            keys,
            key: keys.choose(token.key_id(), token.algorithm()),
        }
    }

    fn key(&self) -> Result<(), Kind> {
        self.key.map(|_| ())
    }

    fn describe_key(&self) -> String {
        let id = self.token.key_id();
        format!(
            "kid is {}, alg is {}; keys of that name: {}; usable keys in the set: {}",
            shown::text(id),
            self.token.algorithm(),
            self.keys.purposes(id),
            shown::list(self.keys.key_ids())
        )
    }

    fn signature(&self) -> Result<(), Kind> {
        let verdict = self
            .key?
            .verify(self.token.signed.as_bytes(), &self.token.signature);
        require(verdict.is_ok(), Kind::BadSignature)
    }

    fn describe_signature(&self) -> String {
        let bytes = self.token.signature.len();
        match self.key {
            Ok(_) => format!("{bytes} bytes checked with {}", self.token.algorithm()),
            Err(_) => format!("{bytes} bytes, and no key to check them with"),
        }
    }
}
