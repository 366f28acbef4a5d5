//! Where the keys of a provider are: at its own URL, or at the URL in its issuer's discovery
//! document.

/// The endings of the URLs of discovery documents.
const DOCUMENTS: [&str; 2] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
];

/// The URL from which a provider's keys are found.
#[derive(Clone, PartialEq, Eq)]
pub enum Origin {
    /// `jwks_url`.
    Url(String),
    /// The discovery document of this issuer.
    Issuer { issuer: String, document: String },
}

impl Origin {
    /// The issuer's discovery document, if the issuer can have one.
    pub fn discovered(issuer: &str) -> Option<Self> {
        Some(Self::Issuer {
            issuer: issuer.to_owned(),
            document: url(issuer)?,
        })
    }

    /// The URL that is requested first.
    pub fn url(&self) -> &str {
        match self {
            Self::Url(url) => url,
            Self::Issuer { document, .. } => document,
        }
    }
}

/// The URL of an issuer's discovery document (OpenID Connect Discovery 1.0 section 4). `None` for
/// an issuer that is a template for many, or that has a query or a fragment.
pub fn url(issuer: &str) -> Option<String> {
    if issuer.contains(['{', '}', '?', '#']) {
        return None;
    }
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    Some(format!("{base}/.well-known/openid-configuration"))
}

/// Whether a URL is that of a discovery document (or of RFC 8414's) instead of a key set.
pub fn is_document(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    DOCUMENTS
        .iter()
        .any(|document| path.trim_end_matches('/').ends_with(document))
}
