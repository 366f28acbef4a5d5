//! Permission definitions, grants, and what a grant contains.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::error::KnownError;

/// What the service grants to a team's creator.
pub const TEAM_ADMIN: &str = "team_admin";

/// What it grants to everybody who joins a team.
pub const TEAM_MEMBER: &str = "team_member";

/// Where a permission applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    Team,
    Project,
}

/// A permission that somebody holds: in a team, or in the whole project.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Grant {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<Uuid>,
    pub user_id: Uuid,
    /// The permission's id.
    pub id: String,
}

impl Grant {
    fn scope(&self) -> Scope {
        match self.team_id {
            Some(_) => Scope::Team,
            None => Scope::Project,
        }
    }

    fn holder(&self) -> Holder {
        Holder {
            team_id: self.team_id,
            user_id: self.user_id,
        }
    }

    /// The event of granting it.
    pub fn created_event(&self) -> &'static str {
        match self.scope() {
            Scope::Team => "team_permission.created",
            Scope::Project => "project_permission.created",
        }
    }

    /// The event of revoking it.
    pub fn deleted_event(&self) -> &'static str {
        match self.scope() {
            Scope::Team => "team_permission.deleted",
            Scope::Project => "project_permission.deleted",
        }
    }
}

/// Who may hold permissions: a member of a team, or a user in the project.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Holder {
    pub team_id: Option<Uuid>,
    pub user_id: Uuid,
}

/// The holders of grants that come holder by holder.
fn holders<'a>(grants: impl Iterator<Item = &'a Grant>) -> Vec<Holder> {
    let mut holders: Vec<_> = grants.map(Grant::holder).collect();
    holders.dedup();
    holders
}

/// A permission and the permissions it contains.
#[derive(Clone, Debug)]
pub struct Definition {
    pub scope: Scope,
    pub id: String,
    pub contained_permission_ids: Vec<String>,
}

/// All definitions and direct grants.
pub struct Permissions {
    definitions: BTreeMap<(Scope, String), Vec<String>>,
    grants: BTreeSet<Grant>,
    /// What the project grants to everybody who signs up.
    sign_up: Vec<String>,
}

impl Default for Permissions {
    /// The system's permissions and the two that a new project defines.
    fn default() -> Self {
        const SYSTEM: [&str; 6] = [
            "$update_team",
            "$delete_team",
            "$read_members",
            "$remove_members",
            "$invite_members",
            "$manage_api_keys",
        ];
        let mut permissions = Self {
            definitions: BTreeMap::new(),
            grants: BTreeSet::new(),
            sign_up: Vec::new(),
        };
        let mut define = |id: &str, contained: &[&str]| {
            permissions.define(Definition {
                scope: Scope::Team,
                id: id.to_owned(),
                contained_permission_ids: contained.iter().map(|id| (*id).to_owned()).collect(),
            });
        };
        for id in SYSTEM {
            define(id, &[]);
        }
        define(TEAM_ADMIN, &SYSTEM);
        define(TEAM_MEMBER, &["$read_members", "$invite_members"]);
        permissions
    }
}

impl Permissions {
    pub fn define(&mut self, definition: Definition) {
        self.definitions.insert(
            (definition.scope, definition.id),
            definition.contained_permission_ids,
        );
    }

    /// Deletes a definition as the API does: with its grants, and out of the definitions that
    /// contained it.
    pub fn undefine(&mut self, scope: Scope, id: &str) -> Result<(), KnownError> {
        self.forget(scope, id)?;
        self.grants
            .retain(|grant| grant.scope() != scope || grant.id != id);
        for ((of, _), contained) in &mut self.definitions {
            if *of == scope {
                contained.retain(|one| one != id);
            }
        }
        Ok(())
    }

    /// Leaves out a definition, as a pushed configuration does that lacks it: grants of it stay and
    /// mean nothing.
    pub fn forget(&mut self, scope: Scope, id: &str) -> Result<(), KnownError> {
        self.definitions
            .remove(&(scope, id.to_owned()))
            .map(drop)
            .ok_or_else(KnownError::permission_not_found)
    }

    /// Grants a permission that is defined.
    pub fn grant(&mut self, grant: Grant) -> Result<(), KnownError> {
        if self.contained(&grant).is_none() {
            return Err(KnownError::permission_not_found());
        }
        self.grants.insert(grant);
        Ok(())
    }

    /// Sets what is granted to everybody who signs up from now on.
    pub fn set_sign_up(&mut self, ids: &[&str]) {
        self.sign_up = ids.iter().map(|id| (*id).to_owned()).collect();
    }

    /// Grants a new user the project's defaults, as far as they are defined.
    pub fn sign_up(&mut self, user_id: Uuid) {
        for id in self.sign_up.clone() {
            let team_id = None;
            let _ = self.grant(Grant {
                team_id,
                user_id,
                id,
            });
        }
    }

    /// What the definition of a granted permission contains.
    fn contained(&self, grant: &Grant) -> Option<&Vec<String>> {
        self.definitions.get(&(grant.scope(), grant.id.clone()))
    }

    pub fn revoke(&mut self, grant: &Grant) -> Result<(), KnownError> {
        if self.grants.remove(grant) {
            Ok(())
        } else {
            Err(KnownError::permission_not_found())
        }
    }

    /// Revokes everything that a holder has been granted.
    pub fn revoke_all(&mut self, holder: Holder) {
        let revoked: Vec<_> = self.granted(holder).cloned().collect();
        for grant in &revoked {
            self.grants.remove(grant);
        }
    }

    /// Grants a permission that is known to be defined to many.
    pub fn grant_to_all(&mut self, id: &str, holders: impl Iterator<Item = Holder>) {
        let grants = holders.map(|holder| Grant {
            team_id: holder.team_id,
            user_id: holder.user_id,
            id: id.to_owned(),
        });
        self.grants.append(&mut grants.collect());
    }

    /// Who has been granted anything in the project, in the service's order.
    pub fn project_holders(&self) -> Vec<Holder> {
        let project = self.from(Holder::default());
        holders(project.take_while(|grant| grant.team_id.is_none()))
    }

    /// Who has been granted anything in a team, or in any: by team and user.
    pub fn team_holders(&self, team_id: Option<Uuid>) -> Vec<Holder> {
        let first = Holder {
            team_id: Some(team_id.unwrap_or_default()),
            user_id: Uuid::nil(),
        };
        let concerned = |grant: &&Grant| team_id.is_none() || grant.team_id == team_id;
        holders(self.from(first).take_while(concerned))
    }

    /// What a holder has, by permission. Grants of undefined permissions are
    /// left out, and what a permission contains is listed where `recursive`
    /// asks for it.
    pub fn held(&self, holder: Holder, recursive: bool) -> Vec<Value> {
        let mut held = BTreeSet::new();
        for grant in self.granted(holder) {
            self.close(grant.clone(), recursive, &mut held);
        }
        held.iter().map(|grant| json!(grant)).collect()
    }

    /// The grants to a holder.
    fn granted(&self, holder: Holder) -> impl Iterator<Item = &Grant> {
        self.from(holder)
            .take_while(move |grant| grant.holder() == holder)
    }

    /// All grants from a holder's first one on.
    fn from(&self, holder: Holder) -> impl Iterator<Item = &Grant> {
        let Holder { team_id, user_id } = holder;
        let id = String::new();
        self.grants.range(
            Grant {
                team_id,
                user_id,
                id,
            }..,
        )
    }

    /// Adds a grant and what it contains; cycles end where they began.
    fn close(&self, grant: Grant, recursive: bool, held: &mut BTreeSet<Grant>) {
        let mut pending = vec![grant];
        while let Some(grant) = pending.pop() {
            let Some(contained) = self.contained(&grant) else {
                continue;
            };
            if held.insert(grant.clone()) && recursive {
                pending.extend(contained.iter().map(|id| Grant {
                    id: id.clone(),
                    ..grant.clone()
                }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grant(id: &str) -> Grant {
        Grant {
            team_id: None,
            user_id: Uuid::nil(),
            id: id.to_owned(),
        }
    }

    fn define(permissions: &mut Permissions, id: &str, contained: &[&str]) {
        permissions.define(Definition {
            scope: Scope::Project,
            id: id.to_owned(),
            contained_permission_ids: contained.iter().map(|id| (*id).to_owned()).collect(),
        });
    }

    fn ids(permissions: &Permissions, recursive: bool) -> Vec<String> {
        let listed = permissions.held(Holder::default(), recursive);
        let ids = listed.iter().map(|grant| grant["id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    }

    #[test]
    fn a_cycle_of_permissions_is_listed_once() {
        let mut permissions = Permissions::default();
        define(&mut permissions, "a", &["b"]);
        define(&mut permissions, "b", &["a"]);
        permissions.grant(grant("a")).unwrap();
        assert_eq!(ids(&permissions, false), ["a"]);
        assert_eq!(ids(&permissions, true), ["a", "b"]);
    }

    #[test]
    fn a_grant_held_directly_still_contains_others() {
        let mut permissions = Permissions::default();
        define(&mut permissions, "a", &["b"]);
        define(&mut permissions, "b", &["c"]);
        define(&mut permissions, "c", &[]);
        permissions.grant(grant("a")).unwrap();
        permissions.grant(grant("b")).unwrap();
        assert_eq!(ids(&permissions, true), ["a", "b", "c"]);
    }

    #[test]
    fn a_grant_without_a_definition_is_not_listed() {
        let mut permissions = Permissions::default();
        define(&mut permissions, "a", &[]);
        permissions.grant(grant("a")).unwrap();
        permissions.forget(Scope::Project, "a").unwrap();
        assert!(ids(&permissions, true).is_empty());
        assert!(permissions.grant(grant("a")).is_err());
        define(&mut permissions, "a", &[]);
        assert_eq!(ids(&permissions, true), ["a"]);
    }

    #[test]
    fn a_deleted_definition_takes_its_grants_and_its_place_in_others() {
        let mut permissions = Permissions::default();
        define(&mut permissions, "a", &["b", "c"]);
        define(&mut permissions, "b", &[]);
        define(&mut permissions, "c", &[]);
        permissions.define(Definition {
            scope: Scope::Team,
            id: "b".to_owned(),
            contained_permission_ids: Vec::new(),
        });
        let in_team = Grant {
            team_id: Some(Uuid::nil()),
            ..grant("b")
        };
        permissions.grant(in_team.clone()).unwrap();
        permissions.grant(grant("a")).unwrap();
        permissions.grant(grant("b")).unwrap();
        permissions.undefine(Scope::Project, "b").unwrap();
        assert_eq!(ids(&permissions, true), ["a", "c"]);
        define(&mut permissions, "b", &[]);
        assert_eq!(ids(&permissions, true), ["a", "c"]);
        assert_eq!(permissions.held(in_team.holder(), false).len(), 1);
        assert!(permissions.undefine(Scope::Project, "x").is_err());
    }
}
