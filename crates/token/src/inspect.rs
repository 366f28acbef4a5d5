//! Every check in order, to find out why a token is refused.

use crate::checks::{self, Outcome};
use crate::claims::Claims;
use crate::header::Header;
use crate::parts::Parts;
use crate::{KeySet, Policy, Refusal, Token, shown};

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The check, in a word or two.
    pub name: &'static str,
    /// Whether the token passes it.
    pub ok: bool,
    /// What was found and what is expected; never the token, its signature or a key.
    pub detail: String,
}

/// Runs every check of [`Token::parse`] and [`verify`](crate::verify()), and goes on after a
/// failure for as long as there is something left to look at.
///
/// `find` maps the token's unverified issuer to the provider's policy and keys, which may be
/// missing: checks that need no key are made anyway. The token would be accepted at `now` if, and
/// only if, all steps are `ok`.
pub fn inspect<'p>(
    token: &str,
    longest: usize,
    find: impl FnOnce(&str) -> Option<(Option<&'p KeySet>, &'p Policy)>,
    now: i64,
) -> Vec<Step> {
    let mut steps = Vec::new();
    let Some(token) = read(token, longest, &mut steps) else {
        return steps;
    };
    let provider = find(token.issuer()).ok_or_else(|| Refusal::unknown_issuer(token.issuer()));
    let Some((keys, policy)) = note(&mut steps, "provider", provider, |_| {
        format!("iss is {}", shown::text(token.issuer()))
    }) else {
        return steps;
    };
    // `see` never objects, so neither does the walk.
    let _ = checks::all(&token, keys, policy, now, None, |outcome| {
        steps.push(outcome.into());
        Ok(())
    });
    steps
}

/// Reads the token as [`Token::parse`] does; the claims also when the header is bad.
fn read<'t>(text: &'t str, longest: usize, steps: &mut Vec<Step>) -> Option<Token<'t>> {
    let parts = note(steps, "form", Parts::split(text, longest), |parts| {
        format!(
            "{} bytes, {} of signature",
            text.len(),
            parts.signature.len()
        )
    })?;
    let header = note(steps, "header", Header::parse(parts.header), |header| {
        let kid = shown::optional(header.key_id.as_deref());
        format!("alg is {}, kid is {kid}", header.algorithm)
    });
    let claims = note(steps, "claims", Claims::parse(parts.payload), |claims| {
        format!("{} claims of the right types", claims.members.len())
    });
    Some(Token::new(parts, header?, claims?))
}

/// Adds a step and passes on what it was about.
fn note<T>(
    steps: &mut Vec<Step>,
    name: &'static str,
    result: Result<T, Refusal>,
    describe: impl FnOnce(&T) -> String,
) -> Option<T> {
    let detail = match &result {
        Ok(value) => describe(value),
        Err(refusal) => sentence(refusal, &refusal.detail()),
    };
    steps.push(Step {
        name,
        ok: result.is_ok(),
        detail,
    });
    result.ok()
}

fn sentence(reason: &dyn std::fmt::Display, detail: &str) -> String {
    if detail.is_empty() {
        reason.to_string()
    } else {
        format!("{reason}: {detail}")
    }
}

impl From<Outcome<'_>> for Step {
    fn from(outcome: Outcome<'_>) -> Self {
        let detail = (outcome.describe)();
        Self {
            name: outcome.name,
            ok: outcome.decision.is_ok(),
            detail: match outcome.decision {
                Ok(()) => detail,
                Err(kind) => sentence(&kind, &detail),
            },
        }
    }
}
