//! JSON Web Token verification for `neon_auth`: bytes in, a checked type out.
//!
//! [`Token::parse`] reads a compact JWS (RFC 7515, RFC 7519) strictly and once.
//! [`KeySet::parse`] reads a JWK Set (RFC 7517) and prepares every key for use.
//! [`verify()`] judges a token by a key set and a [`Policy`] and returns
//! [`Verified`], which cannot be had any other way. [`inspect()`] runs the same
//! checks without stopping and tells what each of them found.
//!
//! There is no clock, no network and no global state here: the time is an
//! argument, in seconds since 1970 (RFC 7519 section 2, "NumericDate"). No input
//! makes a function of this crate panic. No error text holds a token, a signature
//! or key material.

#![forbid(unsafe_code)]

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
mod key_set;
mod left_out;
mod number;
mod parts;
mod path;
mod policy;
mod public_key;
mod refusal;
mod required;
#[cfg(test)]
mod rfc_vectors;
mod shown;
mod small_order;
mod token;
mod value;
mod verify;

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
pub use policy::{Policy, StackRules};
pub use refusal::Refusal;
pub use required::RequiredClaim;
pub use token::{LONGEST, Token};
pub use value::{Map, Value};
pub use verify::{Verified, verify};
