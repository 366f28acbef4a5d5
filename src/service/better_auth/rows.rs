//! What Better Auth's tables say now about users and teams, for SQL.

use std::collections::HashSet;

use pgrx::IntoDatum;
use pgrx::fcinfo::pg_getarg;
use pgrx::pg_sys::panic::{ErrorReport, ErrorReportable};
use pgrx::prelude::*;

use super::ids::{self, Roles};
use super::object::Objects;
use crate::error::Problem;
use crate::pg::others::{Column, OthersRow, OthersTable};
use crate::pg::raised::passes_errors;
use crate::pg::set::ReturnedSet;
use crate::pg::settled::Settled;
use crate::provider::{Bound, What, bound, bound_if_any};

passes_errors! {
    neon_auth_better_auth_rows, pg_finfo_neon_auth_better_auth_rows => better_auth_rows;
}

/// `neon_auth_internal.better_auth_rows(what, ids)`: the objects of users, or of organizations and
/// teams, and the roles of a user as a comma list. With ids: one row for each, whose object is NULL if
/// the source has none. Without: all rows; id and object are NULL for a row that the mirror cannot
/// have.
///
/// # Safety
/// PostgreSQL calls it.
#[pg_guard]
unsafe extern "C-unwind" fn better_auth_rows(call: pg_sys::FunctionCallInfo) -> pg_sys::Datum {
    // SAFETY: the arguments are those of the SQL declaration.
    unsafe {
        let what: Option<String> = pg_getarg(call, 0);
        let ids: Option<Vec<String>> = pg_getarg(call, 1);
        let set = ReturnedSet::begin(call);
        let done = match what.as_deref() {
            Some("user") => users(&set, ids.as_deref()),
            _ => teams(&set, ids.as_deref()),
        };
        done.map_err(ErrorReport::from).unwrap_or_report();
    }
    pg_sys::Datum::null()
}

fn users(set: &ReturnedSet, wanted: Option<&[String]>) -> Result<(), Problem> {
    let users = bound(What::User)?;
    let objects = Objects::of(What::User, &users);
    let column = users.required("id");
    let names = Roles::in_project();
    // NULL if users have no column for it.
    let of_role = users.column("role");
    let _settled = Settled::enter();
    let add = |row: &OthersRow, id: Option<&str>| {
        set.add(|| {
            let roles = of_role.map(|column| names.of(row, column).join(","));
            [
                id.into_datum(),
                id.map(|id| objects.object(id, row)),
                roles.into_datum(),
            ]
        });
    };
    let Some(wanted) = wanted else {
        users
            .table()
            .each(|row| add(row, ids::id(row, column).as_deref()));
        return Ok(());
    };
    let found = each_wanted(users.table(), column, wanted, |row, id| add(row, Some(id)));
    for id in wanted.iter().filter(|id| !found.contains(id.as_str())) {
        // Whom Better Auth does not have has no roles.
        set.add(|| [id.as_str().into_datum(), None, "".into_datum()]);
    }
    Ok(())
}

/// A table whose rows are teams of the mirror.
struct Teams {
    what: What,
    bound: Bound,
}

impl Teams {
    fn id(&self, row: &OthersRow) -> Option<String> {
        let column = self.bound.required("id");
        match self.what {
            What::Team => ids::team(row, column),
            _ => ids::id(row, column),
        }
    }

    /// The id in this table of a team of the mirror.
    fn own<'i>(&self, team: &'i str) -> Option<&'i str> {
        match self.what {
            What::Team => ids::in_table_of_teams(team, self.bound.required("id")),
            _ => Some(team),
        }
    }
}

fn teams(set: &ReturnedSet, wanted: Option<&[String]>) -> Result<(), Problem> {
    let _settled = Settled::enter();
    let mut missing: Option<HashSet<&str>> =
        wanted.map(|wanted| wanted.iter().map(String::as_str).collect());
    for what in [What::Organization, What::Team] {
        let Some(bound) = bound_if_any(what)? else {
            continue;
        };
        let teams = Teams { what, bound };
        let objects = Objects::of(what, &teams.bound);
        let add = |row: &OthersRow, id: Option<&str>| {
            set.add(|| [id.into_datum(), id.map(|id| objects.object(id, row)), None]);
        };
        let Some(missing) = &mut missing else {
            let table = teams.bound.table();
            table.each(|row| add(row, teams.id(row).as_deref()));
            continue;
        };
        let own: Vec<String> = missing
            .iter()
            .filter_map(|team| teams.own(team).map(str::to_owned))
            .collect();
        let column = teams.bound.required("id");
        each_wanted(teams.bound.table(), column, &own, |row, _| {
            if let Some(id) = teams.id(row)
                && missing.remove(id.as_str())
            {
                add(row, Some(&id));
            }
        });
    }
    for id in missing.into_iter().flatten() {
        set.add(|| [id.into_datum(), None, None]);
    }
    Ok(())
}

/// Passes one row for each id to `read`, as far as there are such rows. Returns the ids that were
/// found.
fn each_wanted<'i>(
    table: &OthersTable,
    column: &Column,
    wanted: &'i [String],
    mut read: impl FnMut(&OthersRow, &str),
) -> HashSet<&'i str> {
    let mut found = HashSet::with_capacity(wanted.len());
    if is_few(table, wanted.len())
        && let Ok(mut lookups) = table.lookups(column)
    {
        for id in wanted {
            let row = lookups.find(id, |row| {
                read(row, id);
                Some(())
            });
            if row.is_some() {
                found.insert(id.as_str());
            }
        }
        lookups.close();
        return found;
    }
    let all: HashSet<&str> = wanted.iter().map(String::as_str).collect();
    table.each(|row| {
        if let Some(id) = ids::id(row, column)
            && let Some(&id) = all.get(id.as_str())
            && found.insert(id)
        {
            read(row, id);
        }
    });
    found
}

/// Whether that many look-ups cost less than reading the whole table: a look-up costs as much as about
/// seven rows of a scan, and a page has some forty.
pub fn is_few(table: &OthersTable, lookups: usize) -> bool {
    lookups <= 64 + 6 * table.pages() as usize
}
