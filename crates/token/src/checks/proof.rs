//! Which key signed the token, and whether it did.

use jsonwebtoken::signature::Verifier;

use super::Check;
use super::facts::require;
use crate::key_set::Chosen;
use crate::refusal::Kind;
use crate::{KeySet, SignatureCache, Token, shown};

/// A token and the key it should have been signed with.
pub(super) struct Proof<'p> {
    token: &'p Token<'p>,
    keys: Option<&'p KeySet>,
    key: Result<Chosen<'p>, Kind>,
    cache: Option<&'p SignatureCache<'p>>,
    now: i64,
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

    pub(super) fn new(
        token: &'p Token<'p>,
        keys: Option<&'p KeySet>,
        cache: Option<&'p SignatureCache<'p>>,
        now: i64,
    ) -> Self {
        Self {
            token,
            keys,
            key: keys
                .ok_or(Kind::NoKeys)
                .and_then(|keys| keys.choose(token.key_id(), token.algorithm())),
            cache,
            now,
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
        let Chosen { thumbprint, key } = self.key?;
        let check = || {
            let signed = self.token.signed.as_bytes();
            key.verify(signed, &self.token.signature).is_ok()
        };
        let is_valid = match self.cache {
            Some(cache) => {
                let algorithm = key.algorithm().name();
                cache.is_valid(algorithm, thumbprint, self.token.text, self.now, check)
            }
            None => check(),
        };
        // A token without kid may be signed by a key that is not in the set yet.
        let otherwise = match self.token.key_id() {
            Some(_) => Kind::BadSignature,
            None => Kind::NotByOnlyKey,
        };
        require(is_valid, otherwise)
    }

    fn describe_signature(&self) -> String {
        let bytes = self.token.signature.len();
        match self.key {
            Ok(_) => format!("{bytes} bytes checked with {}", self.token.algorithm()),
            Err(_) => format!("{bytes} bytes, and no key to verify them with"),
        }
    }
}
