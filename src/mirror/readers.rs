//! The readers for the signed-in user's teams, permissions and current organization.
//!
//! The row of a user or a team may still be missing; the membership is valid all the same, because
//! the auth service reported it. A deleted user or team grants nothing, whatever rows remain.

use neon_auth_token::{Map, Value as Json};
use pgrx::datum::Uuid;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::{bounds, held};
use crate::identity::{Identity, hyphenated};
use crate::pg::index::Table;
use crate::pg::jsonb::Jsonb;
use crate::pg::value::Value;
use crate::session;

/// `auth.is_team_member(team_id)`.
#[pg_extern(sql = false)]
fn is_team_member(team: &str) -> Result<Option<bool>, ErrorReport> {
    let identity = session::current()?;
    Ok(identity.map(|identity| is_member(&identity, team)))
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
    let scope = team.map_or(held::PROJECT, |_| held::TEAM);
    let has = bounds::reach(&identity, team)
        && held::has_permission(&identity.subject, permission, team)
        && bounds::grant(&identity, scope, permission);
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
    add("role", roles(&identity, id));
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
    if !is_member(identity, id) {
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

/// The user's roles in an organization, as Better Auth lists them; of these, those that the
/// credential grants.
fn roles(identity: &Identity, organization: &str) -> Option<String> {
    let mut roles = Vec::new();
    Table::TeamPermissions.find(&[&identity.subject, organization], |row| {
        if row.boolean(c"inherited") != Some(true) {
            roles.extend(row.text_owned(c"permission_id"));
        }
        None::<()>
    });
    roles.retain(|role| bounds::grant(identity, held::TEAM, role));
    roles.sort();
    (!roles.is_empty()).then(|| roles.join(","))
}

fn is_member(identity: &Identity, team: &str) -> bool {
    bounds::reach(identity, Some(team)) && held::is_member(team, &identity.subject)
}
