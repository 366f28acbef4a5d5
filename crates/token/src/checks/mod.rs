//! The rules, each written once, in the order in which they apply.
//!
//! A rule is a name, a function that decides and a function that describes; the
//! descriptions are made only for a report. `verify` stops at the first
//! rule that a token breaks, `inspect` goes on, and both walk the same tables.

mod check;
mod claims;
mod facts;
mod proof;
mod said;
mod stack;
mod time;
mod user;

pub(crate) use check::{Outcome, demand};

use crate::refusal::Refusal;
use crate::token::Content;
use crate::value::{Map, Value};
use crate::{KeySet, Policy, SignatureCache, Token};
use check::{Check, each};
use facts::Facts;
use proof::Proof;
use said::Said;
use stack::StackUser;

/// Applies every rule to a token, for as long as `see` does not object.
///
/// Time comes before the key, so that a token from before a change of keys is called
/// expired and causes no fetch. Everything else about the claims comes after the
/// signature, so that a forged token learns nothing about the policy. Without keys a token
/// cannot pass.
pub(crate) fn all(
    token: &Token<'_>,
    keys: Option<&KeySet>,
    policy: &Policy,
    now: i64,
    cache: Option<&SignatureCache<'_>>,
    mut see: impl FnMut(Outcome<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let facts = Facts {
        content: &token.content,
        policy,
        now,
    };
    each(&Facts::HEADER, &facts, &mut see)?;
    each(&Facts::TIME, &facts, &mut see)?;
    let proof = Proof::new(token, keys, cache, now);
    each(&Proof::CHECKS, &proof, &mut see)?;
    each(&Facts::AUDIENCE, &facts, &mut see)?;
    let said = Said {
        members: &token.content.claims.members,
        policy,
    };
    each(&Said::REQUIRED, &said, &mut see)?;
    if let Some(rules) = &policy.stack {
        let user = StackUser::new(&token.content.claims, rules);
        each(&StackUser::CHECKS, &user, &mut see)?;
    }
    each(&Said::USER, &said, &mut see)
}

/// Applies only the rules about required claims and kinds of users.
pub(crate) fn claims(members: &Map<String, Value>, policy: &Policy) -> Result<(), Refusal> {
    let said = Said { members, policy };
    each(&Said::REQUIRED, &said, &mut demand)?;
    each(&Said::USER, &said, &mut demand)
}

/// Applies only the rules about time.
pub(crate) fn time(content: &Content, policy: &Policy, now: i64) -> Result<(), Refusal> {
    let facts = Facts {
        content,
        policy,
        now,
    };
    each(&Facts::TIME, &facts, &mut demand)
}
