//! What a token says, the policy it is held against, and the header's rules.

use super::Check;
use crate::refusal::Kind;
use crate::token::Content;
use crate::{IssuerTemplate, Policy, TokenType, shown};

/// A token's content, the provider's policy, and the time in seconds since 1970.
pub(super) struct Facts<'f> {
    pub(super) content: &'f Content,
    pub(super) policy: &'f Policy,
    pub(super) now: i64,
}

impl Facts<'_> {
    pub(super) const HEADER: [Check<Self>; 3] = [
        Check {
            name: "issuer",
            run: Self::issuer,
            describe: Self::describe_issuer,
        },
        Check {
            name: "algorithm",
            run: Self::algorithm,
            describe: Self::describe_algorithm,
        },
        Check {
            name: "type",
            run: Self::typ,
            describe: Self::describe_typ,
        },
    ];

    /// The caller chose the provider by an unverified `iss`; this does not trust the choice.
    fn issuer(&self) -> Result<(), Kind> {
        let claims = &self.content.claims;
        let fits = |template: &IssuerTemplate| template.fits(&claims.issuer, &claims.members);
        require(
            self.policy.issuers.contains(&claims.issuer)
                || self.policy.issuer_templates.iter().any(fits),
            Kind::WrongIssuer,
        )
    }

    fn describe_issuer(&self) -> String {
        let templates = self.policy.issuer_templates.iter();
        let templates: Vec<String> = templates.map(ToString::to_string).collect();
        let expected = self.policy.issuers.iter().chain(&templates);
        format!(
            "iss is {}; expected: {}",
            shown::text(&self.content.claims.issuer),
            shown::list(expected.map(String::as_str))
        )
    }

    fn algorithm(&self) -> Result<(), Kind> {
        let found = &self.content.header.algorithm;
        require(
            self.policy.algorithms.contains(found),
            Kind::AlgorithmNotAllowed,
        )
    }

    fn describe_algorithm(&self) -> String {
        format!(
            "alg is {}; allowed: {}",
            self.content.header.algorithm,
            shown::list(self.policy.algorithms.iter().map(|allowed| allowed.name()))
        )
    }

    fn typ(&self) -> Result<(), Kind> {
        let found = self.content.header.typ.as_deref();
        let is_expected = match (&self.policy.typ, found) {
            (TokenType::Named(expected), Some(found)) => is_same_media_type(found, expected),
            (TokenType::Named(_), None) => false,
            (any, Some(found)) => any
                .usual()
                .iter()
                .any(|usual| is_same_media_type(found, usual)),
            (_, None) => true,
        };
        require(is_expected, Kind::WrongType)
    }

    fn describe_typ(&self) -> String {
        let found = self.content.header.typ.as_deref();
        let expected = match &self.policy.typ {
            TokenType::Named(typ) => shown::text(typ),
            any => format!("{} or absent", shown::list(any.usual().iter().copied())),
        };
        format!(
            "typ is {}; expected: {expected}",
            found.map_or_else(|| "absent".to_owned(), shown::text)
        )
    }
}

/// `Ok` if `condition` holds, else the reason.
pub(super) fn require(condition: bool, otherwise: Kind) -> Result<(), Kind> {
    if condition { Ok(()) } else { Err(otherwise) }
}

/// RFC 7515 section 4.1.9: names are compared without case, and a name without a slash means
/// one with `application/` before it.
fn is_same_media_type(left: &str, right: &str) -> bool {
    short_media_type(left).eq_ignore_ascii_case(short_media_type(right))
}

fn short_media_type(name: &str) -> &str {
    match name.split_once('/') {
        Some((top, rest)) if top.eq_ignore_ascii_case("application") && !rest.contains('/') => rest,
        _ => name,
    }
}
