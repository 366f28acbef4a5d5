//! `neon_auth.inspect_jwt`: every check of a token, in order, to find out why it is refused.

use std::rc::Rc;

use neon_auth_token::{KeySet, Step, Token};
use neon_auth_wire::api_key::KeyText;
use pgrx::prelude::*;

use super::admit::admit;
use super::admitted::{Admitted, Proof};
use super::credential::{longest, read};
use super::trust::{self, KeySource, Provider};
use super::{api_key, opaque, revocations, role, table_keys, user_standing};
use crate::clock;
use crate::error::{Problem, quoted};
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
    if KeyText::is_meant(token) {
        return TableIterator::new(inspect_api_key(token, attempt));
    }
    if let Ok(Some(provider)) = opaque::provider_for(token) {
        return TableIterator::new(inspect_opaque(&provider, attempt));
    }
    let claimed = read(token).ok();
    let provider = claimed.as_ref().and_then(|claimed| {
        trust::current()
            .and_then(|trust| trust.provider_for(claimed.issuer(), claimed.audiences()))
            .ok()
    });
    let at_hand = provider.as_ref().zip(claimed.as_ref());
    let at_hand = at_hand.map(|(provider, claimed)| keys_at_hand(provider, claimed, now));
    let (found, mut at_hand) = match at_hand {
        Some((found, described)) => (found, Some(described)),
        None => (None, None),
    };

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
            if let Some(described) = at_hand.take() {
                rows.push(row("keys", described));
            }
        } else {
            rows.push((step.name.to_owned(), step.ok, step.detail));
        }
    }
    if let Some((provider, claimed)) = provider.as_ref().zip(claimed.as_ref()) {
        if user_standing::is_demanded(provider) {
            let outcome = user_standing::demand(provider, claimed.subject());
            rows.push(row("user", outcome.map(|_| user_standing::met(provider))));
        }
        rows.extend(revocation(&attempt));
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
    rows.push(outcome(attempt));
    TableIterator::new(rows)
}

/// The keys that a token is verified with, and a description of them.
fn keys_at_hand(
    provider: &Provider,
    claimed: &Token<'_>,
    now: i64,
) -> (Option<Rc<KeySet>>, Result<String, Problem>) {
    let (keys, description) = if let KeySource::Table = provider.source {
        let keys = table_keys::keys_for(claimed.key_id(), now);
        let description = keys.as_deref().map(table_keys::describe);
        let description = description.unwrap_or_default();
        (keys, description)
    } else {
        let freshness = provider.key_freshness(now);
        (freshness.keys(&provider.name, now), freshness.describe(now))
    };
    let found = keys.as_ref().ok().cloned();
    (found, keys.map(|_| description))
}

/// What `inspect_jwt` says of a session token or an API key of Better Auth: the checks end at the first
/// that fails.
fn inspect_opaque(provider: &Provider, attempt: Result<Rc<Admitted>, Problem>) -> Vec<Finding> {
    let is_key = match &attempt {
        Ok(admitted) => matches!(admitted.proof, Proof::ApiKey),
        Err(problem) => problem.is_about_api_key(),
    };
    let (form, step) = match is_key {
        true => ("an API key of Better Auth", "API key"),
        false => ("a session token", "session"),
    };
    let mut rows = vec![
        ("form".to_owned(), true, format!("{form}: not a JWT")),
        ("provider".to_owned(), true, format!("{:?}", provider.name)),
    ];
    rows.push(match &attempt {
        Ok(admitted) => {
            let identity = &admitted.identity;
            let detail = match &identity.api_key {
                Some(key) => format!(
                    "The API key {} is valid, and its owner {} exists and is not banned.",
                    quoted(&key.id),
                    quoted(&identity.subject)
                ),
                None => format!(
                    "The session {} is open, and its user exists and is not banned.",
                    quoted(identity.session.as_deref().unwrap_or_default())
                ),
            };
            (step.to_owned(), true, detail)
        }
        Err(problem) => refusal(step, problem),
    });
    rows.push(outcome(attempt));
    rows
}

/// What `inspect_jwt` says of an API key, likewise.
fn inspect_api_key(text: &str, attempt: Result<Rc<Admitted>, Problem>) -> Vec<Finding> {
    let mut rows = vec![match api_key::parsed(text) {
        Ok(key) => {
            let detail = format!(
                "an API key with a right checksum; its prefix is {}",
                quoted(key.shown())
            );
            ("form".to_owned(), true, detail)
        }
        Err(problem) => refusal("form", &problem),
    }];
    match &attempt {
        Ok(admitted) => {
            let identity = &admitted.identity;
            let id = identity.api_key.as_ref().map_or("", |key| &key.id);
            let key = format!("The key {} is neither revoked nor expired.", quoted(id));
            let owner = format!(
                "The user {} exists, and is neither deleted nor banned.",
                quoted(&identity.subject)
            );
            rows.push(("API key".to_owned(), true, key));
            rows.push(("owner".to_owned(), true, owner));
        }
        Err(Problem::MalformedApiKey { .. }) => {}
        Err(problem) => rows.push(refusal("API key", problem)),
    }
    rows.push(outcome(attempt));
    rows
}

/// Whether a JWT was revoked, if anything was and no other check failed before.
fn revocation(attempt: &Result<Rc<Admitted>, Problem>) -> Option<Finding> {
    match attempt {
        Err(problem @ (Problem::TokensRevoked { .. } | Problem::SessionRevoked { .. })) => {
            Some(refusal("revocations", problem))
        }
        Ok(_) if !revocations::is_empty().unwrap_or(true) => {
            let detail = "Neither the user's tokens of this age nor the session is revoked.";
            Some(("revocations".to_owned(), true, detail.to_owned()))
        }
        _ => None,
    }
}

fn outcome(attempt: Result<Rc<Admitted>, Problem>) -> Finding {
    let verdict = attempt.map(|admitted| {
        let provider = admitted.provider.as_deref();
        let role = admitted.role.describe(provider);
        let by = provider.map_or("without a provider".to_owned(), |provider| {
            format!("by provider {:?}", provider.name)
        });
        format!("Accepted {by}; would run as {role}.")
    });
    match verdict {
        Ok(detail) => ("outcome".to_owned(), true, detail),
        Err(problem) => ("outcome".to_owned(), false, problem.advice()),
    }
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
