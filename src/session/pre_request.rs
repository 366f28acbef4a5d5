//! `auth.pre_request()`: the credential of an HTTP request, from the settings that PostgREST and
//! Neon's Data API set for each transaction.

use std::ffi::{CStr, CString};

use neon_auth_token::{Map, Value, claims_object};
use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::enter::{self, Source};
use super::scope::Scope;
use crate::error::Problem;
use crate::pg::raised::passes_errors;
use crate::{provider, settings};

/// The headers, as a JSON object of names in lower case.
const HEADERS: &str = "request.headers";
/// The cookies, as a JSON object.
const COOKIES: &str = "request.cookies";
/// Better Auth's prefixes of cookies: its default, and that of Neon Auth.
const COOKIE_PREFIXES: [&str; 2] = ["better-auth", "neon-auth"];
/// The prefixes that browsers protect come first: other sites of the domain cannot set such a cookie.
const PROTECTIONS: [&str; 3] = ["__Host-", "__Secure-", ""];

/// `auth.pre_request()`: signs in by the header `Authorization: Bearer`, or else by the header
/// `x-api-key`, or else by the cookie of a session of Better Auth; without any, signs out.
#[pg_extern(sql = false)]
fn pre_request() -> Result<(), ErrorReport> {
    enter::enter_by(credential, Scope::Transaction)?;
    Ok(())
}

passes_errors! {
    neon_auth_pre_request, pg_finfo_neon_auth_pre_request => pre_request_wrapper;
}

/// The request's credential, and where it is from.
fn credential() -> Result<Option<(String, Source)>, Problem> {
    let headers = object(HEADERS)?;
    if let Some(token) = bearer(&headers)? {
        return Ok(Some((token.to_owned(), Source::Argument)));
    }
    // A gateway before PostgREST may have keys of its own in this header.
    if let Some(key) = header(&headers, "X-API-Key")?
        && provider::is_api_key(key)?
    {
        return Ok(Some((key.to_owned(), Source::ApiKeyHeader)));
    }
    // Without Better Auth, a cookie of this name is not ours.
    if !provider::takes_sessions()? {
        return Ok(None);
    }
    let cookie = cookie(&object(COOKIES)?)?;
    Ok(cookie.map(|cookie| (cookie, Source::Cookie)))
}

/// The token of the header Authorization, if its scheme is Bearer.
fn bearer(headers: &Map<String, Value>) -> Result<Option<&str>, Problem> {
    let token = header(headers, "Authorization")?.and_then(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    Ok(token.filter(|token| !token.is_empty()))
}

/// The value of a header; `None` if it is missing or empty.
fn header<'h>(
    headers: &'h Map<String, Value>,
    wanted: &'static str,
) -> Result<Option<&'h str>, Problem> {
    let mut found = None;
    for (name, value) in headers {
        if !name.eq_ignore_ascii_case(wanted) {
            continue;
        }
        let value = text(HEADERS, value)?.trim();
        if found.replace(value).is_some() {
            return Err(bad(HEADERS, &format!("It contains two headers {wanted}.")));
        }
    }
    Ok(found.filter(|value| !value.is_empty()))
}

/// The cookie of a session, under the first of its names.
fn cookie(cookies: &Map<String, Value>) -> Result<Option<String>, Problem> {
    let own = settings::COOKIE_PREFIX.get();
    let own = own.as_deref().map(CStr::to_string_lossy);
    let own = own.as_deref().map(str::trim).filter(|own| !own.is_empty());
    for prefix in own.into_iter().chain(COOKIE_PREFIXES) {
        for ending in [".session_token", "-session_token"] {
            for protection in PROTECTIONS {
                let Some(value) = cookies.get(&format!("{protection}{prefix}{ending}")) else {
                    continue;
                };
                // A server that signs out sets an empty cookie.
                let value = text(COOKIES, value)?;
                if !value.is_empty() {
                    return Ok(Some(value.to_owned()));
                }
            }
        }
    }
    Ok(None)
}

/// The object that a setting contains; an empty one if it is not set.
fn object(setting: &'static str) -> Result<Map<String, Value>, Problem> {
    let text = current(setting);
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    claims_object(&text).ok_or_else(|| bad(setting, "It is not a JSON object."))
}

fn text<'v>(setting: &'static str, value: &'v Value) -> Result<&'v str, Problem> {
    let not_text = || bad(setting, "The value of the credential is not a string.");
    value.as_str().ok_or_else(not_text)
}

fn bad(setting: &'static str, defect: &str) -> Problem {
    Problem::BadRequestSetting {
        setting,
        defect: defect.to_owned(),
    }
}

/// The setting's value; empty if it is not set.
fn current(setting: &str) -> String {
    let name = CString::new(setting).expect("the name contains no NUL");
    // SAFETY: returns NULL or a C string, which is copied.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        if value.is_null() {
            return String::new();
        }
        CStr::from_ptr(value).to_string_lossy().into_owned()
    }
}
