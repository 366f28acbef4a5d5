//! What Better Auth's tables say now about memberships and their permissions, for SQL.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use neon_auth_wire::id;
use pgrx::IntoDatum;
use pgrx::fcinfo::pg_getarg;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;

use super::ids::{self, Roles};
use super::rows::is_few;
use crate::error::Problem;
use crate::pg::others::{Column, OthersRow};
use crate::pg::raised::passes_errors;
use crate::pg::set::ReturnedSet;
use crate::provider::{Bound, What, bound_if_any};

passes_errors! {
    neon_auth_better_auth_memberships, pg_finfo_neon_auth_better_auth_memberships => better_auth_memberships;
}

/// `neon_auth_internal.better_auth_memberships(teams, users)`: for each row of a membership one row
/// without a permission, and one for each permission. With teams and users: of these pairs. With teams:
/// of all their members. Without both: all; team and user are NULL for a row that the mirror cannot
/// have.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn better_auth_memberships(
    call: pg_sys::FunctionCallInfo,
) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration.
    unsafe {
        let teams: Option<Vec<String>> = pg_getarg(call, 0);
        let users: Option<Vec<String>> = pg_getarg(call, 1);
        let set = ReturnedSet::begin(call);
        let wanted = match (teams, users) {
            (Some(teams), Some(users)) => Wanted::Pairs(teams.into_iter().zip(users).collect()),
            (Some(teams), None) => Wanted::Teams(teams.into_iter().collect()),
            (None, _) => Wanted::All,
        };
        memberships(&set, &wanted)
            .map_err(ErrorReport::from)
            .unwrap_or_report();
    }
    pg_sys::Datum::null()
}

enum Wanted {
    All,
    Teams(HashSet<String>),
    /// Teams and users.
    Pairs(HashSet<(String, String)>),
}

impl Wanted {
    fn has(&self, team: &str, user: &str) -> bool {
        match self {
            Self::All => true,
            Self::Teams(teams) => teams.contains(team),
            Self::Pairs(pairs) => pairs.contains(&(team.to_owned(), user.to_owned())),
        }
    }

    /// The column by which they are looked up, and its values.
    fn keys<'w>(&'w self, memberships: &Memberships) -> Option<(&'static str, HashSet<&'w str>)> {
        match self {
            Self::All => None,
            Self::Teams(all) => {
                let own = all.iter().filter_map(|team| memberships.own(team));
                Some((memberships.team_column, own.collect()))
            }
            Self::Pairs(pairs) => Some((
                "userId",
                pairs.iter().map(|(_, user)| user.as_str()).collect(),
            )),
        }
    }
}

/// A table of memberships: members of organizations, or of teams.
struct Memberships {
    bound: Bound,
    team_column: &'static str,
    /// What the teams' own ids are in the mirror.
    team: fn(&OthersRow, &Column) -> Option<String>,
    has_roles: bool,
}

impl Memberships {
    fn all() -> Result<Vec<Self>, Problem> {
        let members = bound_if_any(What::Member)?.map(|bound| Self {
            bound,
            team_column: "organizationId",
            team: ids::id,
            has_roles: true,
        });
        let team_members = bound_if_any(What::TeamMember)?.map(|bound| Self {
            bound,
            team_column: "teamId",
            team: ids::team,
            has_roles: false,
        });
        Ok([members, team_members].into_iter().flatten().collect())
    }

    /// The id in this table of a team of the mirror.
    fn own<'i>(&self, team: &'i str) -> Option<&'i str> {
        if self.has_roles {
            Some(team)
        } else {
            ids::in_table_of_teams(team, self.bound.required(self.team_column))
        }
    }

    fn team(&self, row: &OthersRow) -> Option<String> {
        (self.team)(row, self.bound.required(self.team_column))
    }

    fn user(&self, row: &OthersRow) -> Option<String> {
        ids::id(row, self.bound.required("userId"))
    }

    /// Passes at least the wanted rows to `read`.
    fn each(&self, wanted: &Wanted, mut read: impl FnMut(&OthersRow)) {
        let table = self.bound.table();
        if let Some((column, keys)) = wanted.keys(self)
            && is_few(table, keys.len())
        {
            let by_column = self.bound.required(column);
            if let Ok(mut lookups) = table.lookups(by_column) {
                for key in keys {
                    lookups.find(key, |row| {
                        read(row);
                        None::<()>
                    });
                }
                lookups.close();
                return;
            }
        }
        table.each(read);
    }
}

fn memberships(set: &ReturnedSet, wanted: &Wanted) -> Result<(), Problem> {
    let names = Roles::in_organizations();
    let roles = DynamicRoles::open(wanted)?;
    for memberships in Memberships::all()? {
        memberships.each(wanted, |row| {
            let pair = memberships.team(row).zip(memberships.user(row));
            let Some((team, user)) = pair else {
                if matches!(wanted, Wanted::All) {
                    set.add(|| [None, None, None, false.into_datum()]);
                }
                return;
            };
            if !wanted.has(&team, &user) {
                return;
            }
            let add = |permission: Option<&str>, is_inherited: bool| {
                set.add(|| {
                    [
                        team.as_str().into_datum(),
                        user.as_str().into_datum(),
                        permission.into_datum(),
                        is_inherited.into_datum(),
                    ]
                });
            };
            add(None, false);
            if !memberships.has_roles {
                return;
            }
            let own_roles = names.of(row, memberships.bound.required("role"));
            let statements = roles.of(&team);
            for role in own_roles {
                add(Some(&role), false);
                for statement in statements.get(&role).into_iter().flatten() {
                    add(Some(statement), true);
                }
            }
        });
    }
    Ok(())
}

/// The permissions of roles, as `resource:action`.
type Statements = HashMap<String, Vec<String>>;

/// Roles that organizations have defined themselves.
struct DynamicRoles {
    bound: Option<Bound>,
    /// By organization; those that were looked up.
    known: RefCell<HashMap<String, Rc<Statements>>>,
    /// Whether all are known.
    is_complete: bool,
}

impl DynamicRoles {
    fn open(wanted: &Wanted) -> Result<Self, Problem> {
        let mut roles = Self {
            bound: bound_if_any(What::OrganizationRole)?,
            known: RefCell::default(),
            is_complete: false,
        };
        let Some(bound) = &roles.bound else {
            roles.is_complete = true;
            return Ok(roles);
        };
        let table = bound.table();
        let has_index = table.has_index(bound.required("organizationId"));
        let organizations = match wanted {
            Wanted::All => usize::MAX,
            Wanted::Teams(teams) => teams.len(),
            Wanted::Pairs(pairs) => pairs.len(),
        };
        if !has_index || !is_few(table, organizations) {
            let mut all: HashMap<String, Statements> = HashMap::new();
            table.each(|row| {
                if let Some(organization) = ids::id(row, bound.required("organizationId")) {
                    add_statements(all.entry(organization).or_default(), bound, row);
                }
            });
            let all = all.into_iter().map(|(of, roles)| (of, Rc::new(roles)));
            roles.known = RefCell::new(all.collect());
            roles.is_complete = true;
        }
        Ok(roles)
    }

    fn of(&self, organization: &str) -> Rc<Statements> {
        if let Some(known) = self.known.borrow().get(organization) {
            return Rc::clone(known);
        }
        let mut statements = Statements::new();
        if let (Some(bound), false) = (&self.bound, self.is_complete) {
            let column = bound.required("organizationId");
            // It had an index when this was opened.
            let _ = bound.table().find(column, organization, |row| {
                add_statements(&mut statements, bound, row);
                None::<()>
            });
        }
        let statements = Rc::new(statements);
        let mut known = self.known.borrow_mut();
        known.insert(organization.to_owned(), Rc::clone(&statements));
        statements
    }
}

/// A permission that is not what Better Auth writes grants nothing.
fn add_statements(roles: &mut Statements, bound: &Bound, row: &OthersRow) {
    let role = row.text(bound.required("role"));
    let permission = row.text(bound.required("permission"));
    let Some((role, permission)) = role.zip(permission) else {
        return;
    };
    let granted: HashMap<String, Vec<String>> = match serde_json::from_str(&permission) {
        Ok(granted) => granted,
        Err(_) => return,
    };
    let statements = roles.entry(role).or_default();
    for (resource, actions) in granted {
        for action in actions {
            let statement = format!("{resource}:{action}");
            if statement.len() <= id::LONGEST && !statement.contains('\0') {
                statements.push(statement);
            }
        }
    }
}
