//! `neon_auth.inspect_jwt`: every check of a token, in order, to find out why it is refused.

use neon_auth_token::Step;
use pgrx::prelude::*;

use super::admit::{admit, reject_deleted};
use super::credential::{longest, read};
use super::role;
use super::trust::{self, Provider};
use crate::clock;
use crate::error::Problem;
use crate::pg::raised::passes_errors;

/// `neon_auth.inspect_jwt(token)`. It first verifies the token, so that keys are fetched as for
/// `auth.authenticate`; then it lists the checks that explain the result.
#[pg_extern(sql = false)]
fn inspect_jwt(
    token: Option<&str>,
) -> TableIterator<'static, (name!(step, String), name!(ok, bool), name!(detail, String))> {
    let Some(token) = token else {
        return TableIterator::new(vec![
            ("form".to_owned(), false, "the token is NULL".to_owned()),
            (
                "outcome".to_owned(),
                false,
                "The token is NULL: auth.authenticate(NULL) signs out.".to_owned(),
            ),
        ]);
    };
    let attempt = admit(token);
    let now = clock::seconds();
    let claimed = read(token).ok();
    let provider = claimed.as_ref().and_then(|claimed| {
        trust::current()
            .and_then(|trust| trust.provider_for(claimed.issuer(), claimed.audiences()))
            .ok()
    });
    let freshness = provider
        .as_ref()
        .map(|provider| provider.key_freshness(now));
    let keys = provider
        .as_ref()
        .zip(freshness.as_ref())
        .map(|(p, freshness)| freshness.keys(&p.name, now));

    let found = keys.as_ref().and_then(|keys| keys.as_ref().ok().cloned());
    let mut at_hand = freshness.as_ref().zip(keys);

    let mut rows = Vec::new();
    for step in neon_auth_token::inspect(
        token,
        longest(),
        |_| Some((found.as_deref(), &provider.as_ref()?.policy)),
        now,
    ) {
        // Facts that the crate does not know: the provider, and the age of its keys.
        if step.name == "provider" {
            rows.push(trusted(provider.as_deref(), step));
            if let Some((freshness, keys)) = at_hand.take() {
                rows.push(row("keys", keys.map(|_| freshness.describe(now))));
            }
        } else {
            rows.push((step.name.to_owned(), step.ok, step.detail));
        }
    }
    if let Some((provider, claimed)) = provider.as_ref().zip(claimed.as_ref()) {
        if provider.reject_deleted_users {
            let living = reject_deleted(provider, claimed.subject());
            rows.push(row(
                "user",
                living.map(|()| "The user is not deleted.".to_owned()),
            ));
        }
        match &attempt {
            Ok(admitted) if admitted.role.role.is_some() => {
                let role = admitted.role.role.as_deref().unwrap_or_default();
                let user = role::session_user();
                let detail = format!("The session's user {user:?} may set the role {role:?}.");
                rows.push(("database role".to_owned(), true, detail));
            }
            Err(
                problem @ (Problem::RoleRefused { .. }
                | Problem::AnonymousRoleRefused { .. }
                | Problem::RoleMissing { .. }
                | Problem::RoleNotGranted { .. }),
            ) => rows.push(("database role".to_owned(), false, problem.advice())),
            _ => {}
        }
    }
    let verdict = attempt.map(|admitted| {
        let role = admitted.role.describe(&admitted.provider);
        let provider = &admitted.provider.name;
        format!("Accepted by provider {provider:?}; would run as {role}.")
    });
    rows.push(match verdict {
        Ok(detail) => ("outcome".to_owned(), true, detail),
        Err(problem) => ("outcome".to_owned(), false, problem.advice()),
    });
    TableIterator::new(rows)
}

passes_errors! {
    neon_auth_inspect_jwt, pg_finfo_neon_auth_inspect_jwt => inspect_jwt_wrapper;
}

type Finding = (String, bool, String);

fn trusted(provider: Option<&Provider>, step: Step) -> Finding {
    let detail = match provider {
        Some(provider) => format!("{:?}: {}", provider.name, step.detail),
        None => step.detail,
    };
    (step.name.to_owned(), provider.is_some(), detail)
}

fn row(step: &str, outcome: Result<String, Problem>) -> Finding {
    match outcome {
        Ok(detail) => (step.to_owned(), true, detail),
        Err(problem) => refusal(step, &problem),
    }
}

fn refusal(step: &str, problem: &Problem) -> Finding {
    (step.to_owned(), false, problem.sentence())
}
