//! The owner of an API key: whether the owner may sign in, and the claims that the key's identity gets
//! from the owner's row, under the names that tokens of the owner's provider have.

use std::rc::Rc;

use neon_auth_token::{Map, Value};

use super::mirrored_user::{self, UserRow, restricts};
use super::table_users::Demand;
use super::tables::Bound;
use super::trust::{self, Provider};
use super::{role, table_users};
use crate::error::{Credential, OwnerRule, Problem};
use crate::identity::Identity;
use crate::kind::{ClaimNames, Kind};
use crate::pg::jsonb::JsonbPart;
use crate::pg::others::OthersRow;

/// A user who exists, is neither deleted nor banned, and whom the provider accepts.
pub struct Owner {
    /// `None` if the user is of no provider that is configured.
    pub provider: Option<Rc<Provider>>,
    pub kind: Kind,
    /// `sub` and claims about the user.
    pub claims: Map<String, Value>,
    pub role: role::Choice,
}

/// What a row says of its user.
#[derive(Default)]
struct Profile {
    name: Option<String>,
    email: Option<String>,
    email_verified: Option<bool>,
    is_anonymous: Option<bool>,
    is_restricted: Option<bool>,
}

/// The row of `users_sync`.
struct Mirrored {
    user: UserRow,
    provider: Option<String>,
    profile: Profile,
}

/// The user with this id, or why an API key of the user is refused.
pub fn find(id: &str) -> Result<Owner, Problem> {
    let mirrored = mirrored_user::find(id, Mirrored::read);
    if mirrored.as_ref().is_some_and(|row| row.user.deleted) {
        return Err(Problem::UserDeleted {
            credential: Credential::ApiKey,
            provider: None,
        });
    }
    let provider = provider_of(id, mirrored.as_ref())?;
    let kind = provider
        .as_ref()
        .map_or(Kind::Oidc, |provider| provider.kind);
    let profile = match kind {
        Kind::BetterAuth => table_users::find(Credential::ApiKey, id, Profile::of_better_auth)?,
        Kind::Oidc | Kind::Stack => mirrored.ok_or(Problem::OwnerMissing)?.unless_banned()?,
    };
    let role = profile.judged(provider.as_deref())?;
    Ok(Owner {
        provider,
        kind,
        claims: profile.claims(id, kind.claims()),
        role,
    })
}

/// The provider of a user: `None` if the user is of no provider that is configured.
fn provider_of(id: &str, mirrored: Option<&Mirrored>) -> Result<Option<Rc<Provider>>, Problem> {
    let trust = trust::current()?;
    match trust.better_auth()? {
        // Whatever the row of the mirror says: users of Better Auth may be able to write a column of this
        // name.
        Some(better_auth) if is_in_better_auth(id) => Ok(Some(better_auth)),
        _ => match mirrored.and_then(|row| row.provider.as_deref()) {
            Some(own) => trust.named(own).map(Some).map_err(of_owner),
            None => trust.mirrored(),
        },
    }
}

/// Refuses an identity whose provider is not the provider of the user who owns the keys: users of
/// different providers can have the same id. To create a key it must also have the key's role, because
/// no claim decides about the role of a key.
pub fn demand_own_keys(identity: &Identity, creates: bool) -> Result<(), Problem> {
    let user = &identity.subject;
    let provider = provider_of(user, mirrored_user::find(user, Mirrored::read).as_ref())?;
    let name = |provider: &Option<Rc<Provider>>| provider.as_ref().map(|own| own.name.clone());
    let owner = name(&provider);
    if owner != identity.provider {
        return Err(Problem::KeysOfAnotherProvider {
            provider: identity.provider.clone().unwrap_or_default(),
            owner,
        });
    }
    if !creates {
        return Ok(());
    }
    let found = find(user).map_err(|problem| Problem::UnfitOwner {
        why: problem.sentence(),
    })?;
    if found.role.role != identity.role {
        return Err(Problem::KeyOfAnotherRole {
            role: identity.role.clone(),
            key: found.role.role,
        });
    }
    Ok(())
}

/// The provider of the owner was dropped: then its users do not become those of another one.
fn of_owner(problem: Problem) -> Problem {
    match problem {
        Problem::NoSuchProvider { provider } => Problem::OwnerWithoutProvider { provider },
        problem => problem,
    }
}

/// Whether Better Auth's table has the user, or cannot be read.
fn is_in_better_auth(id: &str) -> bool {
    let found = table_users::demand(Credential::ApiKey, id, Demand::BOTH);
    !matches!(found, Err(Problem::UserMissing { .. }))
}

impl Mirrored {
    fn read(user: UserRow, object: Option<JsonbPart>) -> Self {
        let member = |name: &str| object.as_ref().and_then(|object| object.member(name));
        let text = |name: &str| member(name).and_then(|value| value.text().map(str::to_owned));
        let truth = |name: &str| member(name).and_then(|value| value.boolean());
        Self {
            user,
            provider: text("auth_provider"),
            profile: Profile {
                name: text("display_name"),
                email: text("primary_email"),
                email_verified: truth("primary_email_verified"),
                is_anonymous: member("is_anonymous").and_then(restricts),
                is_restricted: member("is_restricted").and_then(restricts),
            },
        }
    }

    /// The profile, or an error if the user is banned now.
    fn unless_banned(self) -> Result<Profile, Problem> {
        match self.user.ban {
            Some(ban) => Err(Problem::UserBanned {
                credential: Credential::ApiKey,
                until: ban.until,
                in_mirror: true,
            }),
            None => Ok(self.profile),
        }
    }
}

impl Profile {
    fn of_better_auth(table: &Bound, row: &OthersRow) -> Self {
        let text = |name| row.text(table.column(name)?);
        let flag = |name| row.boolean(table.column(name)?);
        Self {
            name: text("name"),
            email: text("email"),
            email_verified: flag("emailVerified"),
            is_anonymous: flag("isAnonymous"),
            is_restricted: None,
        }
    }

    /// The role of the user's keys, or why the provider accepts none. Without a provider the rules of
    /// a provider apply that sets nothing.
    fn judged(&self, provider: Option<&Provider>) -> Result<role::Choice, Problem> {
        let is_anonymous = self.is_anonymous == Some(true);
        let is_restricted = !is_anonymous && self.is_restricted == Some(true);
        let allows = |rule: fn(&Provider) -> bool| provider.is_some_and(rule);
        let refused = |rule| {
            Err(Problem::OwnerRefused {
                rule,
                provider: provider.map(|provider| provider.name.clone()),
            })
        };
        if is_anonymous && !allows(|provider| provider.policy.allow_anonymous) {
            return refused(OwnerRule::Anonymous);
        }
        if is_restricted && !allows(|provider| provider.policy.allow_restricted) {
            return refused(OwnerRule::Restricted);
        }
        match provider {
            Some(provider) => role::of_api_key(provider, is_anonymous),
            None => Ok(role::Choice::WITHOUT_PROVIDER),
        }
    }

    fn claims(self, id: &str, names: &ClaimNames) -> Map<String, Value> {
        let flag = |value: Option<bool>| value.map(Value::Bool);
        let known = [
            ("sub", Some(Value::String(id.to_owned()))),
            ("name", self.name.map(Value::String)),
            (names.email, self.email.map(Value::String)),
            (names.email_verified, flag(self.email_verified)),
            (names.is_anonymous, flag(self.is_anonymous)),
            ("is_restricted", flag(self.is_restricted)),
        ];
        let known = known.into_iter();
        known
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}
