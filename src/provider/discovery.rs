//! Where the keys of a provider are to be had: at its own URL, or where its issuer says.

/// How the URLs of documents end that say where the keys are.
const DOCUMENTS: [&str; 2] = [
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
];

/// Where the search for a provider's keys begins.
#[derive(Clone, PartialEq, Eq)]
pub enum Origin {
    /// `jwks_url`.
    Url(String),
    /// The discovery document of this issuer.
    Issuer { issuer: String, document: String },
}

impl Origin {
    /// By its issuer's discovery document, if an issuer has one.
    pub fn discovered(issuer: &str) -> Option<Self> {
        Some(Self::Issuer {
            issuer: issuer.to_owned(),
            document: url(issuer)?,
        })
    }

    /// The URL that is asked first.
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

/// Whether a URL is that of a discovery document (or of RFC 8414's) rather than of keys.
pub fn is_document(url: &str) -> bool {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    DOCUMENTS
        .iter()
        .any(|document| path.trim_end_matches('/').ends_with(document))
}
