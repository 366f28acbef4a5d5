//! Which kinds of users may sign in.

use super::Check;
use super::facts::require;
use super::said::Said;
use crate::refusal::Kind;
use crate::shown;

impl Said<'_> {
    pub(super) const USER: [Check<Self>; 2] = [
        Check {
            name: "anonymous users",
            run: Self::anonymous,
            describe: Self::describe_anonymous,
        },
        Check {
            name: "restricted users",
            run: Self::restricted,
            describe: Self::describe_restricted,
        },
    ];

    fn is_anonymous(&self) -> bool {
        self.policy.is_anonymous(self.members)
    }

    /// Anonymous users are restricted too, but only `allow_anonymous` applies to them.
    fn is_restricted(&self) -> bool {
        !self.is_anonymous() && self.policy.is_restricted(self.members)
    }

    fn anonymous(&self) -> Result<(), Kind> {
        let refused = self.is_anonymous() && !self.policy.allow_anonymous;
        require(!refused, Kind::AnonymousRefused)
    }

    fn describe_anonymous(&self) -> String {
        let path = self.policy.anonymous.path();
        let found = path.find(self.members);
        format!(
            "{} is {}; {}",
            path.text(),
            shown::value(found),
            verdict(
                "anonymous",
                self.is_anonymous(),
                self.policy.allow_anonymous
            )
        )
    }

    fn restricted(&self) -> Result<(), Kind> {
        let refused = self.is_restricted() && !self.policy.allow_restricted;
        require(!refused, Kind::RestrictedRefused)
    }

    fn describe_restricted(&self) -> String {
        verdict(
            "restricted",
            self.is_restricted(),
            self.policy.allow_restricted,
        )
    }
}

fn verdict(name: &str, is_one: bool, allowed: bool) -> String {
    let is = if is_one { "is" } else { "is not" };
    let are = if allowed { "are" } else { "are not" };
    format!("the user {is} {name}; such users {are} accepted")
}
