//! What a user has: memberships and permissions.

use super::answers;
use crate::pg::index::Table;

/// The scopes of permissions.
pub const TEAM: &str = "team";
pub const PROJECT: &str = "project";

pub fn is_member(team: &str, user: &str) -> bool {
    answers::answer(&["member", user, team], || {
        Table::Members.has(&[user, team])
            && !Table::DeletedTeams.has(&[team])
            && !is_deleted_user(user)
    })
}

/// Whether the user has the permission, or one that contains it: as a member of the team, or in the
/// whole project.
pub fn has_permission(user: &str, permission: &str, team: Option<&str>) -> bool {
    match team {
        Some(team) => answers::answer(&[TEAM, user, permission, team], || {
            is_member(team, user) && holds(Table::TeamPermissions, &[user, team], TEAM, permission)
        }),
        None => answers::answer(&[PROJECT, user, permission], || {
            !is_deleted_user(user) && holds(Table::ProjectPermissions, &[user], PROJECT, permission)
        }),
    }
}

/// The teams of which the user is a member.
pub fn teams(user: &str) -> Vec<String> {
    let mut teams = Vec::new();
    Table::Members.find(&[user], |row| {
        teams.extend(row.text_owned(c"team_id"));
        None::<()>
    });
    teams.retain(|team| is_member(team, user));
    teams
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
pub fn grants(scope: &str, held: &str, permission: &str) -> bool {
    answers::answer(&["grants", scope, held, permission], || {
        let granted_by = Table::Closure.find(&[scope, permission], |row| row.texts(c"granted_by"));
        granted_by.map_or(held == permission, |granted_by| {
            granted_by
                .iter()
                .any(|granting| granting.as_deref() == Some(held))
        })
    })
}
