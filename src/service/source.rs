//! The service that fills the mirror, by its kind.

use super::better_auth;
use super::stack::sync as stack;
use crate::background::steps::{Steps, Stop};
use crate::error::Problem;
use crate::kind::Kind;
use crate::pg::spi;

/// How a kind of service fills the mirror.
struct Source {
    /// Makes the mirror equal to the service.
    sync: fn(Steps) -> Result<(), Stop>,
    /// Does what a change has left to be done: confirms the queue, or repairs gaps.
    drain: fn(Steps) -> Result<(), Stop>,
}

/// `None` for a kind that does not fill the mirror.
fn source_of(kind: Kind) -> Option<Source> {
    match kind {
        Kind::Oidc => None,
        Kind::Stack => Some(Source {
            sync: stack::sync,
            drain: stack::drain,
        }),
        Kind::BetterAuth => Some(Source {
            sync: better_auth::sync,
            drain: better_auth::drain,
        }),
    }
}

pub fn sync(steps: Steps) -> Result<(), Stop> {
    // Does not depend on a service.
    let forget = "SELECT neon_auth_internal.forget_revocations()::text";
    steps.transaction(|| spi::write(forget, &[]));
    let Some(source) = configured(steps) else {
        // Nor does erasing.
        stack::erase_deleted(steps)?;
        return Err(no_source());
    };
    (source.sync)(steps)
}

pub fn drain(steps: Steps) -> Result<(), Stop> {
    (configured(steps).ok_or_else(no_source)?.drain)(steps)
}

/// The source that a provider is configured for; one provider at most is.
fn configured(steps: Steps) -> Option<Source> {
    let kind = "SELECT s.kind FROM neon_auth_internal.source s";
    let kind = steps.transaction(|| spi::read(kind, &[]))?;
    source_of(Kind::named(&kind)?)
}

fn no_source() -> Stop {
    Stop::Problem(Problem::CannotSync {
        reason: "There is no provider of kind stack or better_auth.".to_owned(),
    })
}
