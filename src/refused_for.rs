//! Why credentials are refused, coarsely: for counters that an operator can watch.

use neon_auth_token::Ground;

use crate::error::{KeyDefect, Problem};
use crate::shared::Counter;

/// The counter of what a problem has in common with others. The sum of these counters is the number of refused
/// tokens and API keys.
pub fn counter(problem: &Problem) -> Counter {
    match problem {
        Problem::Token(refusal)
        | Problem::NotAJwt(refusal)
        | Problem::UnknownKey { refusal, .. }
        | Problem::UnknownTableKey { refusal, .. }
        | Problem::Session(refusal)
        | Problem::ApiKeyClaims(refusal) => of_ground(refusal.ground()),
        Problem::MalformedSession { .. }
        | Problem::NamedCookie
        | Problem::MalformedApiKey { .. } => Counter::RefusedForm,
        Problem::UnknownIssuer { .. }
        | Problem::AmbiguousIssuer { .. }
        | Problem::NoSuchAudience { .. } => Counter::RefusedIssuer,
        Problem::NoKeys { .. } => Counter::RefusedKey,
        Problem::SessionSignature | Problem::UnsignedCookie => Counter::RefusedSignature,
        Problem::SessionExpired { .. }
        | Problem::ApiKeyExpired { .. }
        | Problem::KeyOfBetterAuth {
            defect: KeyDefect::Expired { .. },
            ..
        } => Counter::RefusedExpired,
        Problem::NoSession { .. } | Problem::NoApiKey { .. } | Problem::NoKeyOfBetterAuth => {
            Counter::RefusedUnknown
        }
        Problem::UserDeleted { .. }
        | Problem::UserMissing { .. }
        | Problem::UserBanned { .. }
        | Problem::TokensRevoked { .. }
        | Problem::SessionRevoked { .. }
        | Problem::ApiKeyGone
        | Problem::ApiKeyRevoked { .. }
        | Problem::ApiKeyChanged { .. }
        | Problem::OwnerMissing
        | Problem::KeyOfBetterAuth {
            defect:
                KeyDefect::Gone | KeyDefect::Changed | KeyDefect::Disabled | KeyDefect::UsedUp { .. },
            ..
        } => Counter::RefusedEnded,
        Problem::OwnerRefused { .. }
        | Problem::NoRole { .. }
        | Problem::RoleRefused { .. }
        | Problem::AnonymousRoleRefused { .. }
        | Problem::RoleMissing { .. }
        | Problem::RoleNotGranted { .. } => Counter::RefusedRule,
        _ => Counter::RefusedOther,
    }
}

fn of_ground(ground: Ground) -> Counter {
    match ground {
        Ground::Form => Counter::RefusedForm,
        Ground::Issuer => Counter::RefusedIssuer,
        Ground::Key => Counter::RefusedKey,
        Ground::Signature => Counter::RefusedSignature,
        Ground::Expired => Counter::RefusedExpired,
        Ground::Rule => Counter::RefusedRule,
    }
}
