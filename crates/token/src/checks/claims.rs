//! Whom a token is for, and what else it must say.

use super::Check;
use super::facts::{Facts, require};
use super::said::Said;
use crate::refusal::Kind;
use crate::required::Met;
use crate::{RequiredClaim, shown};

impl Facts<'_> {
    pub(super) const AUDIENCE: [Check<Self>; 1] = [Check {
        name: "audience",
        run: Self::audience,
        describe: Self::describe_audience,
    }];

    fn audience(&self) -> Result<(), Kind> {
        let accepted = &self.policy.audiences;
        if accepted.is_empty() {
            return Ok(());
        }
        let claims = &self.content.claims;
        require(claims.audiences().next().is_some(), Kind::MissingAudience)?;
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
        let claims = &self.content.claims;
        let found = match claims.audiences().next() {
            Some(_) => shown::list(claims.audiences()),
            None => shown::value(claims.members.get("aud")),
        };
        format!("aud is {found}; expected: {expected}")
    }
}

impl Said<'_> {
    pub(super) const REQUIRED: [Check<Self>; 1] = [Check {
        name: "required claims",
        run: Self::required,
        describe: Self::describe_required,
    }];

    /// The required claims that are not as demanded.
    fn unmet(&self) -> impl Iterator<Item = (&RequiredClaim, Met)> {
        let members = self.members;
        let judged = |claim: &'_ RequiredClaim| claim.judge(members);
        self.policy
            .required_claims
            .iter()
            .map(move |claim| (claim, judged(claim)))
            .filter(|(_, met)| *met != Met::Yes)
    }

    fn required(&self) -> Result<(), Kind> {
        match self.unmet().next() {
            None => Ok(()),
            Some((_, Met::Absent)) => Err(Kind::MissingClaim),
            Some(_) => Err(Kind::WrongClaim),
        }
    }

    fn describe_required(&self) -> String {
        let wanted = self.policy.required_claims.iter();
        let absent = self.unmet().filter(|(_, met)| *met == Met::Absent);
        let mut described = format!(
            "required: {}; absent or null: {}",
            shown::list(wanted.map(|claim| claim.path.text())),
            shown::list(absent.map(|(claim, _)| claim.path.text()))
        );
        if let Some((claim, _)) = self.unmet().find(|(_, met)| *met == Met::Wrong) {
            described.push_str(&format!(
                "; {} is {}; expected: one of {}",
                shown::text(claim.path.text()),
                shown::value(claim.path.find(self.members)),
                shown::values(claim.values.iter().flatten())
            ));
        }
        described
    }
}
