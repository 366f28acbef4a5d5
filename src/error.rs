//! The table of errors: what went wrong → SQLSTATE, message, DETAIL, HINT.
//!
//! Messages are stable and contain no values; DETAIL contains the helpful values, never a token, a
//! signature, a key or a secret; a HINT names the cure, as SQL where SQL does it.

use std::time::{Duration, SystemTime};

use neon_auth_token::Refusal;
use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::{CaughtError, ErrorReport, ErrorReportWithLevel};

use crate::clock::SECOND;

/// The report of a caught ERROR, whichever side raised it.
pub fn report_of(error: &CaughtError) -> &ErrorReportWithLevel {
    match error {
        CaughtError::PostgresError(report) | CaughtError::ErrorReport(report) => report,
        CaughtError::RustPanic { ereport, .. } => ereport,
    }
}

/// What was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    Jwt,
    Session,
    ApiKey,
}

impl Credential {
    /// As an error calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Jwt => "JWT",
            Self::Session => "session",
            Self::ApiKey => "API key",
        }
    }
}

/// A column of `neon_auth.providers` that allows a kind of users.
#[derive(Clone, Copy, Debug)]
pub enum OwnerRule {
    Anonymous,
    Restricted,
}

impl OwnerRule {
    fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Restricted => "restricted",
        }
    }
}

/// Why an API key of Better Auth is refused.
#[derive(Clone, Copy, Debug)]
pub enum KeyDefect {
    Gone,
    Changed,
    Disabled,
    Expired {
        ago: i64,
    },
    UsedUp {
        left: i64,
    },
    NoOwner,
    /// Its owner's id is that of an organization.
    OfAnOrganization,
    /// Its owner's id is a number, which a user and an organization can both have.
    OfANumber,
    Malformed(&'static str),
}

impl KeyDefect {
    /// The end of the message, DETAIL and HINT.
    fn told(self, id: &str) -> (&'static str, String, &'static str) {
        let id = quoted(id);
        match self {
            Self::Gone => (
                "the key does not exist",
                format!("The row {id} of the table apikey was deleted."),
                "Create a new key in Better Auth.",
            ),
            Self::Changed => (
                "the key was changed",
                format!(
                    "The key {id} has another owner or other permissions than when it signed in."
                ),
                "Authenticate again: SELECT auth.authenticate($1);",
            ),
            Self::Disabled => (
                "the key is disabled",
                format!("The key {id} has \"enabled\" = false."),
                "To accept it again, enable it in Better Auth (updateApiKey of its plugin apiKey).",
            ),
            Self::Expired { ago } => (
                "the key has expired",
                format!("The key {id} expired {ago} s ago."),
                "Create a new key in Better Auth.",
            ),
            Self::UsedUp { left } => (
                "the key has no uses left",
                format!(
                    "The key {id} has \"remaining\" = {left}. Only Better Auth's own server counts uses and refills them."
                ),
                "Raise \"remaining\" in Better Auth (updateApiKey of its plugin apiKey).",
            ),
            Self::NoOwner => (
                "its owner is not a user",
                format!("The key {id} has no owner."),
                "Create a new key in Better Auth.",
            ),
            Self::OfAnOrganization => (
                "its owner is not a user",
                format!("The key {id} belongs to an organization."),
                "Use a key of a user: an organization cannot be signed in.",
            ),
            Self::OfANumber => (
                "its owner is not known to be a user",
                format!(
                    "The owner of the key {id} has a number as id, which a user and an organization can both have."
                ),
                r#"If Better Auth's configuration has no keys of organizations (references: "organization"): SELECT neon_auth.add_better_auth('<base URL>', names => '{"apikey": {"userId": "referenceId"}}');"#,
            ),
            Self::Malformed(defect) => (
                "its row is malformed",
                format!("The key {id}: {defect}"),
                "",
            ),
        }
    }
}

/// Every error that the Rust side raises.
#[derive(Debug)]
pub enum Problem {
    /// The token itself: its form, its signature or its claims.
    Token(Refusal),
    /// Not a JWT by its form, and no provider of Better Auth would read it as a session token.
    NotAJwt(Refusal),
    /// The token's key is not in the provider's key set.
    UnknownKey {
        refusal: Refusal,
        provider: String,
        /// The age of the set; `None` for pinned keys.
        about: Option<String>,
    },
    /// The versions of the library and of this database's SQL objects differ.
    OtherVersion {
        library: &'static str,
        installed: Option<String>,
        /// Whether the library is older than the extension.
        is_older: bool,
    },
    /// An index for look-ups is missing: the owner of schema neon_auth can drop it.
    MissingIndex {
        table: String,
        index: String,
        columns: &'static str,
    },
    /// A statement needs an ordinary table, and the relation is not one.
    NotATable { relation: String, is: &'static str },
    /// A table that inherits from another, such as a partition, belongs to a role without the rights of that table's
    /// owner.
    HeirOfOthers {
        table: String,
        heir: String,
        owner: String,
    },
    /// No role has this name.
    UnknownRole { role: String },
    /// The caller asks what a role can do that it cannot become.
    RoleOfOthers { role: String, caller: String },
    /// A statement names a table that has another name now. `table`: that name.
    RenamedTable { table: String },
    /// No provider is configured.
    NoProvider,
    /// No provider has the token's issuer. `near`: a provider and its issuer that differs only in
    /// case or a slash.
    UnknownIssuer {
        issuer: String,
        near: Option<(String, String)>,
    },
    /// More than one provider has the token's issuer, and the audience does not choose one.
    AmbiguousIssuer { issuer: String },
    /// Several providers have the token's issuer, but none has the token's audience.
    NoSuchAudience {
        issuer: String,
        audiences: Vec<String>,
    },
    /// An unusable row of `neon_auth.providers`.
    UnusableProvider { provider: String, reason: String },
    /// A table of Better Auth that is not bound, or cannot be read.
    UnusableTable { model: &'static str, reason: String },
    /// The mirror has changed since the transaction's snapshot, and could not be written.
    MirrorChanged,
    /// What was written into the mirror is not there.
    KeptOut,
    /// A JWT of Better Auth, whose table of keys was not found: its plugin jwt is not in use.
    NoTableOfKeys,
    /// The table of the provider's keys has no row for the token's key.
    UnknownTableKey {
        refusal: Refusal,
        /// Whether the table has rows.
        has_rows: bool,
    },
    /// There are no keys to verify with, or they are too stale.
    NoKeys { provider: String, reason: String },
    /// The mirror marks the user as deleted. `provider`: the one that rejects such users; API keys
    /// of theirs are always refused.
    UserDeleted {
        credential: Credential,
        provider: Option<String>,
    },
    /// The credential's user does not exist in Better Auth's table of users.
    UserMissing { credential: Credential },
    /// The user's credentials that were issued before a time were revoked. Times in seconds since
    /// 1970 (`issued_at`) and in microseconds (`before`; `None` for all).
    TokensRevoked {
        credential: Credential,
        user: String,
        issued_at: Option<i64>,
        before: Option<i64>,
    },
    /// The session that the credential names was revoked.
    SessionRevoked {
        credential: Credential,
        session: String,
    },
    /// The user is banned; until when, in seconds since 1970.
    UserBanned {
        credential: Credential,
        until: Option<i64>,
        /// Whether the mirror says so, instead of Better Auth's table of users.
        in_mirror: bool,
    },
    /// A session token that is not one by its form.
    MalformedSession { defect: String },
    /// A session token with the name of its cookie.
    NamedCookie,
    /// A signed session token that no secret of Better Auth has signed.
    SessionSignature,
    /// A session token in a cookie that is not signed, although a secret is stored.
    UnsignedCookie,
    /// No session has this token.
    NoSession {
        looks_like_jwt: bool,
        /// Why it could not be looked up as an API key, if so.
        keys: Option<String>,
    },
    /// The session has expired.
    SessionExpired { ago: i64 },
    /// The session's claims are not what the provider demands.
    Session(Refusal),
    /// An API key of Better Auth that is not accepted, by the id of its row.
    KeyOfBetterAuth { id: String, defect: KeyDefect },
    /// No row of Better Auth's table of API keys has the hash of this key.
    NoKeyOfBetterAuth,
    /// The claims of the API key are not what the provider demands.
    ApiKeyClaims(Refusal),
    /// Roles come from a claim that such credentials do not have.
    NoRole {
        credential: Credential,
        provider: String,
    },
    /// A text that begins as an API key, and is not one by its form.
    MalformedApiKey { defect: String },
    /// No API key has this hash. `prefix`: how the key begins.
    NoApiKey { prefix: String },
    /// The row of an API key was deleted.
    ApiKeyGone,
    /// The API key was revoked, at a time in seconds since 1970.
    ApiKeyRevoked { id: String, at: i64 },
    /// The API key has expired.
    ApiKeyExpired { id: String, ago: i64 },
    /// The row of the identity's API key has another owner or other bounds now.
    ApiKeyChanged { id: String },
    /// The mirror does not have the owner of the API key.
    OwnerMissing,
    /// The mirror's row of the owner of the API key names a provider that does not exist.
    OwnerWithoutProvider { provider: String },
    /// A rule of the provider, or the default of that rule without a provider, refuses the owner of
    /// the API key.
    OwnerRefused {
        rule: OwnerRule,
        provider: Option<String>,
    },
    /// An API key was to be created for a user whose keys are refused.
    UnfitOwner { why: String },
    /// An API key was to be created for a team of which its owner is not a member.
    NotInTeam { team: String },
    /// An API key was to be created with a permission that its owner does not have.
    PermissionNotHeld {
        permission: String,
        team: Option<String>,
    },
    /// Only the user can manage API keys, and somebody else acts.
    NotInPerson { why: &'static str },
    /// The keys of the signed-in user's id belong to a user of another provider, or of none.
    KeysOfAnotherProvider {
        provider: String,
        owner: Option<String>,
    },
    /// An API key that a user wants to create would have another role than the user has now.
    KeyOfAnotherRole {
        role: Option<String>,
        key: Option<String>,
    },
    /// Somebody must be signed in.
    NobodySignedIn,
    /// A trigger on users_sync signed somebody else in, or out, during a sign-in.
    IdentityReplaced,
    /// `auth.stamp()` was called otherwise than by a trigger that it can serve.
    StampMisused { why: String },
    /// A table with the trigger `auth.stamp()` has no column for it.
    NothingToStamp { table: String },
    /// A column of such a table cannot be stamped.
    CannotStamp {
        table: String,
        column: String,
        is: String,
    },
    /// A setting of PostgREST does not contain what PostgREST sets.
    BadRequestSetting {
        setting: &'static str,
        defect: String,
    },
    /// The provider maps a claim to a role, and the token names no allowed role.
    RoleRefused { provider: String, reason: String },
    /// The user is anonymous, and the provider does not allow the role `anonymous`.
    AnonymousRoleRefused {
        credential: Credential,
        provider: String,
    },
    /// The token's role does not exist.
    RoleMissing { role: String, user: String },
    /// The session's user may not set the token's role.
    RoleNotGranted {
        role: String,
        user: String,
        is_member: bool,
    },
    /// The session's identity has expired.
    Expired { ago: i64 },
    /// The service has ended the session's identity since it was signed in.
    IdentityEnded { why: String },
    /// A refused token has ended the identity, and the query was planned for its role.
    Ended,
    /// A role must be set or reset where PostgreSQL does not allow it.
    RoleHeld,
    /// `impersonate` was called with arguments that do not form an identity.
    BadImpersonation { reason: String },
    /// The user or the claims that an administrator asks about.
    BadAskedUser { reason: String },
    /// The provider that was named does not exist.
    NoSuchProvider { provider: String },
    /// A webhook arrived, but no secret is set to verify it with.
    NoWebhookSecret,
    /// One of the webhook secrets is invalid.
    UnusableWebhookSecret { number: usize, reason: String },
    /// A delivery that was not signed by the auth service, or whose headers are invalid.
    WebhookRefused { why: &'static str, detail: String },
    /// A delivery with well-formed headers that no webhook secret has signed.
    SignatureMismatch { detail: String },
    /// A delivery that was signed too long ago, or in the future, by this server's clock; times in
    /// seconds since 1970.
    WebhookUntimely {
        signed_at: i64,
        now: i64,
        tolerance: u64,
    },
    /// A delivery in a transaction that does not see what other sessions commit.
    WebhookInSnapshot { level: &'static str },
    /// A delivery with JSON that PostgreSQL's parser refuses; `said` is its message.
    UnusableJson {
        what: &'static str,
        code: PgSqlErrorCode,
        said: String,
    },
    /// A delivery whose body is not a valid event.
    NoEvent { defect: String },
    /// The configuration for the REST API is incomplete.
    CannotSync { reason: String },
    /// The URL of the REST API cannot be derived from the provider's `jwks_url`.
    NoRestUrl {
        provider: String,
        project: Option<String>,
        reason: String,
    },
    /// The mirror contains the users of another project.
    OtherProject {
        mirrored: String,
        configured: String,
    },
    /// The mirror contains the users of another service.
    OtherService { of_another: String },
    /// `sync()` was called in a transaction block, where it cannot commit.
    SyncInTransaction,
    /// `sync()` was called on a standby.
    SyncOnStandby,
    /// Another session or a worker is running a synchronisation.
    SyncUnderWay,
    /// The REST API did not return a valid response, even after retries.
    ServiceUnreachable {
        reason: String,
        /// The status of the last response, if one arrived.
        status: Option<u16>,
    },
    /// The REST API rejected the secret server key.
    ServerKeyRefused { status: u16, code: Option<String> },
    /// The auth service does not have the project, or its branch.
    ProjectNotFound { project: String, code: String },
    /// The Neon console did not return a valid response.
    ConsoleUnreachable { reason: String },
    /// The Neon console rejected the request.
    ConsoleRefused {
        status: u16,
        message: Option<String>,
    },
    /// The REST API returned users of other teams than the requested one.
    TeamIgnored,
    /// The REST API rejected a request.
    ServiceRefused { status: u16, code: Option<String> },
    /// The REST API failed at each attempt of a request, and only at this request.
    ServiceFailed { status: u16 },
    /// The argument is not an array of users or teams.
    NoArray {
        of: &'static str,
        given: &'static str,
    },
    /// An object of the array that cannot become a row.
    MalformedElement {
        of: &'static str,
        index: usize,
        defect: String,
    },
}

impl Problem {
    /// Whether a credential was refused that is an API key.
    pub fn is_about_api_key(&self) -> bool {
        match self {
            Self::KeyOfBetterAuth { .. } | Self::ApiKeyClaims(_) => true,
            Self::UserMissing { credential }
            | Self::UserBanned { credential, .. }
            | Self::NoRole { credential, .. }
            | Self::AnonymousRoleRefused { credential, .. } => *credential == Credential::ApiKey,
            _ => false,
        }
    }

    /// Whether other requests may succeed, so that a run can set this one aside.
    pub fn is_of_one_request(&self) -> bool {
        matches!(
            self,
            Problem::ServiceRefused { .. } | Problem::ServiceFailed { .. }
        )
    }

    /// Message, DETAIL and HINT in one line, for a table.
    pub fn advice(&self) -> String {
        match ErrorReport::from(self).hint() {
            Some(hint) => format!("{}. {hint}", self.sentence().trim_end_matches('.')),
            None => self.sentence(),
        }
    }

    /// Message and DETAIL in one line, for a table.
    pub fn sentence(&self) -> String {
        let report = ErrorReport::from(self);
        match report.detail() {
            Some(detail) => format!("{}: {detail}", report.message()),
            None => report.message().to_owned(),
        }
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Problem::Token(refusal)
    }
}

impl From<Problem> for ErrorReport {
    fn from(problem: Problem) -> Self {
        ErrorReport::from(&problem)
    }
}

impl From<&Problem> for ErrorReport {
    fn from(problem: &Problem) -> Self {
        use PgSqlErrorCode as Code;
        let refused = Code::ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION;
        let (code, message, detail, hint) = match problem {
            Problem::Token(refusal) => (
                refused,
                format!("JWT refused: {refusal}"),
                refusal.detail(),
                refusal.hint().to_owned(),
            ),
            Problem::NotAJwt(refusal) => (
                refused,
                format!("JWT refused: {refusal}"),
                refusal.detail(),
                format!("{} If it is a session token of Better Auth: SELECT neon_auth.add_better_auth('<base URL>');", refusal.hint()),
            ),
            Problem::UnknownKey {
                refusal,
                provider,
                about,
            } => (
                refused,
                format!("JWT refused: {refusal}"),
                match about {
                    Some(about) => format!("{}; {about}", refusal.detail()),
                    None => refusal.detail(),
                },
                match about {
                    Some(_) => format!("If the issuer has the key by now: SELECT neon_auth.refresh_jwks({});", literal(provider)),
                    None => format!("The keys are pinned. If the issuer has the key: UPDATE neon_auth.providers SET jwks = '...' WHERE name = {};", literal(provider)),
                },
            ),
            Problem::OtherVersion {
                library,
                installed: None,
                ..
            } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the extension neon_auth is not installed in this database".to_owned(),
                format!("The loaded library is version {library}."),
                "CREATE EXTENSION neon_auth;".to_owned(),
            ),
            Problem::OtherVersion {
                library,
                installed: Some(installed),
                is_older,
            } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the versions of neon_auth's library and of its SQL objects differ".to_owned(),
                format!("The loaded library is version {library}; the extension in this database is version {installed}."),
                if *is_older {
                    format!("Reconnect: this session loaded the library before the update. If the error remains, check that the library of version {installed} is installed, and restart the server.")
                } else {
                    "ALTER EXTENSION neon_auth UPDATE;".to_owned()
                },
            ),
            Problem::MissingIndex {
                table,
                index,
                columns,
            } => (
                Code::ERRCODE_UNDEFINED_OBJECT,
                "an index of neon_auth is missing".to_owned(),
                format!("Table neon_auth.{table} has no index {index}."),
                format!("CREATE INDEX {index} ON neon_auth.{table} {columns};"),
            ),
            Problem::NotATable { relation, is } => (
                Code::ERRCODE_WRONG_OBJECT_TYPE,
                "the relation is not an ordinary table".to_owned(),
                format!("The relation {relation} {is}."),
                String::new(),
            ),
            Problem::HeirOfOthers { table, heir, owner } => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "a partition belongs to a role that lacks the rights of the table's owner".to_owned(),
                format!(
                    "To read {table} as its owner would run code of the owner of {heir}, which inherits from it."
                ),
                format!("ALTER TABLE {heir} OWNER TO {owner};"),
            ),
            Problem::UnknownRole { role } => (
                Code::ERRCODE_UNDEFINED_OBJECT,
                "the role does not exist".to_owned(),
                if role.is_empty() {
                    "The role is NULL or empty.".to_owned()
                } else {
                    format!("No role has the name {}.", quoted(role))
                },
                match role.as_str() {
                    "authenticated" | "anonymous" => "SELECT neon_auth.setup_roles();",
                    _ => "SELECT rolname FROM pg_roles;",
                }
                .to_owned(),
            ),
            Problem::RoleOfOthers { role, caller } => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "permission denied to explain what the role can do".to_owned(),
                format!(
                    "The role {} cannot become {}.",
                    quoted(caller),
                    quoted(role)
                ),
                "Name a role that the caller can become, or ask as a superuser.".to_owned(),
            ),
            Problem::RenamedTable { table } => (
                Code::ERRCODE_OBJECT_IN_USE,
                "a table was renamed in the meantime".to_owned(),
                format!("The statement is on the table that is, or was just before, {table}."),
                "Run the statement again.".to_owned(),
            ),
            Problem::NoProvider => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "no authentication provider is configured".to_owned(),
                "The table neon_auth.providers is empty, so no token can be trusted.".to_owned(),
                "Configure one: SELECT neon_auth.add_better_auth('<base URL>'); or SELECT neon_auth.configure('<response of the keys API>'); or SELECT neon_auth.add_provider(...);".to_owned(),
            ),
            Problem::UnknownIssuer { issuer, near: Some((provider, near)) } => (
                refused,
                "JWT refused: no provider trusts the token's issuer".to_owned(),
                format!("The claim iss is {}. Provider {} has the issuer {}, and issuers are compared exactly.", quoted(issuer), quoted(provider), quoted(near)),
                format!("If this provider should accept the token: UPDATE neon_auth.providers SET issuers = array_replace(issuers, {}, {}) WHERE name = {};", literal(near), literal(issuer), literal(provider)),
            ),
            Problem::UnknownIssuer { issuer, near: None } => (
                refused,
                "JWT refused: no provider trusts the token's issuer".to_owned(),
                format!("The claim iss is {}.", quoted(issuer)),
                "Issuers are compared exactly. List them: SELECT name, issuers FROM neon_auth.providers;".to_owned(),
            ),
            Problem::AmbiguousIssuer { issuer } => (
                refused,
                "JWT refused: more than one provider matches the token's issuer and audience".to_owned(),
                format!("The claim iss is {}.", quoted(issuer)),
                "Give each of these providers audiences that the others do not have: SELECT name, issuers, audiences FROM neon_auth.providers;".to_owned(),
            ),
            Problem::NoSuchAudience { issuer, audiences } => (
                refused,
                "JWT refused: no provider with the token's issuer has the token's audience".to_owned(),
                match audiences.as_slice() {
                    [] => format!("The claim iss is {}, and the claim aud is missing.", quoted(issuer)),
                    [first, ..] => format!("The claim iss is {}, and the claim aud is {first}.", quoted(issuer)),
                },
                "Audiences are compared exactly. List them: SELECT name, issuers, audiences FROM neon_auth.providers;".to_owned(),
            ),
            Problem::UnusableProvider { provider, reason } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("the authentication provider {} cannot be used", quoted(provider)),
                reason.clone(),
                "Correct its row: SELECT * FROM neon_auth.providers;".to_owned(),
            ),
            Problem::UnusableTable { model, reason } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "a table of Better Auth cannot be used".to_owned(),
                format!("It is the table of \"{model}\". {reason}"),
                "Find the tables again: SELECT neon_auth.add_better_auth('<base URL>');".to_owned(),
            ),
            Problem::MirrorChanged => (
                Code::ERRCODE_T_R_SERIALIZATION_FAILURE,
                "could not serialize access to the mirror".to_owned(),
                "Another transaction has changed the same rows of the mirror since this one began.".to_owned(),
                "Retry the transaction, or use READ COMMITTED.".to_owned(),
            ),
            Problem::KeptOut => (
                Code::ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION,
                "a trigger or rule keeps a change out of the mirror".to_owned(),
                "What was written into the mirror is not there.".to_owned(),
                "Drop the trigger or rule on the tables of the mirror, such as neon_auth.users_sync.".to_owned(),
            ),
            Problem::NoKeys { provider, reason } => (
                Code::ERRCODE_SYSTEM_ERROR,
                format!("no keys to verify tokens of provider {}", quoted(provider)),
                reason.clone(),
                "List what was fetched and when: SELECT * FROM neon_auth.jwks_cache; fetch again: SELECT neon_auth.refresh_jwks();".to_owned(),
            ),
            Problem::UserDeleted { credential, provider } => (
                refused,
                format!("{} refused: the user is deleted", credential.name()),
                match provider {
                    Some(provider) => format!("Provider {} rejects users whose deleted_at is set in neon_auth.users_sync.", quoted(provider)),
                    None => "The user's deleted_at is set in neon_auth.users_sync.".to_owned(),
                },
                "A deletion is final: sign up again, as a new user.".to_owned(),
            ),
            Problem::TokensRevoked { credential, user, issued_at, before } => (
                refused,
                format!("{} refused: the user's credentials were revoked", credential.name()),
                match (issued_at, before) {
                    (_, None) => "All credentials of the user are refused.".to_owned(),
                    (Some(at), Some(before)) => format!("It was issued at {}. Those issued before {} are refused.", moment(*at), moment(before.saturating_add(SECOND - 1).div_euclid(SECOND))),
                    (None, Some(_)) => format!("When it was issued is not known: the {} has no claim iat.", credential.name()),
                },
                format!("Sign in again. To lift the revocation: DELETE FROM neon_auth.revocations WHERE kind = 'user' AND id = {};", literal(user)),
            ),
            Problem::SessionRevoked { credential, session } => (
                refused,
                format!("{} refused: the session was revoked", credential.name()),
                format!("The session is {}.", quoted(session)),
                format!("Sign in again. To lift the revocation: DELETE FROM neon_auth.revocations WHERE kind = 'session' AND id = {};", literal(session)),
            ),
            Problem::NoTableOfKeys => (
                refused,
                "JWT refused: this database has no table of Better Auth's keys".to_owned(),
                "No table jwks was found, so only session tokens sign in.".to_owned(),
                "Pass the session token. If Better Auth has the plugin jwt, run its migrations, then: SELECT neon_auth.add_better_auth('<base URL>');".to_owned(),
            ),
            Problem::UnknownTableKey { refusal, has_rows } => (
                refused,
                format!("JWT refused: {refusal}"),
                if *has_rows {
                    format!("{}; the table jwks has no row with this id.", refusal.detail())
                } else {
                    format!("{}; the table jwks has no rows: Better Auth creates the first key with the first token.", refusal.detail())
                },
                "A token of another database or branch is signed with other keys: get a token from the server that uses this database.".to_owned(),
            ),
            Problem::UserMissing { credential } => (
                refused,
                format!("{} refused: the user does not exist", credential.name()),
                "Better Auth's table of users has no row with this id.".to_owned(),
                "The user was deleted, or the token is of another database: sign up or sign in again.".to_owned(),
            ),
            Problem::UserBanned { credential, until, in_mirror } => (
                refused,
                format!("{} refused: the user is banned", credential.name()),
                match until {
                    Some(until) => format!("The ban ends at {}.", moment(*until)),
                    None => "The ban has no end.".to_owned(),
                },
                if *in_mirror {
                    "The ban is in raw_json of neon_auth.users_sync. To let the user sign in again, end the ban at the auth service.".to_owned()
                } else {
                    "To let the user sign in again, unban the user in Better Auth (unbanUser of its plugin admin).".to_owned()
                },
            ),
            Problem::MalformedSession { defect } => (
                refused,
                "session refused: the token is malformed".to_owned(),
                defect.clone(),
                "Pass the session token bare, or signed as in the cookie, URL-encoded or not.".to_owned(),
            ),
            Problem::NamedCookie => (
                refused,
                "session refused: the token is malformed".to_owned(),
                "It contains the name of the cookie.".to_owned(),
                "Pass only the value of the cookie, after the =.".to_owned(),
            ),
            Problem::SessionSignature => (
                refused,
                "session refused: the token's signature is wrong".to_owned(),
                "No secret in better_auth_secret has signed this token.".to_owned(),
                "Pass the value of the cookie unchanged. If the application has another secret: SELECT neon_auth.set_secret('better_auth_secret', $1);".to_owned(),
            ),
            Problem::UnsignedCookie => (
                refused,
                "session refused: the cookie is not signed".to_owned(),
                "A secret is stored, so the value of a cookie must be a token, a dot and its signature.".to_owned(),
                "Pass the value of the cookie unchanged.".to_owned(),
            ),
            Problem::NoSession { looks_like_jwt, keys } => (
                refused,
                "session refused: no session has this token".to_owned(),
                match (keys, looks_like_jwt) {
                    (Some(why), _) => format!("It cannot be looked up as an API key: {why}"),
                    (None, true) => "It looks like a part of a JWT, which has two dots.".to_owned(),
                    (None, false) => "The user has signed out, the session was revoked, or the token is of another database.".to_owned(),
                },
                match keys {
                    Some(_) => "Sign in again. If it is an API key, find the tables again: SELECT neon_auth.add_better_auth('<base URL>');".to_owned(),
                    None => "Sign in again.".to_owned(),
                },
            ),
            Problem::KeyOfBetterAuth { id, defect } => {
                let (message, detail, hint) = defect.told(id);
                (refused, format!("API key refused: {message}"), detail, hint.to_owned())
            }
            Problem::NoKeyOfBetterAuth => (
                refused,
                "API key refused: the key does not exist".to_owned(),
                "The table apikey has no row with the hash of this key.".to_owned(),
                "Create a new key in Better Auth. Its option disableKeyHashing must not be set.".to_owned(),
            ),
            Problem::ApiKeyClaims(refusal) => (
                refused,
                format!("API key refused: {refusal}"),
                refusal.detail(),
                refusal.hint().to_owned(),
            ),
            Problem::SessionExpired { ago } => (
                refused,
                "session refused: the session has expired".to_owned(),
                format!("It expired {ago} s ago."),
                "Sign in again. Better Auth extends a session when its own server reads it; to extend it here too, set neon_auth.session_update_age.".to_owned(),
            ),
            Problem::Session(refusal) => (
                refused,
                format!("session refused: {refusal}"),
                refusal.detail(),
                refusal.hint().to_owned(),
            ),
            Problem::NoRole { credential, provider } => (
                refused,
                format!("{0} refused: its provider takes the role from a claim, which {0}s do not have", credential.name()),
                format!("Provider {} has role_claim but no default_role.", quoted(provider)),
                format!("UPDATE neon_auth.providers SET default_role = 'authenticated' WHERE name = {};", literal(provider)),
            ),
            Problem::MalformedApiKey { defect } => (
                refused,
                "API key refused: the key is malformed".to_owned(),
                defect.clone(),
                "Pass the key as it was shown when it was created: nak_ and 49 letters and digits.".to_owned(),
            ),
            Problem::NoApiKey { prefix } => (
                refused,
                "API key refused: the key does not exist".to_owned(),
                format!("This database has no key that begins with {} and ends as this one.", quoted(prefix)),
                format!("If its prefix is not among these keys, it is of another database, or its owner was erased: SELECT * FROM neon_auth.api_keys WHERE prefix = {};", literal(prefix)),
            ),
            Problem::ApiKeyGone => (
                refused,
                "API key refused: the key does not exist".to_owned(),
                "Its row was deleted.".to_owned(),
                "Create a new key: SELECT neon_auth.create_api_key(...);".to_owned(),
            ),
            Problem::ApiKeyRevoked { id, at } => (
                refused,
                "API key refused: the key was revoked".to_owned(),
                format!("The key {} was revoked at {}.", quoted(id), moment(*at)),
                "Create a new key: SELECT neon_auth.create_api_key(...);".to_owned(),
            ),
            Problem::ApiKeyExpired { id, ago } => (
                refused,
                "API key refused: the key has expired".to_owned(),
                format!("The key {} expired {ago} s ago.", quoted(id)),
                "Create a new key: SELECT neon_auth.create_api_key(...);".to_owned(),
            ),
            Problem::ApiKeyChanged { id } => (
                refused,
                "API key refused: the key was changed".to_owned(),
                format!("The key {} has another owner, another team or other permissions than when it signed in.", quoted(id)),
                "Authenticate again: SELECT auth.authenticate($1);".to_owned(),
            ),
            Problem::OwnerMissing => (
                refused,
                "API key refused: the user does not exist".to_owned(),
                "The table neon_auth.users_sync has no row with this id.".to_owned(),
                "If the auth service has the user: CALL neon_auth.sync();".to_owned(),
            ),
            Problem::OwnerWithoutProvider { provider } => (
                refused,
                "API key refused: the provider of the user does not exist".to_owned(),
                format!("The member auth_provider of raw_json in neon_auth.users_sync is {}.", quoted(provider)),
                "SELECT name FROM neon_auth.providers;".to_owned(),
            ),
            Problem::OwnerRefused { rule, provider } => {
                let rule = rule.name();
                (
                    refused,
                    format!("API key refused: the user is {rule}"),
                    match provider {
                        Some(provider) => format!("Provider {} does not have allow_{rule}.", quoted(provider)),
                        None => format!("No provider has this user, so none allows {rule} users."),
                    },
                    match provider {
                        Some(provider) => format!("UPDATE neon_auth.providers SET allow_{rule} = true WHERE name = {};", literal(provider)),
                        None => "Connect the auth service whose users these are, for example: SELECT neon_auth.configure('<response of the keys API>');".to_owned(),
                    },
                )
            }
            Problem::UnfitOwner { why } => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "the API key cannot be created".to_owned(),
                format!("It would be refused. {why}"),
                "Pass the id of a user who can sign in: SELECT id FROM neon_auth.users_sync WHERE deleted_at IS NULL;".to_owned(),
            ),
            Problem::NotInTeam { team } => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "the API key cannot be created".to_owned(),
                format!("Its owner is not a member of the team {}.", quoted(team)),
                "Pass the id of a team of the owner: SELECT user_id, team_id FROM neon_auth.team_members_sync; or NULL for all of the owner's teams.".to_owned(),
            ),
            Problem::PermissionNotHeld { permission, team } => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "the API key cannot be created".to_owned(),
                format!(
                    "Its owner does not have the permission {} {}.",
                    quoted(permission),
                    match team {
                        Some(team) => format!("in the team {}", quoted(team)),
                        None => "in the project or in a team".to_owned(),
                    }
                ),
                "Pass permissions that the owner has: a key cannot grant others.".to_owned(),
            ),
            Problem::NotInPerson { why } => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "only the user can manage API keys".to_owned(),
                (*why).to_owned(),
                "Sign in with a token or session of the user. Administrators use neon_auth.create_api_key() and neon_auth.revoke_api_key().".to_owned(),
            ),
            Problem::KeysOfAnotherProvider { provider, owner } => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "the API keys belong to a user of another provider".to_owned(),
                match owner {
                    Some(owner) => format!(
                        "The session is signed in by provider {}; the user of this id in neon_auth.users_sync is of provider {}.",
                        quoted(provider),
                        quoted(owner)
                    ),
                    None => format!(
                        "The session is signed in by provider {}; the user of this id in neon_auth.users_sync is of no provider.",
                        quoted(provider)
                    ),
                },
                "The member auth_provider of the user's object names the user's provider. Administrators use neon_auth.create_api_key() and neon_auth.revoke_api_key().".to_owned(),
            ),
            Problem::KeyOfAnotherRole { role, key } => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "an API key would have another role than the user".to_owned(),
                {
                    let named = |role: &Option<String>| match role {
                        Some(role) => format!("the role {}", quoted(role)),
                        None => "no role of its own".to_owned(),
                    };
                    format!(
                        "The credential gives {}; a key of the user would give {}.",
                        named(role),
                        named(key)
                    )
                },
                "An administrator may create the key with neon_auth.create_api_key().".to_owned(),
            ),
            Problem::NobodySignedIn => (
                refused,
                "nobody is signed in".to_owned(),
                "The function acts on the signed-in user.".to_owned(),
                "SELECT auth.authenticate($1);".to_owned(),
            ),
            Problem::IdentityReplaced => (
                refused,
                "the identity was changed while the user was signed in".to_owned(),
                "A trigger on neon_auth.users_sync has signed in or out.".to_owned(),
                "Do not call auth.authenticate(), auth.impersonate() and auth.logout() in triggers on neon_auth.users_sync.".to_owned(),
            ),
            Problem::StampMisused { why } => (
                Code::ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED,
                "auth.stamp() must be called by a trigger BEFORE INSERT OR UPDATE, FOR EACH ROW".to_owned(),
                why.clone(),
                STAMP_HINT.to_owned(),
            ),
            Problem::NothingToStamp { table } => (
                Code::ERRCODE_UNDEFINED_COLUMN,
                "the table has no column that auth.stamp() can write".to_owned(),
                format!("The table {table} has neither created_by nor updated_by."),
                format!("ALTER TABLE {table} ADD COLUMN created_by text, ADD COLUMN updated_by text;"),
            ),
            Problem::CannotStamp { table, column, is } => (
                Code::ERRCODE_DATATYPE_MISMATCH,
                "auth.stamp() cannot write a column of this type".to_owned(),
                format!("The column {column} of the table {table} {is}."),
                "Use a column of the type text, varchar, uuid (auth.uid()) or jsonb (auth.actor()).".to_owned(),
            ),
            Problem::BadRequestSetting { setting, defect } => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("the setting {setting} is not what PostgREST sets"),
                defect.clone(),
                "Call auth.pre_request() only as PostgREST's db-pre-request; elsewhere call auth.authenticate($1).".to_owned(),
            ),
            Problem::IdentityEnded { why } => (
                refused,
                "the session's identity has ended".to_owned(),
                if why.is_empty() {
                    "The auth service has ended it since it was signed in.".to_owned()
                } else {
                    format!("Checked again in this transaction: {why}")
                },
                "Authenticate again: SELECT auth.authenticate($1);".to_owned(),
            ),
            Problem::RoleRefused { provider, reason } => (
                refused,
                "JWT refused: the token does not name a role that its provider allows".to_owned(),
                reason.clone(),
                format!("Allowed roles: SELECT role_claim, role_map, allowed_roles, default_role FROM neon_auth.providers WHERE name = {};", literal(provider)),
            ),
            Problem::AnonymousRoleRefused { credential, provider } => (
                refused,
                match credential {
                    Credential::Jwt => "JWT refused: the token does not name a role that its provider allows".to_owned(),
                    _ => format!("{} refused: its provider does not allow the role of anonymous users", credential.name()),
                },
                "The user is anonymous, so the requested role is \"anonymous\".".to_owned(),
                format!(
                    "UPDATE neon_auth.providers SET allowed_roles = array_append(allowed_roles, 'anonymous') WHERE name = {};",
                    literal(provider)
                ),
            ),
            Problem::RoleMissing { role, user } => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "the token's role does not exist".to_owned(),
                format!("The role is {}.", quoted(role)),
                format!("CREATE ROLE {0} NOLOGIN; GRANT {0} TO {1};", identifier(role), identifier(user)),
            ),
            Problem::RoleNotGranted { role, user, is_member } => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "the session's user may not set the token's role".to_owned(),
                format!("The role is {}, the session's user {}.", quoted(role), quoted(user)),
                format!("GRANT {} TO {}{};", identifier(role), identifier(user), if *is_member { " WITH SET TRUE" } else { "" }),
            ),
            Problem::Expired { ago } => (
                refused,
                "the session's identity has expired".to_owned(),
                format!("It expired {ago} s before this statement began; the leeway is included."),
                "Authenticate again with a fresh token: SELECT auth.authenticate($1);".to_owned(),
            ),
            Problem::Ended => (
                refused,
                "a refused token has ended the session's identity".to_owned(),
                "The query was planned for the role of that identity.".to_owned(),
                "Authenticate again, or sign out: SELECT auth.logout();".to_owned(),
            ),
            Problem::RoleHeld => (
                Code::ERRCODE_INSUFFICIENT_PRIVILEGE,
                "the identity's role cannot be set or reset here".to_owned(),
                "PostgreSQL does not allow SET ROLE within a SECURITY DEFINER function, or while it maintains a table.".to_owned(),
                "Sign in and out outside of such a function, or declare the function SECURITY INVOKER.".to_owned(),
            ),
            Problem::BadImpersonation { reason } => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "invalid arguments for auth.impersonate".to_owned(),
                reason.clone(),
                r#"For example: SELECT auth.impersonate('user-id', '{"role": "authenticated"}');"#.to_owned(),
            ),
            Problem::BadAskedUser { reason } => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "no user can have this id or these claims".to_owned(),
                reason.clone(),
                r#"Pass NULL for nobody, or the id of a user, and claims as an object: '{"role": "authenticated"}'."#.to_owned(),
            ),
            Problem::NoSuchProvider { provider } => (
                Code::ERRCODE_UNDEFINED_OBJECT,
                "the authentication provider does not exist".to_owned(),
                format!("The name given is {}.", quoted(provider)),
                "SELECT name FROM neon_auth.providers;".to_owned(),
            ),
            Problem::NoWebhookSecret => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "no webhook secret is set".to_owned(),
                "Deliveries cannot be verified without it.".to_owned(),
                "Set the signing secret of the endpoint: SELECT neon_auth.set_secret('webhook_secret', $1);".to_owned(),
            ),
            Problem::UnusableWebhookSecret { number, reason } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the webhook secret cannot be used".to_owned(),
                format!("Secret {number} {reason}."),
                "Set the signing secret of the endpoint, or while you replace it both secrets with a space between them: SELECT neon_auth.set_secret('webhook_secret', $1);".to_owned(),
            ),
            Problem::WebhookRefused { why, detail } => (
                refused,
                format!("webhook refused: {why}"),
                detail.clone(),
                "Pass the headers and the body unchanged, the body byte for byte.".to_owned(),
            ),
            Problem::SignatureMismatch { detail } => (
                refused,
                "webhook refused: no signature matches a webhook secret".to_owned(),
                detail.clone(),
                "Pass the headers and the body unchanged, the body byte for byte; or set the endpoint's own secret: SELECT neon_auth.set_secret('webhook_secret', $1);".to_owned(),
            ),
            Problem::WebhookUntimely {
                signed_at,
                now,
                tolerance,
            } => (
                refused,
                "webhook refused: the timestamp is too far from the current time".to_owned(),
                format!(
                    "It is {} s {}; {tolerance} s are allowed. It was signed at {}, and the clock of this server says {}.",
                    now.abs_diff(*signed_at),
                    if signed_at < now { "old" } else { "ahead" },
                    moment(*signed_at),
                    moment(*now),
                ),
                "If this server's clock is wrong, correct it. Otherwise let the auth service send the delivery again, with a new signature.".to_owned(),
            ),
            Problem::WebhookInSnapshot { level } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "webhooks require the isolation level READ COMMITTED".to_owned(),
                format!("The isolation level of this transaction is {level}."),
                "SET TRANSACTION ISOLATION LEVEL READ COMMITTED;".to_owned(),
            ),
            Problem::UnusableJson { what, code, said } => (
                *code,
                format!("webhook refused: PostgreSQL does not accept the {what} as JSON"),
                format!("PostgreSQL reports: {said}."),
                "Pass the headers and the body unchanged, the body byte for byte.".to_owned(),
            ),
            Problem::NoEvent { defect } => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                "webhook refused: the body is not a valid event".to_owned(),
                defect.clone(),
                r#"An event is {"type": "user.created", "data": {"id": "...", ...}}."#.to_owned(),
            ),
            Problem::CannotSync { reason } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the REST API of the auth service is not configured".to_owned(),
                reason.clone(),
                "SELECT neon_auth.configure('<response of the keys API>'); or, to set only the key: SELECT neon_auth.set_secret('secret_server_key', $1);".to_owned(),
            ),
            Problem::NoRestUrl { provider, project, reason } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the REST API of the auth service is not configured".to_owned(),
                reason.clone(),
                format!(
                    "UPDATE neon_auth.providers SET jwks_url = {}, jwks = NULL WHERE name = {};",
                    literal(&format!("https://.../api/v1/projects/{}/.well-known/jwks.json", project.as_deref().unwrap_or("ID"))),
                    literal(provider)
                ),
            ),
            Problem::OtherService { of_another } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the mirror contains the users of another service".to_owned(),
                format!("They are those of {of_another}. Users that Better Auth does not have would be marked as deleted."),
                "To replace them: DELETE FROM neon_auth.sync_source;".to_owned(),
            ),
            Problem::OtherProject { mirrored, configured } => (
                Code::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                "the mirror contains the users of another project".to_owned(),
                format!("The mirror contains {}; the configured project is {}. Users that the configured project does not have would be marked as deleted, which is final.", quoted(mirrored), quoted(configured)),
                "To switch to the configured project nevertheless: DELETE FROM neon_auth.sync_source; CALL neon_auth.sync();".to_owned(),
            ),
            Problem::SyncInTransaction => (
                Code::ERRCODE_ACTIVE_SQL_TRANSACTION,
                "neon_auth.sync() cannot run inside a transaction block".to_owned(),
                "It commits after each step, so that it does not block other sessions.".to_owned(),
                "Run it outside a transaction block and not in a function: CALL neon_auth.sync();".to_owned(),
            ),
            Problem::SyncOnStandby => (
                Code::ERRCODE_READ_ONLY_SQL_TRANSACTION,
                "neon_auth.sync() cannot run during recovery".to_owned(),
                "This server is a standby; it replicates the mirror of its primary.".to_owned(),
                "Call it on the primary.".to_owned(),
            ),
            Problem::SyncUnderWay => (
                Code::ERRCODE_OBJECT_IN_USE,
                "a synchronisation is already running in this database".to_owned(),
                "Only one run at a time is allowed; another session or a background worker is running one.".to_owned(),
                "Show its progress: SELECT * FROM neon_auth.sync_progress;".to_owned(),
            ),
            Problem::ServiceUnreachable { reason, .. } => (
                Code::ERRCODE_CONNECTION_FAILURE,
                "could not get a valid response from the REST API of the auth service".to_owned(),
                reason.clone(),
                "Check the provider's jwks_url, DNS and the firewall of the database server; then CALL neon_auth.sync(); it resumes where it stopped.".to_owned(),
            ),
            Problem::ServerKeyRefused { status, code } => (
                Code::ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION,
                "the auth service rejected the secret server key".to_owned(),
                answered(*status, code.as_deref()),
                "If the key was revoked, store the valid one: SELECT neon_auth.set_secret('secret_server_key', $1); The mirror is unchanged.".to_owned(),
            ),
            Problem::ProjectNotFound { project, code } => (
                Code::ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION,
                "the auth service does not have the project".to_owned(),
                format!("The project is {}, and the service returned the code {}.", quoted(project), quoted(code)),
                "If the project's id is wrong, or another project takes its place: SELECT neon_auth.configure('<response of the keys API>'); The mirror is unchanged.".to_owned(),
            ),
            Problem::ConsoleUnreachable { reason } => (
                Code::ERRCODE_CONNECTION_FAILURE,
                "could not get a valid response from the Neon console".to_owned(),
                reason.clone(),
                "Check the setting neon_auth.neon_api_url, or retry later.".to_owned(),
            ),
            Problem::ConsoleRefused { status, message } => (
                Code::ERRCODE_SQLSERVER_REJECTED_ESTABLISHMENT_OF_SQLCONNECTION,
                "the Neon console rejected the request".to_owned(),
                match message {
                    Some(message) => format!("It returned status {status}: {}.", quoted(message)),
                    None => format!("It returned status {status}."),
                },
                match status {
                    401 | 403 => "Check that the API key is valid and may manage the project.".to_owned(),
                    404 => "Pass the id of the project at Neon, not of the project at Stack Auth.".to_owned(),
                    _ => "Retry later. If the status stays, check the setting neon_auth.neon_api_url.".to_owned(),
                },
            ),
            Problem::ServiceRefused { status, code } => (
                Code::ERRCODE_PROTOCOL_VIOLATION,
                "the REST API of the auth service rejected a request".to_owned(),
                answered(*status, code.as_deref()),
                "Check that the provider's project_id and jwks_url belong together; then CALL neon_auth.sync(); it resumes where it stopped.".to_owned(),
            ),
            Problem::ServiceFailed { status } => (
                Code::ERRCODE_CONNECTION_FAILURE,
                "the REST API of the auth service cannot process a request".to_owned(),
                format!("It returned status {status} at each attempt, although it responds to other requests."),
                "The log of the auth service shows the reason; after the correction: CALL neon_auth.sync();".to_owned(),
            ),
            Problem::TeamIgnored => (
                Code::ERRCODE_PROTOCOL_VIOLATION,
                "the REST API of the auth service returned users of other teams".to_owned(),
                "It returned a user for a team_id that no team has, so memberships cannot be read from it.".to_owned(),
                "Update the auth service, or the proxy before it, until /api/v1/users respects team_id; then CALL neon_auth.sync(); it resumes where it stopped.".to_owned(),
            ),
            Problem::NoArray { of, given } => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("{of}s must be passed as a JSON array"),
                format!("The argument is a JSON {given}."),
                format!(r#"For one {of}: SELECT neon_auth.upsert_{of}('{{"id": "..."}}');"#),
            ),
            Problem::MalformedElement { of, index, defect } => (
                Code::ERRCODE_INVALID_PARAMETER_VALUE,
                format!("the {of} at index {index} is malformed"),
                defect.clone(),
                format!("No {of} of the array was written. Indexes start at 0."),
            ),
        };
        let mut report = ErrorReport::new(code, message, "neon_auth");
        if !detail.is_empty() {
            report = report.set_detail(detail);
        }
        if !hint.is_empty() {
            report = report.set_hint(hint);
        }
        report
    }
}

const STAMP_HINT: &str = "CREATE TRIGGER stamp BEFORE INSERT OR UPDATE ON ... FOR EACH ROW EXECUTE FUNCTION auth.stamp();";

/// Seconds since 1970 as a date, or as a number if there is no such date.
fn moment(seconds: i64) -> String {
    const LAST: u64 = 253_402_300_799;
    match u64::try_from(seconds) {
        Ok(since) if since <= LAST => {
            httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + Duration::from_secs(since))
        }
        _ => format!("{seconds} s since 1970"),
    }
}

/// The status and code that the REST API returned, as a sentence.
fn answered(status: u16, code: Option<&str>) -> String {
    match code {
        Some(code) => format!(
            "It returned status {status} with the code {}.",
            quoted(code)
        ),
        None => format!("It returned status {status}."),
    }
}

/// A value from outside for a message or a log: bounded, on one line, in double quotes.
pub fn quoted(value: &str) -> String {
    const LONGEST: usize = 100;
    let mut shown: String = value.chars().take(LONGEST).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// A name as an SQL identifier, for a HINT that can be executed.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value as an SQL literal, for a HINT that can be executed.
fn literal(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}
