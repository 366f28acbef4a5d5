//! Ids and roles of Better Auth's rows, as the mirror has them.

use std::cell::OnceCell;
use std::collections::HashSet;

use neon_auth_wire::id;

use crate::pg::heap;
use crate::pg::others::{Column, OthersRow};
use crate::pg::tables::PERMISSION_DEFINITIONS;

/// What precedes the id of a team if ids are numbers: organization 1 and team 1 are two rows of one
/// table of the mirror.
const TEAM: &str = "team:";

/// A value that can be an id in the mirror.
pub fn id(row: &OthersRow, column: &Column) -> Option<String> {
    row.text(column).filter(|id| is_usable(id))
}

fn is_usable(id: &str) -> bool {
    (1..=id::LONGEST).contains(&id.len())
}

/// The id that a team has in the mirror.
pub fn team(row: &OthersRow, column: &Column) -> Option<String> {
    let id = id(row, column)?;
    if column.is_integer() {
        Some(format!("{TEAM}{id}"))
    } else {
        Some(id)
    }
}

/// The id in the table of teams of an id in the mirror; `None` if it is not one of a team.
pub fn in_table_of_teams<'i>(team: &'i str, column: &Column) -> Option<&'i str> {
    if column.is_integer() {
        team.strip_prefix(TEAM)
    } else {
        Some(team)
    }
}

/// Which names of roles with a colon are roles. Such a name could be taken for the permission
/// `resource:action` of another role. So it counts only if it is defined, as those are that came from
/// Stack Auth, and never if it is a permission of Better Auth's plugins.
pub struct Roles {
    scope: &'static str,
    defined: OnceCell<HashSet<String>>,
}

impl Roles {
    /// Of `member.role`.
    pub fn in_organizations() -> Self {
        Self::in_scope("team")
    }

    /// Of `user.role`.
    pub fn in_project() -> Self {
        Self::in_scope("project")
    }

    fn in_scope(scope: &'static str) -> Self {
        Self {
            scope,
            defined: OnceCell::new(),
        }
    }

    /// The roles in a comma list, sorted, each once. As in Better Auth's server a name is taken exactly:
    /// ` owner` is not owner.
    pub fn of(&self, row: &OthersRow, column: &Column) -> Vec<String> {
        let list = row.text(column).unwrap_or_default();
        let mut roles: Vec<String> = list
            .split(',')
            .filter(|name| self.has(name))
            .map(str::to_owned)
            .collect();
        roles.sort();
        roles.dedup();
        roles
    }

    fn has(&self, name: &str) -> bool {
        is_usable(name)
            && !name.contains(|letter: char| letter.is_whitespace() || letter.is_control())
            && (!name.contains(':') || self.is_defined(name))
    }

    fn is_defined(&self, name: &str) -> bool {
        let defined = self.defined.get_or_init(|| {
            let mut ids = HashSet::new();
            heap::each(&PERMISSION_DEFINITIONS, |row| {
                if row.text(c"scope") == Some(self.scope) {
                    ids.extend(row.text(c"id").map(str::to_owned));
                }
            });
            ids
        });
        !self.is_of_plugins(name) && defined.contains(name)
    }

    /// Whether it is a permission that add_better_auth defines.
    fn is_of_plugins(&self, name: &str) -> bool {
        let Some((resource, action)) = name.split_once(':') else {
            return false;
        };
        match self.scope {
            "team" => {
                matches!(
                    resource,
                    "organization" | "member" | "invitation" | "team" | "ac"
                ) && matches!(action, "create" | "read" | "update" | "delete" | "cancel")
            }
            _ => matches!(resource, "user" | "session"),
        }
    }
}
