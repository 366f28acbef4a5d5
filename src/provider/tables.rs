//! The tables of Better Auth that `add_better_auth` has found.
//!
//! A session caches which columns they have until their definition or `better_auth_tables` changes.
//! A table is used only while it carries our trigger, which only the extension's owner can create:
//! a table that was created later under the name of a dropped one is not trusted. A column that is
//! missing makes the table unusable, because without it, for example, a ban would not be seen.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use pgrx::prelude::*;

use crate::error::Problem;
use crate::pg::functions;
use crate::pg::heap;
use crate::pg::others::{Column, OthersRow, OthersTable};
use crate::pg::tables::BETTER_AUTH_TABLES;
use crate::process_local::process_local;
use crate::relcache;
use crate::version;

/// A model of Better Auth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    User,
    Session,
    Jwks,
    ApiKey,
    Organization,
    Member,
    Team,
    TeamMember,
    OrganizationRole,
}

/// The columns of a model that must be bound.
struct Model {
    name: &'static str,
    required: &'static [&'static str],
}

impl What {
    const ALL: [Self; 9] = [
        Self::User,
        Self::Session,
        Self::Jwks,
        Self::ApiKey,
        Self::Organization,
        Self::Member,
        Self::Team,
        Self::TeamMember,
        Self::OrganizationRole,
    ];

    fn model(self) -> Model {
        let (name, required): (_, &[_]) = match self {
            Self::User => (
                "user",
                &["id", "name", "email", "emailVerified", "createdAt"],
            ),
            Self::Session => ("session", &["id", "expiresAt", "token", "userId"]),
            Self::Jwks => ("jwks", &["id", "publicKey"]),
            Self::ApiKey => (
                "apikey",
                &["id", "key", "enabled", "expiresAt", "remaining"],
            ),
            Self::Organization => ("organization", &["id", "name"]),
            Self::Member => ("member", &["id", "organizationId", "userId", "role"]),
            Self::Team => ("team", &["id", "name", "organizationId"]),
            Self::TeamMember => ("teamMember", &["teamId", "userId"]),
            Self::OrganizationRole => (
                "organizationRole",
                &["id", "organizationId", "role", "permission"],
            ),
        };
        Model { name, required }
    }

    /// The value of the column `what` of `better_auth_tables`, and the trigger's argument.
    pub fn name(self) -> &'static str {
        self.model().name
    }

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.name() == name)
    }
}

process_local! {
    static TABLES: RefCell<Option<Rc<Tables>>> = const { RefCell::new(None) };
    /// Set by the invalidation callback, which may not read tables itself.
    static STALE: Cell<bool> = const { Cell::new(true) };
    /// The OIDs whose changes matter: `better_auth_tables`, and the tables in it.
    static WATCHED: Cell<[pg_sys::Oid; What::ALL.len() + 1]> =
        const { Cell::new([pg_sys::InvalidOid; What::ALL.len() + 1]) };
}

/// The rows of `better_auth_tables`.
type Tables = [Option<Listed>; What::ALL.len()];

/// A row, whose table is read when it is first needed.
struct Listed {
    relation: pg_sys::Oid,
    /// Canonical name → name of the column; `None` if the value is malformed.
    columns: Option<HashMap<String, String>>,
    binding: OnceCell<Result<Rc<Binding>, String>>,
}

/// The columns of a bound table.
struct Binding {
    named: Vec<(String, Column)>,
    others: Vec<Column>,
}

/// A bound table that is open.
pub struct Bound {
    table: OthersTable,
    binding: Rc<Binding>,
}

impl Bound {
    pub fn table(&self) -> &OthersTable {
        &self.table
    }

    /// The first result that `read` returns for a row whose column has exactly this text: by an
    /// index, or without a usable one by reading all rows.
    pub fn find<T>(
        &self,
        column: &Column,
        key: &str,
        mut read: impl FnMut(&OthersRow) -> Option<T>,
    ) -> Option<T> {
        if let Ok(found) = self.table.find(column, key, &mut read) {
            return found;
        }
        let mut found = None;
        self.table.each(|row| {
            if found.is_none() && row.text(column).as_deref() == Some(key) {
                found = read(row);
            }
        });
        found
    }

    /// The column of a canonical name, if the table has it.
    pub fn column(&self, canonical: &str) -> Option<&Column> {
        let mut named = self.binding.named.iter();
        named.find_map(|(name, column)| (name == canonical).then_some(column))
    }

    /// A column without which the table would not be bound.
    pub fn required(&self, canonical: &str) -> &Column {
        self.column(canonical)
            .expect("a bound table has the required columns")
    }

    /// The columns with canonical names.
    pub fn named(&self) -> impl Iterator<Item = (&str, &Column)> {
        let named = self.binding.named.iter();
        named.map(|(name, column)| (name.as_str(), column))
    }

    /// The columns without canonical names.
    pub fn others(&self) -> &[Column] {
        &self.binding.others
    }
}

/// Registers for changes of tables.
pub fn define() {
    relcache::on_change(invalidated);
}

fn invalidated(relation: pg_sys::Oid) {
    if relation == pg_sys::InvalidOid || WATCHED.get().contains(&relation) {
        STALE.set(true);
    }
}

/// The table of a model, as it is now; an error if it is not bound or cannot be used.
pub fn bound(what: What) -> Result<Bound, Problem> {
    match bound_if_any(what)? {
        Some(bound) => Ok(bound),
        None => Err(unusable(what, "No table is bound to it.")),
    }
}

/// The same; `None` if no table is bound, such as for a plugin that is not in use.
pub fn bound_if_any(what: What) -> Result<Option<Bound>, Problem> {
    version::agree()?;
    loop {
        let tables = current();
        let Some(listed) = &tables[what as usize] else {
            return Ok(None);
        };
        let table = OthersTable::open(listed.relation);
        // Locking the table may have received the message about its change.
        if STALE.get() {
            continue;
        }
        let Some(table) = table else {
            return Err(unusable(
                what,
                "The table that was found is gone, or is no longer an ordinary table.",
            ));
        };
        let binding = listed
            .binding
            .get_or_init(|| listed.bind(what, &table).map(Rc::new))
            .clone();
        return match binding {
            Ok(binding) => Ok(Some(Bound { table, binding })),
            Err(reason) => Err(unusable(what, &reason)),
        };
    }
}

fn unusable(what: What, reason: &str) -> Problem {
    Problem::UnusableTable {
        model: what.name(),
        reason: reason.to_owned(),
    }
}

/// The rows of `better_auth_tables`, with everything that other sessions have committed.
fn current() -> Rc<Tables> {
    // SAFETY: inside a transaction. A session that holds the lock of a table receives no messages
    // when it locks the table again.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    // Marked as fresh before the reading, so that a change during the reading is not missed.
    if !STALE.replace(false)
        && let Some(tables) = TABLES.with_borrow(Clone::clone)
    {
        return tables;
    }
    TABLES.set(None);
    let mut watched = [pg_sys::InvalidOid; What::ALL.len() + 1];
    watched[What::ALL.len()] = BETTER_AUTH_TABLES.oid();
    WATCHED.set(watched);
    let mut tables: Tables = Default::default();
    heap::each(&BETTER_AUTH_TABLES, |row| {
        let what = row.text(c"what").and_then(What::named);
        let (Some(what), Some(relation)) = (what, row.oid(c"relation")) else {
            return;
        };
        watched[what as usize] = relation;
        let columns = row.jsonb(c"columns");
        tables[what as usize] = Some(Listed {
            relation,
            columns: columns.and_then(|columns| serde_json::from_str(&columns.to_text()).ok()),
            binding: OnceCell::new(),
        });
    });
    WATCHED.set(watched);
    let tables = Rc::new(tables);
    TABLES.set(Some(Rc::clone(&tables)));
    tables
}

impl Listed {
    /// Finds the columns, or says why the table cannot be used.
    fn bind(&self, what: What, table: &OthersTable) -> Result<Binding, String> {
        let trigger = functions::internal(c"better_auth_changed", &[]);
        if !trigger.is_some_and(|function| table.has_trigger(function)) {
            return Err(
                "The table does not carry neon_auth's triggers: somebody dropped them, or it is \
                        another table under the old name."
                    .to_owned(),
            );
        }
        let columns = self
            .columns
            .as_ref()
            .ok_or("Its columns in better_auth_tables are malformed.")?;
        let mut others = table.columns();
        let mut named = Vec::new();
        for (canonical, name) in columns {
            let place = others
                .iter()
                .position(|column| column.name == *name)
                .ok_or_else(|| format!("Its column {} is gone.", crate::error::quoted(name)))?;
            let column = others.remove(place);
            if !fits(canonical, &column) {
                let name = crate::error::quoted(name);
                return Err(format!("The type of its column {name} cannot be read."));
            }
            named.push((canonical.clone(), column));
        }
        for required in what.model().required {
            if !columns.contains_key(*required) {
                return Err(format!("No column is bound to \"{required}\"."));
            }
        }
        Ok(Binding { named, others })
    }
}

/// Whether a column has a type that its canonical name can have.
fn fits(canonical: &str, column: &Column) -> bool {
    match canonical {
        "id" | "userId" | "organizationId" | "teamId" | "referenceId" => column.is_id(),
        "remaining" => column.is_integer(),
        "emailVerified" | "banned" | "isAnonymous" | "enabled" => column.is_boolean(),
        "createdAt" | "updatedAt" | "expiresAt" | "banExpires" => column.is_time(),
        _ => true,
    }
}

/// `neon_auth_internal.better_auth_defect(what)`: why a bound table cannot be used; NULL if it can,
/// or if none is bound.
#[pg_extern(sql = false)]
fn better_auth_defect(what: &str) -> Option<String> {
    let what = What::named(what)?;
    match bound_if_any(what) {
        Ok(_) => None,
        Err(Problem::UnusableTable { reason, .. }) => Some(reason),
        Err(problem) => Some(problem.sentence()),
    }
}
