//! The kinds of providers.
//!
//! Kinds differ in where keys come from and what a credential must contain
//! (`provider/rules.rs`), in the names of claims (here), and in what fills the mirror (`service`):
//! the compiler shows each `match`. It does not show `Kind::ALL`, messages, and the SQL that names
//! a kind; docs/architecture.md lists these places.

/// The kind of a provider.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any issuer of JWTs with a JWKS.
    Oidc,
    /// Neon Auth on Stack Auth.
    Stack,
    /// Better Auth, with its tables in this database.
    BetterAuth,
}

/// The claims that the readers of schema `auth` read, unless a provider's `claim_map` names others.
pub struct ClaimNames {
    pub role: &'static str,
    pub email: &'static str,
    pub email_verified: &'static str,
    pub is_anonymous: &'static str,
    pub selected_team_id: &'static str,
    pub session_id: &'static str,
    /// An object with the member `id`.
    pub organization: &'static str,
    /// The id of the organization, for a credential without that object.
    pub active_organization: Option<&'static str>,
    /// The id of the user who acts as this one.
    pub impersonator: Option<&'static str>,
}

const OIDC_CLAIMS: ClaimNames = ClaimNames {
    role: "role",
    email: "email",
    email_verified: "email_verified",
    is_anonymous: "is_anonymous",
    selected_team_id: "selected_team_id",
    session_id: "sid",
    organization: "o",
    active_organization: None,
    impersonator: None,
};

const STACK_CLAIMS: ClaimNames = ClaimNames {
    session_id: "refresh_token_id",
    ..OIDC_CLAIMS
};

/// Those of Better Auth's own tokens and sessions.
const BETTER_AUTH_CLAIMS: ClaimNames = ClaimNames {
    role: "role",
    email: "email",
    email_verified: "emailVerified",
    is_anonymous: "isAnonymous",
    selected_team_id: "activeOrganizationId",
    session_id: "sid",
    organization: "o",
    active_organization: Some("activeOrganizationId"),
    impersonator: Some("impersonatedBy"),
};

impl Kind {
    const ALL: [Self; 3] = [Self::Oidc, Self::Stack, Self::BetterAuth];

    /// The value of the column `kind` of `neon_auth.providers`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Stack => "stack",
            Self::BetterAuth => "better_auth",
        }
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    pub fn claims(self) -> &'static ClaimNames {
        match self {
            Self::Oidc => &OIDC_CLAIMS,
            Self::Stack => &STACK_CLAIMS,
            Self::BetterAuth => &BETTER_AUTH_CLAIMS,
        }
    }

    /// Whether the mirror has the members of the organizations that credentials name.
    pub fn has_organizations(self) -> bool {
        match self {
            Self::Oidc | Self::Stack => false,
            Self::BetterAuth => true,
        }
    }
}
