//! What a provider's tokens must look like.

use crate::{Algorithm, Flag, IssuerTemplate, Map, RequiredClaim, Value};

/// The rules by which [`verify`](crate::verify()) judges a provider's tokens.
///
/// Empty lists of issuers or algorithms refuse every token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Accepted values of `iss`, compared byte for byte (RFC 7519 section 4.1.1).
    pub issuers: Vec<String>,
    /// Accepted forms of `iss` that contain a claim of the token.
    pub issuer_templates: Vec<IssuerTemplate>,
    /// Accepted values of `aud`, of which the token must name at least one
    /// (RFC 7519 section 4.1.3). Empty: `aud` is not demanded.
    pub audiences: Vec<String>,
    /// Accepted algorithms (RFC 8725 section 3.1).
    pub algorithms: Vec<Algorithm>,
    /// What the header's `typ` must be.
    pub typ: TokenType,
    /// Longest accepted `exp` - `iat`, in seconds. With it, `iat` is required.
    pub max_lifetime: Option<u64>,
    /// How far the clocks of issuer and verifier may differ, in seconds.
    pub leeway: u64,
    /// Claims that must be present and not null, besides `iss`, `sub` and `exp`, and what they
    /// may be.
    pub required_claims: Vec<RequiredClaim>,
    /// Where a token says that its user is anonymous. A value that is neither true nor false means
    /// true.
    pub anonymous: Flag,
    /// Whether anonymous users may sign in.
    pub allow_anonymous: bool,
    /// Whether restricted users (an unverified e-mail address, say) may. Anonymous
    /// users are restricted as well, but only `allow_anonymous` applies to them.
    pub allow_restricted: bool,
    /// The further rules of a Stack Auth project.
    pub stack: Option<StackRules>,
}

/// What the header's `typ` must be (RFC 8725 section 3.11), so that another kind of token of the
/// same issuer does not pass for an access token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenType {
    /// This media type, such as `at+jwt`.
    Named(String),
    /// Absent, `JWT` or `at+jwt`, as access tokens have it (RFC 7519 section 5.1, RFC 9068
    /// section 2.1).
    Access,
    /// Absent or `JWT`: for an issuer whose tokens of type `at+jwt` are for other services.
    Plain,
}

impl TokenType {
    /// The media types of which a token must have one if this does not name one; `typ` may also
    /// be absent then.
    pub(crate) fn usual(&self) -> &'static [&'static str] {
        match self {
            Self::Named(_) => &[],
            Self::Access => &["JWT", "at+jwt"],
            Self::Plain => &["JWT"],
        }
    }
}

impl Policy {
    /// Whether claims are those of an anonymous user.
    pub fn is_anonymous(&self, claims: &Map<String, Value>) -> bool {
        self.anonymous.read(claims, Some(true)) == Some(true)
            // The issuer's own claim is honoured whatever the provider's flag is.
            || self.stack.is_some() && is_claimed(claims, Self::IS_ANONYMOUS)
    }

    /// Whether claims are those of a restricted user.
    pub(crate) fn is_restricted(&self, claims: &Map<String, Value>) -> bool {
        is_claimed(claims, "is_restricted")
    }

    /// The claim by which services call a user anonymous.
    pub const IS_ANONYMOUS: &str = "is_anonymous";
}

fn is_claimed(claims: &Map<String, Value>, name: &str) -> bool {
    Flag::claim(name).read(claims, Some(true)) == Some(true)
}

/// Rules for the access tokens of a Stack Auth project, whose issuer, audience and
/// flags name the kind of user three times over and must agree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackRules {
    /// The project whose users may sign in.
    pub project_id: String,
}
