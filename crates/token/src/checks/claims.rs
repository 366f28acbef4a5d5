//! Whom a token is for, and what else it must say.

use super::Check;
use super::facts::{Facts, require};
use crate::refusal::Kind;
use crate::shown;
use crate::value::Value;

impl Facts<'_> {
    pub(super) const CLAIMS: [Check<Self>; 2] = [
        Check {
            name: "audience",
            run: Self::audience,
            describe: Self::describe_audience,
        },
        Check {
            name: "required claims",
            run: Self::required,
            describe: Self::describe_required,
        },
    ];

    fn audience(&self) -> Result<(), Kind> {
        let accepted = &self.policy.audiences;
        if accepted.is_empty() {
            return Ok(());
        }
        let claims = &self.content.claims;
        require(claims.audiences().next().is_some(), Kind::MissingClaim)?;
        require(
            claims
                .audiences()
                .any(|found| accepted.iter().any(|own| own == found)),
            Kind::WrongAudience,
        )
    }

    fn describe_audience(&self) -> String {
        let accepted = &self.policy.audiences;
        let expected = if accepted.is_empty() {
            "any".to_owned()
        } else {
            format!(
                "one of {}",
                shown::list(accepted.iter().map(String::as_str))
            )
        };
        let found = shown::list(self.content.claims.audiences());
        format!("aud is {found}; expected: {expected}")
    }

    /// The required claims that are absent or null.
    fn lacking(&self) -> impl Iterator<Item = &str> {
        let members = &self.content.claims.members;
        self.policy
            .required_claims
            .iter()
            .map(String::as_str)
            .filter(|name| members.get(*name).is_none_or(Value::is_null))
    }

    fn required(&self) -> Result<(), Kind> {
        require(self.lacking().next().is_none(), Kind::MissingClaim)
    }

    fn describe_required(&self) -> String {
        format!(
            "required: {}; absent or null: {}",
            shown::list(self.policy.required_claims.iter().map(String::as_str)),
            shown::list(self.lacking())
        )
    }
}
