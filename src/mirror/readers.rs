//! The readers for the signed-in user's teams, permissions and current organization.
//!
//! The row of a user or a team may still be missing; the membership is valid all the same, because
//! the auth service reported it. A deleted user or team grants nothing, whatever rows remain.

use neon_auth_token::{Map, Value as Json};
use pgrx::datum::Uuid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::answers;
use crate::identity::{Identity, hyphenated};
use crate::pg::index::Table;
use crate::pg::jsonb::Jsonb;
use crate::pg::value::Value;
use crate::session;

/// `auth.is_team_member(team_id)`.
#[pg_extern(sql = false)]
fn is_team_member(team: &str) -> Result<Option<bool>, ErrorReport> {
    let identity = session::current()?;
    Ok(identity.map(|identity| {
        let user = &identity.subject;
        answers::answer(&["member", user, team], || is_member(team, user))
    }))
}

/// `auth.has_permission(permission_id, team_id)`.
#[pg_extern(sql = false)]
fn has_permission(
    permission: Option<&str>,
    team: Option<&str>,
) -> Result<Option<bool>, ErrorReport> {
    let (Some(identity), Some(permission)) = (session::current()?, permission) else {
        return Ok(None);
    };
    let user = &identity.subject;
    let has = match team {
        Some(team) => answers::answer(&["team", user, permission, team], || {
            is_member(team, user)
                && holds(Table::TeamPermissions, &[user, team], "team", permission)
        }),
        None => answers::answer(&["project", user, permission], || {
            !is_deleted_user(user)
                && holds(Table::ProjectPermissions, &[user], "project", permission)
        }),
    };
    Ok(Some(has))
}

/// `auth.organization()`: of a Better Auth user the active organization, while the user is a member,
/// with the roles of now; of others the claim `o` if it is an object.
#[pg_extern(sql = false)]
fn organization() -> Result<Option<Value>, ErrorReport> {
    let Some(identity) = session::current()? else {
        return Ok(None);
    };
    if !identity.kind.has_organizations() {
        return Ok(identity.organization().map(Value::jsonb));
    }
    let Some((id, organization)) = active(&identity) else {
        return Ok(None);
    };
    let mut members = Map::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            members.insert(name.to_owned(), Json::String(value));
        }
    };
    add("id", Some(id.to_owned()));
    add("slug", organization.slug);
    add("name", organization.name);
    add("role", roles(id, &identity.subject));
    let json = Json::Object(members).to_string();
    Ok(Some(Value::jsonb(&Jsonb::from_json(&json))))
}

/// `auth.organization_id()`: its id if it is a UUID.
#[pg_extern(sql = false)]
fn organization_id() -> Result<Option<Uuid>, ErrorReport> {
    let Some(identity) = session::current()? else {
        return Ok(None);
    };
    let id = match identity.kind.has_organizations() {
        true => active(&identity).map(|(id, _)| id),
        false => identity.organization_id(),
    };
    let uuid = id.and_then(hyphenated);
    Ok(uuid.map(|uuid| Uuid::from_bytes(uuid.into_bytes())))
}

/// What is shown of an organization.
#[derive(Default)]
struct Organization {
    name: Option<String>,
    slug: Option<String>,
}

/// The organization that the credential names, if the user is a member of it: the service does not
/// take it from the session of a removed member. A team is not an organization.
fn active(identity: &Identity) -> Option<(&str, Organization)> {
    let id = identity.organization_id()?;
    let user = &identity.subject;
    if !answers::answer(&["member", user, id], || is_member(id, user)) {
        return None;
    }
    let found = Table::Teams.find(&[id], |row| {
        let json = row.part(c"raw_json");
        let text = |name| {
            let member = json.as_ref()?.member(name)?;
            member.text().map(str::to_owned)
        };
        let parent = json
            .as_ref()
            .and_then(|json| json.member("organization_id"));
        let is_team = parent.is_some_and(|parent| parent.kind() != "null");
        Some((!is_team).then(|| Organization {
            name: text("display_name"),
            slug: text("slug"),
        }))
    });
    // A membership counts before the row of its organization exists.
    let organization = found.unwrap_or_else(|| Some(Organization::default()))?;
    Some((id, organization))
}

/// The user's roles in an organization, as Better Auth lists them.
fn roles(organization: &str, user: &str) -> Option<String> {
    let mut roles = Vec::new();
    Table::TeamPermissions.find(&[user, organization], |row| {
        if row.boolean(c"inherited") != Some(true) {
            roles.extend(row.text_owned(c"permission_id"));
        }
        None::<()>
    });
    roles.sort();
    (!roles.is_empty()).then(|| roles.join(","))
}

fn is_member(team: &str, user: &str) -> bool {
    Table::Members.has(&[user, team]) && !Table::DeletedTeams.has(&[team]) && !is_deleted_user(user)
}

fn is_deleted_user(user: &str) -> bool {
    answers::answer(&["deleted", user], || {
        let deleted = Table::Users.find(&[user], |row| Some(!row.is_null(c"deleted_at")));
        deleted.unwrap_or(false)
    })
}

/// Whether one of the user's permissions grants this one. Users have few.
fn holds(table: Table, holder: &[&str], scope: &str, permission: &str) -> bool {
    let found = table.find(holder, |row| {
        grants(scope, row.text(c"permission_id")?, permission).then_some(())
    });
    found.is_some()
}

/// Whether a permission is another one or contains it. An undefined permission contains no other:
/// no event reports definitions.
fn grants(scope: &str, held: &str, permission: &str) -> bool {
    answers::answer(&["grants", scope, held, permission], || {
        let granted_by = Table::Closure.find(&[scope, permission], |row| row.texts(c"granted_by"));
        granted_by.map_or(held == permission, |granted_by| {
            granted_by
                .iter()
                .any(|granting| granting.as_deref() == Some(held))
        })
    })
}
