//! JSON Web Token verification for `neon_auth`: bytes in, a checked type out.
//!
//! [`Token::parse`] reads a compact JWS (RFC 7515, RFC 7519) strictly and once.
//! [`KeySet::parse`] reads a JWK Set (RFC 7517) and prepares every key for use.
//! [`verify()`] judges a token by a key set and a [`Policy`] and returns
//! [`Verified`], which nothing else can make. [`inspect()`] runs the same
//! checks without stopping and reports what each of them found.
//! A [`SignatureCache`] saves checks of signatures that were valid before.
//!
//! There is no clock, no network and no global state here: the time is an
//! argument, in seconds since 1970 (RFC 7519 section 2, "NumericDate"), and so is the cache. No input
//! makes a function of this crate panic. No error text contains a token, a signature
//! or key material.
//!
//! # What `jsonwebtoken` does, and what it does not
//!
//! A strict layer reads first; `jsonwebtoken` gets what has passed it; parsed keys of aws-lc are
//! behind its verifier interface.
//!
//! | subject | `jsonwebtoken` | here, and why |
//! |---|---|---|
//! | one JWK | `Jwk`, `CommonParameters`, `AlgorithmParameters`, `EllipticCurve`, `PublicKeyUse`, `KeyOperations` are its types once it is strict JSON | in front: repeated members, private members, types of members (`{"kty": {"EC": null}}` is an EC key to it), spellings (padding, leading zeros); behind: sizes of RSA keys, small-order points, and the reason why a key is left out, since it calls all such keys `Other` |
//! | `alg` of a JWK | – | `KeyAlgorithm` turns ES512, `Ed25519`, ML-DSA and unknown names into one value, and the refusal must name them |
//! | a JWK Set | – | [`KeySet`]: reading a `JwkSet` fails as a whole for one key that is malformed, and `find` returns the first of two keys of one name |
//! | public key | `DecodingKey::from_jwk`, also for P-521 | keys of type AKP, of which it knows nothing |
//! | equal keys | `Jwk::thumbprint` (RFC 7638) | the thumbprint of AKP keys (RFC 9964 section 6) |
//! | a signature | `signature::Verifier`, its verifiers' interface, is the only way in which a key is asked | the implementation: its own verifiers parse the key at every use (12 to 15 % of a check of a signature with RSA, 1 to 3 % with ECDSA), are not `Send`, and there is none for ES512 and ML-DSA |
//! | algorithm names | – | [`Algorithm`] has ES512, `Ed25519` and ML-DSA and lacks HMAC, so that no shared secret can be represented |
//! | header of a token | writes it, in tests | `Header` takes `crit`, `b64` and repeated members of other names than its own, refuses ES512, `Ed25519` and ML-DSA, and fails for odd types of members that are ignored here |
//! | claims, `Validation` | – | numbers are exact here; `decode()` reads header and claims twice, ignores `nbf` unless told, and accepts an array as `iss`, an empty `sub`, a future `iat` |
//! | signing (tests, simulator) | `EncodingKey`, `encode`, `crypto::sign`, `Jwk::from_encoding_key` | aws-lc generates keys and signs with ES512 and ML-DSA |

mod akp;
mod algorithm;
mod bad_key_set;
mod base64url;
mod checks;
mod claims;
mod discovery;
mod document;
mod flag;
mod header;
mod inspect;
mod issuer;
mod json;
mod jwk;
mod key_row;
mod key_set;
mod left_out;
mod member;
mod number;
mod parameters;
mod parts;
mod path;
mod policy;
mod public_key;
mod refusal;
mod required;
#[cfg(test)]
mod rfc_vectors;
mod roca;
mod shown;
mod signature_cache;
mod small_order;
mod token;
mod value;
mod verify;
#[cfg(test)]
mod wycheproof;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use bad_key_set::BadKeySet;
pub use claims::{claims_object, json_value};
pub use discovery::jwks_uri;
pub use flag::Flag;
pub use inspect::{Step, inspect};
pub use issuer::IssuerTemplate;
pub use key_set::KeySet;
pub use left_out::LeftOut;
pub use number::Number;
pub use path::{BadPath, ClaimPath, claim_at};
pub use policy::{Policy, StackRules, TokenType};
pub use refusal::{Ground, Refusal};
pub use required::RequiredClaim;
pub use signature_cache::{CacheSet, Salt, SignatureCache};
pub use token::{LONGEST, Token};
pub use value::{Map, Value};
pub use verify::{Verified, judge_claims, verify};
