//! The readers for the signed-in user's teams and permissions.
//!
//! The row of a user or a team may still be missing; the membership is valid all the same, because
//! the auth service reported it. A deleted user or team grants nothing, whatever rows remain.

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;

use super::answers;
use crate::pg::index::Table;
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
