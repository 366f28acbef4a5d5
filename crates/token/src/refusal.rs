//! Why a token is refused.

use std::fmt;

use crate::json;
use crate::shown;

/// Why a token was refused.
///
/// The [`Display`](fmt::Display) form is one stable sentence fragment without values;
/// [`detail`](Self::detail) adds what was found and what was expected. Neither
/// contains a part of the token, its signature or a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    kind: Kind,
    detail: String,
    hint: &'static str,
}

impl Refusal {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            hint: kind.words().hint,
        }
    }

    /// The same with a more specific hint than the kind's.
    pub(crate) fn with_hint(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    /// The refusal of JSON text that `part` of the token consists of.
    pub(crate) fn bad_json(part: &str, fault: &json::Fault) -> Self {
        let kind = match fault {
            json::Fault::Syntax(_) => Kind::BadJson,
            json::Fault::NotAnObject(_) => Kind::NotAnObject,
            json::Fault::Duplicate(_) => Kind::DuplicateMember,
            json::Fault::TooDeep => Kind::TooDeep,
            json::Fault::Nul => Kind::NulCharacter,
            json::Fault::LongNumber => Kind::LongNumber,
        };
        Self::new(kind, format!("{part}: {}", fault.detail()))
    }

    /// The refusal of a token whose issuer no provider trusts.
    pub fn unknown_issuer(issuer: &str) -> Self {
        Self::new(
            Kind::UnknownIssuer,
            format!("iss is {}", shown::text(issuer)),
        )
    }

    /// A stable, machine-readable name such as `expired` or `unknown_key`.
    pub fn code(&self) -> &'static str {
        self.kind.words().code
    }

    /// What it is about, coarsely: for counting.
    pub fn ground(&self) -> Ground {
        self.kind.ground()
    }

    /// What was found and what was expected; foreign values are cut to about
    /// 100 characters each and their control characters escaped.
    pub fn detail(&self) -> String {
        self.detail.clone()
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        self.hint
    }

    /// Whether the token does not have the form of a JWT: it may be another kind of credential.
    pub fn is_malformed(&self) -> bool {
        matches!(self.kind, Kind::Malformed)
    }

    /// Whether the key that signed the token may be one that is not in the set: the only case
    /// in which fetching the set again may help.
    pub fn is_unknown_key(&self) -> bool {
        matches!(self.kind, Kind::UnknownKey | Kind::NotByOnlyKey)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for Refusal {}

/// What refusals are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ground {
    /// The token is not well-formed.
    Form,
    /// Its issuer or audience is not trusted.
    Issuer,
    /// Its key is not known or cannot be used.
    Key,
    /// Its signature is wrong.
    Signature,
    /// It has expired.
    Expired,
    /// A rule of the provider does not allow its claims, type, algorithm or times.
    Rule,
}

/// The reasons, one for each case that a caller may need to distinguish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Empty,
    TooLarge,
    BearerPrefix,
    Encrypted,
    Malformed,
    BadBase64,
    BadJson,
    NotAnObject,
    DuplicateMember,
    TooDeep,
    NulCharacter,
    LongNumber,
    CriticalHeader,
    ForbiddenHeader,
    InvalidHeader,
    UnsupportedAlgorithm,
    AlgorithmNotAllowed,
    MissingKeyId,
    InvalidKeyId,
    WrongType,
    MissingClaim,
    MissingAudience,
    InvalidClaim,
    WrongClaim,
    UnknownIssuer,
    WrongIssuer,
    BadClock,
    Expired,
    NotYetValid,
    IssuedInFuture,
    InconsistentTimes,
    LifetimeTooLong,
    NoKeys,
    UnknownKey,
    LeftOutKey,
    UnusableKey,
    AmbiguousKey,
    BadSignature,
    NotByOnlyKey,
    WrongAudience,
    WrongProject,
    InconsistentUser,
    WrongRole,
    AnonymousRefused,
    RestrictedRefused,
}

/// The fixed words of one reason.
struct Words {
    code: &'static str,
    sentence: &'static str,
    hint: &'static str,
}

impl Kind {
    const fn ground(self) -> Ground {
        match self {
            Self::Empty
            | Self::TooLarge
            | Self::BearerPrefix
            | Self::Encrypted
            | Self::Malformed
            | Self::BadBase64
            | Self::BadJson
            | Self::NotAnObject
            | Self::DuplicateMember
            | Self::TooDeep
            | Self::NulCharacter
            | Self::LongNumber
            | Self::CriticalHeader
            | Self::ForbiddenHeader
            | Self::InvalidHeader
            | Self::InvalidKeyId
            | Self::UnsupportedAlgorithm => Ground::Form,
            Self::UnknownIssuer | Self::WrongIssuer | Self::WrongAudience | Self::WrongProject => {
                Ground::Issuer
            }
            Self::MissingKeyId
            | Self::NoKeys
            | Self::UnknownKey
            | Self::LeftOutKey
            | Self::UnusableKey
            | Self::AmbiguousKey
            | Self::NotByOnlyKey => Ground::Key,
            Self::BadSignature => Ground::Signature,
            Self::Expired => Ground::Expired,
            Self::AlgorithmNotAllowed
            | Self::WrongType
            | Self::MissingClaim
            | Self::MissingAudience
            | Self::InvalidClaim
            | Self::WrongClaim
            | Self::BadClock
            | Self::NotYetValid
            | Self::IssuedInFuture
            | Self::InconsistentTimes
            | Self::LifetimeTooLong
            | Self::InconsistentUser
            | Self::WrongRole
            | Self::AnonymousRefused
            | Self::RestrictedRefused => Ground::Rule,
        }
    }

    const fn words(self) -> Words {
        let (code, sentence, hint) = match self {
            Self::Empty => (
                "empty",
                "the token is empty",
                "Pass the token of the request, or NULL if the request has none.",
            ),
            Self::TooLarge => (
                "too_large",
                "the token is too large",
                "Raise neon_auth.max_token_size, or have the issuer put less into its tokens.",
            ),
            Self::BearerPrefix => (
                "bearer_prefix",
                "the token carries an authorization scheme",
                "Pass only the token, without \"Bearer \".",
            ),
            Self::Encrypted => (
                "encrypted",
                "the token is encrypted, not signed",
                "Have the issuer send signed tokens (JWS).",
            ),
            Self::Malformed => (
                "malformed",
                "the token does not consist of three parts",
                "This may be an opaque access token, which cannot be verified: have the issuer send a JWT (three base64url parts with dots between them).",
            ),
            Self::BadBase64 => (
                "bad_base64",
                "a part of the token is not unpadded base64url",
                "Pass the token exactly as issued, without spaces or line breaks.",
            ),
            Self::BadJson => (
                "bad_json",
                "a part of the token is not JSON",
                "Pass the token exactly as issued. If it is, have the issuer send a JWT, whose first two parts are JSON.",
            ),
            Self::NotAnObject => (
                "not_an_object",
                "a part of the token is not a JSON object",
                "Pass the token exactly as issued. If it is, have the issuer send a JWT, whose first two parts are JSON objects.",
            ),
            Self::DuplicateMember => (
                "duplicate_member",
                "the token has a JSON object with a repeated member",
                "Have the issuer write each member of an object once.",
            ),
            Self::TooDeep => (
                "too_deep",
                "the token's JSON is nested too deeply",
                "Have the issuer nest its claims less deeply.",
            ),
            Self::NulCharacter => (
                "nul_character",
                "the token has a null character in its JSON",
                "Have the issuer leave it out: PostgreSQL cannot store a null character.",
            ),
            Self::LongNumber => (
                "long_number",
                "the token has a number with too many digits",
                "Have the issuer send the number as a string.",
            ),
            Self::CriticalHeader => (
                "critical_header",
                "the token requires an extension that is not supported",
                "Have the issuer send tokens without the header member crit.",
            ),
            Self::ForbiddenHeader => (
                "forbidden_header",
                "the token has a header member that is not accepted",
                "Keys are taken only from the provider, and the payload is read exactly as it was signed.",
            ),
            Self::InvalidHeader => (
                "invalid_header",
                "the token has a header member of the wrong type",
                "Have the issuer send the header members alg and typ as strings.",
            ),
            Self::UnsupportedAlgorithm => (
                "unsupported_algorithm",
                "the token's signature algorithm is not supported",
                "Have the issuer sign with RS256 or ES256: symmetric algorithms and \"none\" are never accepted.",
            ),
            Self::AlgorithmNotAllowed => (
                "algorithm_not_allowed",
                "the provider does not allow the token's algorithm",
                "If the issuer is meant to sign with it, add it to the provider's algorithms: UPDATE neon_auth.providers SET algorithms = ...",
            ),
            Self::MissingKeyId => (
                "missing_key_id",
                "the token does not name its key, and more than one key fits",
                "Have the issuer name the key in the header's kid, or pin the one key as the provider's jwks.",
            ),
            Self::InvalidKeyId => (
                "invalid_key_id",
                "the token's key id is invalid",
                "Have the issuer give its keys names that are accepted.",
            ),
            Self::WrongType => (
                "wrong_type",
                "the provider does not accept the token's type",
                "Pass the issuer's access token, not an ID, logout or session token; if this type is right, set it as the provider's typ.",
            ),
            Self::MissingClaim => (
                "missing_claim",
                "the token lacks a required claim",
                "Have the issuer send the claim. If the provider requires it, you can change required_claims or max_lifetime of the provider instead.",
            ),
            Self::MissingAudience => (
                "missing_audience",
                "the token lacks a required claim",
                "If the issuer sends no aud, require another claim that names your client: UPDATE neon_auth.providers SET audiences = '{}', required_claims = '{\"client_id\": [\"<client id>\"]}' WHERE name = ...",
            ),
            Self::InvalidClaim => (
                "invalid_claim",
                "the token has a claim with an invalid value",
                "Have the issuer send a value of the expected form.",
            ),
            Self::WrongClaim => (
                "wrong_claim",
                "the token has a claim with a value that the provider does not accept",
                "Accepted values are in the column required_claims of the provider.",
            ),
            Self::UnknownIssuer => (
                "unknown_issuer",
                "no provider trusts the token's issuer",
                "Issuers are compared exactly, trailing slash included.",
            ),
            Self::WrongIssuer => (
                "wrong_issuer",
                "the token was issued by another issuer",
                "Issuers are compared exactly, trailing slash included.",
            ),
            Self::BadClock => (
                "bad_clock",
                "the clock of this server is not set",
                "Set the clock of this server.",
            ),
            Self::Expired => (
                "expired",
                "the token has expired",
                "Have the client refresh its token; if it has just done so, check the clock of this server.",
            ),
            Self::NotYetValid => (
                "not_yet_valid",
                "the token is not valid yet",
                "Check the clock of this server.",
            ),
            Self::IssuedInFuture => (
                "issued_in_future",
                "the token was issued in the future",
                "Check the clock of this server.",
            ),
            Self::InconsistentTimes => (
                "inconsistent_times",
                "the token expires before it becomes valid",
                "Have the issuer send an exp that is later than nbf and iat.",
            ),
            Self::LifetimeTooLong => (
                "lifetime_too_long",
                "the token is valid for longer than the provider allows",
                "Have the issuer shorten the lifetime, or allow it: UPDATE neon_auth.providers SET max_lifetime = ...",
            ),
            Self::NoKeys => (
                "no_keys",
                "there are no keys to verify the token with",
                "Fetch the keys: SELECT neon_auth.refresh_jwks();",
            ),
            Self::LeftOutKey => (
                "left_out_key",
                "the token's key is in the provider's key set but cannot be used",
                "The issuer must publish a key that can be used. All that are left out: SELECT component, detail FROM neon_auth.status;",
            ),
            Self::UnknownKey => (
                "unknown_key",
                "the token's key is not in the provider's key set",
                "If the issuer has replaced its keys, fetch them: SELECT neon_auth.refresh_jwks(); pinned keys: UPDATE neon_auth.providers SET jwks = ...",
            ),
            Self::UnusableKey => (
                "unusable_key",
                "the token's key is not for the token's algorithm",
                "Have the issuer name in the header's kid a key for this algorithm, or publish one.",
            ),
            Self::AmbiguousKey => (
                "ambiguous_key",
                "more than one key in the provider's key set matches the token",
                "Have the issuer give each of its keys a kid of its own.",
            ),
            Self::BadSignature => (
                "bad_signature",
                "the token's signature is wrong",
                "Pass the token exactly as issued, and see that the provider's keys are those of the issuer.",
            ),
            Self::NotByOnlyKey => (
                "not_by_only_key",
                "the token does not name its key, and the only key that fits did not sign it",
                "If the issuer has replaced its key, fetch it: SELECT neon_auth.refresh_jwks(); pinned keys: UPDATE neon_auth.providers SET jwks = ...",
            ),
            Self::WrongAudience => (
                "wrong_audience",
                "the token is meant for another audience",
                "Pass the access token for this API, not the ID token. If this audience is yours, add it: UPDATE neon_auth.providers SET audiences = array_append(audiences, '<aud>') WHERE name = ...",
            ),
            Self::WrongProject => (
                "wrong_project",
                "the token belongs to another project",
                "Pass a token of the project that the provider is for: SELECT name, project_id FROM neon_auth.providers;",
            ),
            Self::InconsistentUser => (
                "inconsistent_user",
                "the token's claims disagree about the kind of the user",
                "Pass the token exactly as issued. If it is, report it to the operator of the auth service.",
            ),
            Self::WrongRole => (
                "wrong_role",
                "the token has an unexpected role",
                "Pass an access token of Stack Auth; its role is always authenticated.",
            ),
            Self::AnonymousRefused => (
                "anonymous_refused",
                "the provider does not accept anonymous users",
                "Set allow_anonymous on the provider to accept them.",
            ),
            Self::RestrictedRefused => (
                "restricted_refused",
                "the provider does not accept restricted users",
                "Set allow_restricted on the provider to accept them.",
            ),
        };
        Words {
            code,
            sentence,
            hint,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words().sentence)
    }
}
