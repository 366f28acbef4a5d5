//! What a rule is, and how rules are applied.

use crate::refusal::{Kind, Refusal};

/// One rule about something of type `C`.
pub(super) struct Check<C> {
    pub(super) name: &'static str,
    pub(super) run: fn(&C) -> Result<(), Kind>,
    /// What was found and what is expected, whatever the decision.
    pub(super) describe: fn(&C) -> String,
}

/// What one rule decided.
pub(crate) struct Outcome<'c> {
    pub(crate) name: &'static str,
    pub(crate) decision: Result<(), Kind>,
    pub(crate) describe: &'c dyn Fn() -> String,
}

/// Objects to the first broken rule, which is all that a verdict needs.
pub(crate) fn demand(outcome: Outcome<'_>) -> Result<(), Refusal> {
    outcome
        .decision
        .map_err(|kind| Refusal::new(kind, (outcome.describe)()))
}

/// Applies rules to their subject, for as long as `see` does not object.
pub(super) fn each<C>(
    checks: &[Check<C>],
    subject: &C,
    see: &mut impl FnMut(Outcome<'_>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    checks.iter().try_for_each(|check| {
        see(Outcome {
            name: check.name,
            decision: (check.run)(subject),
            describe: &|| (check.describe)(subject),
        })
    })
}
