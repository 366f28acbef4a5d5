//! Services that sign tokens for many applications, or many customers, with one issuer or key.
//!
//! A provider that trusts such an issuer without further rules would trust tokens that anyone can
//! get for their own application. So it must have a rule that distinguishes its own tokens.

use neon_auth_token::{IssuerTemplate, RequiredClaim};

use super::defects::Defects;
use crate::error::quoted;

/// Issuers that sign for all customers' applications.
const ISSUERS: &[&str] = &[
    "accounts.google.com",
    "https://accounts.google.com",
    "https://appleid.apple.com",
    "https://www.facebook.com",
    "https://limited.facebook.com",
    "https://www.linkedin.com",
    "https://www.linkedin.com/oauth",
    "https://slack.com",
    "https://id.twitch.tv/oauth2",
    "https://login.salesforce.com",
    "https://api.login.yahoo.com",
    "https://access.line.me",
    "https://gitlab.com",
    "https://www.paypal.com",
];

/// Prefixes of issuers that exist once per project or pool, whose keys or clients are shared.
const ISSUERS_BEGIN: &[&str] = &[
    "https://securetoken.google.com/",
    "https://session.firebase.google.com/",
];

/// Hosts that publish the keys of many issuers.
const KEY_HOSTS: &[&str] = &["www.googleapis.com", "appleid.apple.com"];

/// Hosts of Entra, where the first segment of the path is the tenant. A tenant signs for every
/// application that its users sign in to.
const ENTRA: &[&str] = &[
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
    "login.windows.net",
    "sts.windows.net",
    "sts.chinacloudapi.cn",
];

/// The endings of the hosts that Entra External ID and Azure AD B2C give to each customer.
const ENTRA_END: &[&str] = &[".ciamlogin.com", ".b2clogin.com"];

/// Path segments that mean any tenant.
const ANY_TENANT: &[&str] = &["common", "organizations", "consumers"];

/// Claims that name the application for which a token was issued. The tenant (`tid`) determines
/// whose users may sign in, not to which application.
const TELLING: &[&str] = &["aud", "azp", "appid", "client_id"];

/// An issuer whose workflows choose the audience of their tokens themselves.
const GITHUB_ACTIONS: &str = "https://token.actions.githubusercontent.com";

/// Claims that name the repository for which such a token was issued.
const REPOSITORY: &[&str] = &[
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "sub",
];

/// Adds a defect for a provider that trusts more than it can intend.
pub fn judge(
    defects: &mut Defects,
    issuers: &[String],
    templates: &[IssuerTemplate],
    url: Option<&str>,
    audiences: &[String],
    required: &[RequiredClaim],
) {
    if let Some(issuer) = issuers.iter().find(|issuer| names_any_tenant(issuer)) {
        defects.add(
            "issuers",
            format!("No token has the issuer {}: Entra puts the tenant's id there.", quoted(issuer)),
            r#"Name the tenants: issuers => ARRAY['https://login.microsoftonline.com/{tid}/v2.0'], required_claims => '{"tid": ["<id of a tenant>"]}'."#,
        );
    }
    let has_one_of = |names: &[&str]| {
        let mut valued = required.iter().filter(|claim| claim.values.is_some());
        valued.any(|claim| names.contains(&claim.path.text()))
    };
    let templates = templates.iter().map(ToString::to_string);
    let all: Vec<String> = issuers.iter().cloned().chain(templates).collect();
    let is_github = |issuer: &String| issuer.starts_with(GITHUB_ACTIONS);
    if all.iter().any(is_github) && !has_one_of(REPOSITORY) {
        defects.add(
            "required_claims",
            "Any workflow on GitHub can get a token of this issuer, with any audience.",
            r#"Name your own: required_claims => '{"repository_owner_id": ["<id>"]}'."#,
        );
    }
    if !audiences.is_empty() || has_one_of(TELLING) {
        return;
    }
    let hint = r#"Name your own application: audiences => '{<client id>}', or where its tokens have no aud: required_claims => '{"client_id": ["<client id>"]}'."#;
    if let Some(issuer) = all.iter().find(|issuer| is_shared_issuer(issuer)) {
        defects.add(
            "audiences",
            format!("The issuer {} also signs tokens for other applications, and no rule distinguishes them from yours.", quoted(issuer)),
            hint,
        );
    }
    if url.is_some_and(is_shared_url) {
        defects.add(
            "audiences",
            "The keys at the jwks_url also sign tokens for other applications, and no rule distinguishes them from yours.",
            hint,
        );
    }
}

fn is_shared_issuer(issuer: &str) -> bool {
    let bare = issuer.strip_suffix('/').unwrap_or(issuer);
    ISSUERS
        .iter()
        .any(|known| *known == issuer || *known == bare)
        || ISSUERS_BEGIN.iter().any(|start| issuer.starts_with(start))
        || is_cognito(issuer)
        || is_entra(&host_and_path(issuer).0)
}

/// A user pool signs for all of its clients, and its access tokens have no `aud`.
fn is_cognito(issuer: &str) -> bool {
    let (host, _) = host_and_path(issuer);
    (host.starts_with("cognito-idp.") || host.contains(".cognito-idp."))
        && (host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
}

fn is_entra(host: &str) -> bool {
    ENTRA.contains(&host) || ENTRA_END.iter().any(|end| host.ends_with(end))
}

fn names_any_tenant(issuer: &str) -> bool {
    let (host, path) = host_and_path(issuer);
    is_entra(&host) && is_any_tenant(&path)
}

fn is_any_tenant(path: &str) -> bool {
    let tenant = path.split(['/', '?', '#']).next().unwrap_or_default();
    ANY_TENANT
        .iter()
        .any(|any| tenant.eq_ignore_ascii_case(any))
}

fn is_shared_url(url: &str) -> bool {
    let (host, _) = host_and_path(url);
    KEY_HOSTS.contains(&host.as_str()) || is_entra(&host)
}

/// The host of a URL as DNS compares it, without a port, and the path without its first slash.
fn host_and_path(url: &str) -> (String, String) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = authority.split(':').next().unwrap_or_default();
    (
        host.trim_end_matches('.').to_ascii_lowercase(),
        path.trim_start_matches('/').to_owned(),
    )
}
