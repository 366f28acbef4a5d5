//! Interprets the columns of a provider, and finds their defects.
//!
//! The trigger on `neon_auth.providers` calls it before a row is written, and a session when it
//! reads the row, so that a load with triggers disabled does not bypass the rules.

use std::ffi::CStr;
use std::sync::LazyLock;

use neon_auth_token::{
    Algorithm, ClaimPath, Flag, IssuerTemplate, Policy, RequiredClaim, StackRules, TokenType,
    Value, json_value,
};
use neon_auth_wire::discovery::{self, Origin};

use super::claim_map::ClaimMap;
use super::defects::Defects;
use super::role_map::RoleMap;
use super::well_known;
use crate::error::quoted;
use crate::kind::Kind;
use crate::pg::row::Row;

/// Maximum length of `iss` in bytes.
const MAX_ISSUER: usize = 2048;
/// Maximum leeway in seconds.
const MAX_LEEWAY: f64 = 300.0;
/// Names that cannot be those of roles.
const NO_ROLES: [&str; 3] = ["", "none", "public"];

/// A provider's rules.
pub struct Rules {
    pub kind: Kind,
    pub policy: Policy,
    pub role_claim: Option<ClaimPath>,
    pub role_map: Option<RoleMap>,
    pub allowed_roles: Vec<String>,
    pub default_role: Option<String>,
    pub claim_map: ClaimMap,
    pub reject_deleted_users: bool,
    pub reject_banned_users: bool,
    pub create_users: bool,
    /// Where the keys are fetched; `None` for pinned keys.
    pub origin: Option<Origin>,
}

/// The issuers of a row, with its templates expanded for each tenant.
pub fn issuers_of(row: &Row) -> Vec<String> {
    let issuers = row.texts(c"issuers").into_iter().flatten().flatten();
    let (templates, mut exact): (Vec<_>, Vec<_>) =
        issuers.partition(|issuer| IssuerTemplate::is_meant(issuer));
    if templates.is_empty() {
        return exact;
    }
    let required = required_claims(row).unwrap_or_default();
    for template in templates {
        let Ok(template) = template.parse::<IssuerTemplate>() else {
            continue;
        };
        let tenants = accepted(&required, template.claim());
        exact.extend(tenants.filter_map(|tenant| template.issuer_of(tenant)));
    }
    exact
}

impl Rules {
    /// Reads a row, and adds its defects, column by column.
    pub fn read(row: &Row, defects: &mut Defects) -> Self {
        let name: String = defects.value("name", row.text_owned(c"name"));
        if !is_name(&name) {
            defects.add(
                "name",
                format!("The name is {}.", quoted(&name)),
                "Use a to z, 0 to 9, _ and -, at most 63 characters, beginning with a letter: name => 'my_idp'.",
            );
        }
        let kind = kind(row, defects);
        let stack = stack_rules(kind, row, defects);
        let (issuers, templates) = issuers(row, defects);
        let audiences = defects.texts("audiences", row.texts(c"audiences"));
        if let Some(why) = audiences.iter().find_map(|text| misspelt(text)) {
            defects.add(
                "audiences",
                format!("An audience {why}."),
                "Audiences are compared exactly: audiences => '{first,second}'. '{}' requires none.",
            );
        }
        if kind == Kind::BetterAuth && audiences.is_empty() {
            defects.add(
                "audiences",
                "A provider of kind better_auth needs audiences.",
                "Better Auth signs ID tokens and OAuth access tokens with the same keys, for other audiences: set audiences to the origin of its base URL, as in issuers.",
            );
        }
        let origin = origin(row, kind, defects);
        let algorithms = algorithms(row, defects);
        let typ = row.text_owned(c"typ");
        if typ.as_deref().is_some_and(|typ| misspelt(typ).is_some()) {
            defects.add(
                "typ",
                "The typ is blank or contains a space, a control character or a wildcard.",
                "Name one media type: typ => 'at+jwt'.",
            );
        }
        let required = required_claims(row).unwrap_or_else(|why| {
            defects.add(
                "required_claims",
                why,
                r#"For example: required_claims => '{"client_id": ["first", "second"], "token_use": "access", "jti": null}', or only names '["jti"]'. A claim within another: "app_metadata.plan", without $. and [0]."#,
            );
            Vec::new()
        });
        tenants(&templates, &required, defects);
        let (max_lifetime, leeway) = times(row, defects);
        let allow_anonymous = defects.value("allow_anonymous", row.boolean(c"allow_anonymous"));
        let allow_restricted = defects.value("allow_restricted", row.boolean(c"allow_restricted"));
        let (role_claim, allowed_roles, default_role) = roles(row, defects);
        let role_map = role_map(row, role_claim.is_some(), &allowed_roles, defects);
        let claim_map = claim_map(row, kind, defects);
        let reject_deleted_users =
            defects.value("reject_deleted_users", row.boolean(c"reject_deleted_users"));
        let reject_banned_users =
            defects.value("reject_banned_users", row.boolean(c"reject_banned_users"));
        let create_users = create_users(row, kind, defects);
        let url = row.text(c"jwks_url");
        well_known::judge(defects, &issuers, &templates, url, &audiences, &required);

        let anonymous = claim_map.is_anonymous().cloned();
        Self {
            kind,
            policy: Policy {
                issuers,
                issuer_templates: templates,
                audiences,
                algorithms,
                typ: typ.map_or(usual_type(kind), TokenType::Named),
                max_lifetime,
                leeway,
                required_claims: required,
                anonymous: anonymous.unwrap_or_else(|| Flag::claim(kind.claims().is_anonymous)),
                allow_anonymous,
                allow_restricted,
                stack,
            },
            role_claim,
            role_map,
            allowed_roles,
            default_role,
            claim_map,
            reject_deleted_users,
            reject_banned_users,
            create_users,
            origin,
        }
    }
}

fn is_name(name: &str) -> bool {
    let rest = name.strip_prefix(|first: char| first.is_ascii_lowercase());
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_-".contains(c);
    rest.is_some_and(|rest| rest.len() <= 62 && rest.chars().all(is_inner))
}

/// Why a text cannot occur in a token, as the end of a sentence.
fn misspelt(text: &str) -> Option<&'static str> {
    if text.trim().is_empty() {
        Some("is blank")
    } else if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        Some("contains a space or a control character")
    } else if text.contains('*') {
        Some("contains a wildcard")
    } else {
        None
    }
}

/// The kind of a row; an invalid kind is treated like `oidc`.
fn kind(row: &Row, defects: &mut Defects) -> Kind {
    let name: String = defects.value("kind", row.text_owned(c"kind"));
    Kind::named(&name).unwrap_or_else(|| {
        defects.add(
            "kind",
            format!("The kind is {}.", quoted(&name)),
            "Use 'stack' for Neon Auth on Stack Auth, 'better_auth' for Better Auth with its tables in this database, and 'oidc' for all other issuers.",
        );
        Kind::Oidc
    })
}

/// Whether users get a row at their first sign-in. Better Auth's tables have all of its users.
fn create_users(row: &Row, kind: Kind, defects: &mut Defects) -> bool {
    let create_users = row.boolean(c"create_users");
    match kind {
        Kind::Oidc => create_users.unwrap_or(true),
        Kind::Stack => create_users.unwrap_or(false),
        Kind::BetterAuth => {
            if create_users == Some(true) {
                defects.add(
                    "create_users",
                    "A provider of kind better_auth must not create users: its tables have all of them.",
                    "Leave it NULL: UPDATE neon_auth.providers SET create_users = NULL WHERE kind = 'better_auth';",
                );
            }
            false
        }
    }
}

/// The rules for tokens that the provider's kind adds to its own rules.
fn stack_rules(kind: Kind, row: &Row, defects: &mut Defects) -> Option<StackRules> {
    match (kind, row.text_owned(c"project_id")) {
        (Kind::Stack, project_id) => {
            let project_id = project_id.filter(|id| misspelt(id).is_none());
            if project_id.is_none() {
                defects.add(
                    "project_id",
                    "A provider of kind stack needs a project_id.",
                    "Pass the project's id: project_id => '...'. neon_auth.configure() sets it for you.",
                );
            }
            Some(StackRules {
                project_id: project_id.unwrap_or_default(),
            })
        }
        (Kind::Oidc | Kind::BetterAuth, None) => None,
        (Kind::Oidc | Kind::BetterAuth, Some(_)) => {
            defects.add(
                "project_id",
                format!(
                    "A provider of kind {} must not have a project_id.",
                    kind.name()
                ),
                "Leave it out, or pass kind => 'stack' for a project of Stack Auth.",
            );
            None
        }
    }
}

/// The types of the tokens of a provider without `typ`. Better Auth signs OAuth access tokens for
/// other services with the same keys.
fn usual_type(kind: Kind) -> TokenType {
    match kind {
        Kind::Oidc | Kind::Stack => TokenType::Access,
        Kind::BetterAuth => TokenType::Plain,
    }
}

fn issuers(row: &Row, defects: &mut Defects) -> (Vec<String>, Vec<IssuerTemplate>) {
    const HINT: &str = "Copy the claim iss of a token, slash at the end included: issuers => '{https://idp.example.com}'.";
    let all = defects.texts("issuers", row.texts(c"issuers"));
    if all.is_empty() {
        defects.add("issuers", "The list of issuers is empty.", HINT);
    }
    let mut exact = Vec::new();
    let mut templates = Vec::new();
    for issuer in all {
        let long = (issuer.len() > MAX_ISSUER).then_some("is too long");
        if let Some(why) = misspelt(&issuer).or(long) {
            let hint = if issuer.contains('*') {
                "Name each issuer. A claim can stand for a segment of the path: issuers => ARRAY['https://login.microsoftonline.com/{tid}/v2.0']."
            } else {
                HINT
            };
            let detail = format!("The issuer {} {why}.", quoted(&issuer));
            defects.add("issuers", detail, hint);
        }
        if !IssuerTemplate::is_meant(&issuer) {
            exact.push(issuer);
            continue;
        }
        match issuer.parse() {
            Ok(template) => templates.push(template),
            Err(why) => defects.add(
                "issuers",
                format!("The issuer {} can match no token: it {why}.", quoted(&issuer)),
                "One claim in braces, as a whole segment of the path: issuers => ARRAY['https://login.microsoftonline.com/{tid}/v2.0'].",
            ),
        }
    }
    (exact, templates)
}

/// An issuer template trusts only the tenants that are listed.
fn tenants(templates: &[IssuerTemplate], required: &[RequiredClaim], defects: &mut Defects) {
    for template in templates {
        let claim = template.claim();
        let mut tenants = accepted(required, claim).peekable();
        let detail = if tenants.peek().is_none() {
            format!(
                "The issuer {} would trust every tenant.",
                quoted(&template.to_string())
            )
        } else if tenants.any(|tenant| template.issuer_of(tenant).is_none()) {
            format!(
                "A value of {} in required_claims cannot be a segment of the issuer {}.",
                quoted(claim.text()),
                quoted(&template.to_string())
            )
        } else {
            continue;
        };
        defects.add(
            "required_claims",
            detail,
            format!(
                r#"Name the tenants that may sign in: required_claims => '{{"{}": ["<first>", "<second>"]}}'."#,
                claim.text()
            ),
        );
    }
}

/// The accepted values of a claim.
fn accepted<'r>(
    required: &'r [RequiredClaim],
    claim: &ClaimPath,
) -> impl Iterator<Item = &'r Value> {
    let of_claim = required.iter().filter(move |one| one.path == *claim);
    of_claim.flat_map(|one| one.values.iter().flatten())
}

/// Where keys are fetched; for Stack Auth only at a URL, because its issuers have no discovery
/// document.
fn origin(row: &Row, kind: Kind, defects: &mut Defects) -> Option<Origin> {
    const HINT: &str = "Pass one of them: jwks_url => 'https://...' to fetch the keys, jwks => '{\"keys\": [...]}' to pin them.";
    let url = row.text_owned(c"jwks_url");
    if !row.is_null(c"jwks") {
        if url.is_some() {
            defects.add("jwks_url", "Both jwks_url and jwks are given.", HINT);
        }
        return None;
    }
    if kind == Kind::BetterAuth {
        if url.is_some() {
            defects.add(
                "jwks_url",
                "The keys of a provider of kind better_auth are in its table jwks.",
                "Leave jwks_url out.",
            );
        }
        return None;
    }
    let first = || row.texts(c"issuers")?.into_iter().next()?;
    let discovered = || match kind {
        Kind::Oidc => Origin::discovered(&first()?),
        Kind::Stack | Kind::BetterAuth => None,
    };
    let origin = url.map(Origin::Url).or_else(discovered);
    match &origin {
        None => {
            let detail = match kind {
                Kind::Oidc => {
                    "Neither jwks_url nor jwks is given, and the keys cannot be discovered from the first issuer."
                }
                Kind::Stack | Kind::BetterAuth => "A provider of kind stack needs jwks_url or jwks; neither is given.",
            };
            defects.add("jwks_url", detail, HINT);
        }
        Some(Origin::Url(url)) if discovery::is_document(url) => defects.add(
            "jwks_url",
            "The jwks_url is that of a discovery document, which contains no keys.",
            "Leave jwks_url out, so that it is read from the issuer's discovery document; or pass the document's jwks_uri.",
        ),
        Some(_) => {}
    }
    origin
}

fn algorithms(row: &Row, defects: &mut Defects) -> Vec<Algorithm> {
    static HINT: LazyLock<String> = LazyLock::new(|| {
        let names = Algorithm::ALL.map(Algorithm::name).join(", ");
        format!("Supported are {names}.")
    });
    let names = defects.texts("algorithms", row.texts(c"algorithms"));
    if names.is_empty() {
        defects.add(
            "algorithms",
            "The list of algorithms is empty.",
            HINT.as_str(),
        );
    }
    let parsed = names.iter().filter_map(|name| match name.parse() {
        Ok(algorithm) => Some(algorithm),
        Err(_) => {
            defects.add(
                "algorithms",
                format!("The algorithm {} is not supported.", quoted(name)),
                HINT.as_str(),
            );
            None
        }
    });
    parsed.collect()
}

fn required_claims(row: &Row) -> Result<Vec<RequiredClaim>, String> {
    RequiredClaim::parse_all(&object(row, c"required_claims")?)
}

fn times(row: &Row, defects: &mut Defects) -> (Option<u64>, u64) {
    let max_lifetime = row.seconds(c"max_lifetime");
    if max_lifetime.is_some_and(|seconds| seconds < 1.0) {
        defects.add(
            "max_lifetime",
            "The max_lifetime is less than a second.",
            "For example: max_lifetime => '1 hour'. NULL allows any.",
        );
    }
    let leeway = defects.value("leeway", row.seconds(c"leeway"));
    if !(0.0..=MAX_LEEWAY).contains(&leeway) {
        defects.add(
            "leeway",
            "The leeway is negative or more than 5 minutes.",
            "For example: leeway => '30 seconds'. If clocks differ by more, correct them.",
        );
    }
    // Casts of values out of range result in the range's end.
    (max_lifetime.map(|seconds| seconds as u64), leeway as u64)
}

fn roles(row: &Row, defects: &mut Defects) -> (Option<ClaimPath>, Vec<String>, Option<String>) {
    const HINT: &str = "For example: role_claim => 'app_metadata.role', allowed_roles => '{authenticated,editor}', default_role => 'authenticated'.";
    let role_claim = row.text(c"role_claim").and_then(|path| match path.parse() {
        Ok(path) => Some(path),
        Err(why) => {
            defects.add(
                "role_claim",
                format!("The path {} {why}.", quoted(path)),
                r#"Separate names and positions with dots, without $. and [0]: role_claim => 'roles.0'. Quote a name that contains dots: role_claim => '"https://example.com/claims".role'."#,
            );
            None
        }
    });
    let allowed_roles = defects.texts("allowed_roles", row.texts(c"allowed_roles"));
    let default_role = row.text_owned(c"default_role");
    let is_no_role = |role: &&String| NO_ROLES.contains(&role.as_str());
    if let Some(role) = allowed_roles.iter().find(is_no_role) {
        let detail = format!("{} cannot be the name of a role.", quoted(role));
        defects.add("allowed_roles", detail, HINT);
    }
    if let Some(role) = default_role.as_ref().filter(is_no_role) {
        let detail = format!("{} cannot be the name of a role.", quoted(role));
        defects.add("default_role", detail, HINT);
    }
    let has_claim = !row.is_null(c"role_claim");
    if has_claim && allowed_roles.is_empty() {
        defects.add(
            "allowed_roles",
            "The role_claim is given, but allowed_roles is empty.",
            HINT,
        );
    }
    if !has_claim && !allowed_roles.is_empty() && default_role.is_none() {
        defects.add(
            "role_claim",
            "allowed_roles is given, but neither role_claim nor default_role.",
            HINT,
        );
    }
    (role_claim, allowed_roles, default_role)
}

fn role_map(
    row: &Row,
    has_claim: bool,
    allowed_roles: &[String],
    defects: &mut Defects,
) -> Option<RoleMap> {
    if row.is_null(c"role_map") {
        return None;
    }
    let map = object(row, c"role_map").and_then(|json| {
        if !has_claim {
            return Err("The role_map is given, but not role_claim.".to_owned());
        }
        RoleMap::parse(&json, allowed_roles)
    });
    let add = |why| {
        defects.add(
            "role_map",
            why,
            r#"For example: role_claim => 'groups', role_map => '{"staff": "app_staff", "everyone": "app_user"}', allowed_roles => '{app_staff,app_user}'; a user in both groups gets app_staff, which is first in allowed_roles."#,
        );
    };
    map.map_err(add).ok()
}

fn claim_map(row: &Row, kind: Kind, defects: &mut Defects) -> ClaimMap {
    let hint = || {
        format!(
            r#"For example: claim_map => '{{"email": "emails.0", "organization": {{"id": "org_id"}}}}', without $. and [0]. The readers are {}."#,
            ClaimMap::readers()
        )
    };
    let map = object(row, c"claim_map").and_then(|json| ClaimMap::parse(&json));
    match map {
        Ok(map) if kind == Kind::Stack && map.is_anonymous().is_some() => {
            defects.add(
                "claim_map",
                "For Stack Auth, the service's own claims say which users are anonymous.",
                "Leave is_anonymous out of claim_map, or pass kind => 'oidc'.",
            );
            map
        }
        Ok(map) => map,
        Err(why) => {
            defects.add("claim_map", why, hint());
            ClaimMap::default()
        }
    }
}

/// A `jsonb` column, parsed; an error says why it cannot be parsed.
fn object(row: &Row, column: &CStr) -> Result<Value, String> {
    let shown = column.to_string_lossy();
    let stored = row
        .jsonb(column)
        .ok_or_else(|| format!("The column {shown} is NULL."))?;
    json_value(&stored.to_text())
        .ok_or_else(|| format!("The JSON of the column {shown} exceeds the limits."))
}
