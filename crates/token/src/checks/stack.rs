//! A Stack Auth access token names the kind of its user in the issuer, in the audience
//! and in two flags. All must agree, or a token for a lesser user could pass for more.

use super::Check;
use super::facts::require;
use crate::claims::Claims;
use crate::refusal::Kind;
use crate::value::Value;
use crate::{StackRules, shown};

/// The kinds of users of Stack Auth.
#[derive(Clone, Copy, PartialEq, Eq)]
enum UserKind {
    Normal,
    Restricted,
    Anonymous,
}

/// The claims of a Stack Auth user, and the project's rules.
pub(super) struct StackUser<'s> {
    claims: &'s Claims,
    rules: &'s StackRules,
    /// The kind that `aud` names, if it names the project at all.
    kind: Option<UserKind>,
}

impl<'s> StackUser<'s> {
    pub(super) const CHECKS: [Check<Self>; 3] = [
        Check {
            name: "project",
            run: Self::project,
            describe: Self::describe_project,
        },
        Check {
            name: "kind of user",
            run: Self::agreement,
            describe: Self::describe_user,
        },
        Check {
            name: "role",
            run: Self::role,
            describe: Self::describe_role,
        },
    ];

    pub(super) fn new(claims: &'s Claims, rules: &'s StackRules) -> Self {
        let kind = claims
            .members
            .get("aud")
            .and_then(Value::as_str)
            .and_then(|aud| aud.strip_prefix(rules.project_id.as_str()))
            .and_then(|suffix| match suffix {
                "" => Some(UserKind::Normal),
                ":restricted" => Some(UserKind::Restricted),
                ":anon" => Some(UserKind::Anonymous),
                _ => None,
            });
        Self {
            claims,
            rules,
            kind,
        }
    }

    fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.members.get(name)
    }

    /// A flag; tokens from before 2025-09 lack them all.
    fn flag(&self, name: &str) -> Result<bool, Kind> {
        match self.claim(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Kind::InvalidClaim),
        }
    }

    fn project(&self) -> Result<(), Kind> {
        let named = self.claim("project_id");
        let same = named.is_none_or(|id| id.as_str() == Some(self.rules.project_id.as_str()));
        require(same && self.kind.is_some(), Kind::WrongProject)
    }

    fn describe_project(&self) -> String {
        format!(
            "aud is {}, project_id is {}; expected project: {}",
            shown::value(self.claim("aud")),
            shown::value(self.claim("project_id")),
            shown::text(&self.rules.project_id)
        )
    }

    fn agreement(&self) -> Result<(), Kind> {
        let by_flags = match (self.flag("is_anonymous")?, self.flag("is_restricted")?) {
            (true, _) => UserKind::Anonymous,
            (false, true) => UserKind::Restricted,
            (false, false) => UserKind::Normal,
        };
        require(
            self.kind == Some(by_flags) && self.kind_by_issuer() == Some(by_flags),
            Kind::InconsistentUser,
        )
    }

    /// The kind that the path of `iss` names: `…/api/v1/<family>/<project>`.
    fn kind_by_issuer(&self) -> Option<UserKind> {
        let base = self
            .claims
            .issuer
            .strip_suffix(self.rules.project_id.as_str())?;
        let (_, family) = base.strip_suffix('/')?.rsplit_once("/api/v1/")?;
        match family {
            "projects" => Some(UserKind::Normal),
            "projects-restricted-users" => Some(UserKind::Restricted),
            "projects-anonymous-users" => Some(UserKind::Anonymous),
            _ => None,
        }
    }

    fn describe_user(&self) -> String {
        format!(
            "iss is {}, aud is {}, is_anonymous is {}, is_restricted is {}; expected: all agree",
            shown::text(&self.claims.issuer),
            shown::value(self.claim("aud")),
            shown::value(self.claim("is_anonymous")),
            shown::value(self.claim("is_restricted"))
        )
    }

    fn role(&self) -> Result<(), Kind> {
        let role = self.claim("role");
        require(
            role.is_none_or(|role| role.as_str() == Some("authenticated")),
            Kind::WrongRole,
        )
    }

    fn describe_role(&self) -> String {
        let found = shown::value(self.claim("role"));
        format!("role is {found}; expected: \"authenticated\" or absent")
    }
}
