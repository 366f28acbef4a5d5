//! A second implementation of the rules about claims, which shares no code with the first one: `verify` and `inspect`
//! walk the same table of rules, so that they agree also where a rule is wrong.

use neon_auth_token::Policy;
use serde_json::{Map, Value};

use crate::{ISSUERS, NOW, PROJECT};

const LEEWAY: f64 = 30.0;
const LAST_SECOND: f64 = 253_402_300_799.0;

/// Whether claims that JSON readers agree about are those of a valid token of the provider.
pub fn is_acceptable(claims: &Map<String, Value>, policy: &Policy) -> bool {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let Some(kind) = text("iss").and_then(|issuer| ISSUERS.iter().position(|own| *own == issuer))
    else {
        return false;
    };
    let is_user = text("sub")
        .is_some_and(|user| (1..=255).contains(&user.len()) && !user.contains(char::is_control));
    is_user
        && is_timely(claims, policy)
        && is_for_us(claims, policy)
        && is_user_allowed(claims, policy)
        && (policy.stack.is_none() || is_of_project(claims, kind))
}

/// Dates between 1970 and 9999, of which `exp` is after all others.
fn is_timely(claims: &Map<String, Value>, policy: &Policy) -> bool {
    let date = |name: &str| {
        claims
            .get(name)
            .map(|date| date.as_f64().unwrap_or(f64::NAN))
    };
    let dates = ["exp", "nbf", "iat"].map(date);
    let are_dates =
        |date: f64| (0.0..=LAST_SECOND).contains(&date.floor()) && date.ceil() <= LAST_SECOND;
    if !dates.iter().flatten().all(|date| are_dates(*date)) {
        return false;
    }
    let [Some(end), not_before, issued_at] = dates else {
        return false;
    };
    let (end, now) = (end.floor(), NOW as f64);
    let begins = [not_before.map(f64::ceil), issued_at.map(f64::floor)];
    let is_short = policy
        .max_lifetime
        .is_none_or(|longest| issued_at.is_some_and(|begin| end - begin.floor() <= longest as f64));
    now < end + LEEWAY
        && begins
            .iter()
            .flatten()
            .all(|begin| *begin <= now + LEEWAY && *begin < end)
        && is_short
}

fn is_for_us(claims: &Map<String, Value>, policy: &Policy) -> bool {
    let named: Vec<&Value> = match claims.get("aud") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(several)) => several.iter().collect(),
        Some(one) => vec![one],
    };
    let is_ours = |one: &&Value| policy.audiences.iter().any(|own| **one == **own);
    named.iter().all(|one| one.is_string())
        && (policy.audiences.is_empty() || named.iter().any(is_ours))
}

/// A flag that is neither true nor false is true.
fn is_set(claims: &Map<String, Value>, name: &str) -> bool {
    match claims.get(name) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => text != "false",
        Some(_) => true,
    }
}

fn is_user_allowed(claims: &Map<String, Value>, policy: &Policy) -> bool {
    match is_set(claims, "is_anonymous") {
        true => policy.allow_anonymous,
        false => policy.allow_restricted || !is_set(claims, "is_restricted"),
    }
}

/// Issuer, audience and flags name one kind of user of the project.
fn is_of_project(claims: &Map<String, Value>, kind_of_issuer: usize) -> bool {
    let kind_of_audience = ["", ":restricted", ":anon"]
        .iter()
        .position(|suffix| claims.get("aud") == Some(&format!("{PROJECT}{suffix}").into()));
    let flag = |name: &str| match claims.get(name) {
        None => Some(false),
        Some(flag) => flag.as_bool(),
    };
    let kind_of_flags = match (flag("is_anonymous"), flag("is_restricted")) {
        (None, _) | (_, None) => None,
        (Some(true), _) => Some(2),
        (_, Some(true)) => Some(1),
        _ => Some(0),
    };
    let is_absent_or =
        |name: &str, value: &str| claims.get(name).is_none_or(|found| found == value);
    kind_of_audience == Some(kind_of_issuer)
        && kind_of_flags == Some(kind_of_issuer)
        && is_absent_or("project_id", PROJECT)
        && is_absent_or("role", "authenticated")
}
