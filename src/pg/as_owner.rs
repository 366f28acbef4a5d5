//! Runs a statement on a table of another role, with only that role's rights.
//!
//! A statement executes what the table's owner has attached to the table: triggers, CHECKs, defaults,
//! functions of indexes, row-level security. Run with the extension owner's rights, these could do
//! everything. So it runs as the table's owner, in a security-restricted operation, as PostgreSQL runs
//! the functions of indexes in `REINDEX`:
//!
//! - `SET ROLE`, `RESET ROLE`, `SET SESSION AUTHORIZATION` and temporary tables are refused;
//! - a deferred trigger is refused, because it would run at the end of the transaction, with the
//!   rights of the user of that moment;
//! - settings that its code makes are undone.
//!
//! Other things outlive the statement in the caller's session, as after any function of another role
//! that the caller runs: session-level advisory locks until they are released, cursors until the
//! transaction ends, cached values of sequences. The code can also read `current_query()`, so the
//! text of the caller's statement must not contain a secret, and settings, custom ones too.
//!
//! Row-level security that the owner forces upon itself is set aside.
//!
//! A query on the table also reads the tables that inherit from it, its partitions. When it is planned, constant
//! expressions of their indexes and CHECKs are evaluated, which is code of their owners. So each of these must have
//! the rights of the table's owner anyway.
//!
//! The statement names the table by a text that was made before the table is locked here. A lock keeps
//! the name of the table but not that of its schema, whose owner can rename it and put another table
//! in its place; so the name is looked up before and after the statement.

use std::ffi::{CStr, CString, c_char};

use pgrx::iter::SetOfIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{pg_extern, pg_sys};

use super::heirs::heirs;
use super::pinned::Pinned;
use super::raised::passes_errors;
use super::spi::{self, Argument};
use crate::error::Problem;

/// `neon_auth_internal.as_owner(relation, statement, arguments)`: the first column of each row.
#[pg_extern(sql = false)]
fn as_owner(
    relation: pg_sys::Oid,
    statement: &str,
    arguments: Vec<Option<String>>,
) -> Result<SetOfIterator<'static, Option<String>>, ErrorReport> {
    let table = Table::lock(relation, Kinds::Ordinary)?;
    Ok(SetOfIterator::new(run(&table, statement, &arguments)?))
}

/// `neon_auth_internal.read_as_owner(relation, statement, arguments)`: the same for a SELECT, whose table may also
/// be partitioned or a partition.
#[pg_extern(sql = false)]
fn read_as_owner(
    relation: pg_sys::Oid,
    statement: &str,
    arguments: Vec<Option<String>>,
) -> Result<SetOfIterator<'static, Option<String>>, ErrorReport> {
    debug_assert!(statement.starts_with("SELECT "), "it only reads");
    let table = Table::lock(relation, Kinds::WithPolicies)?;
    Ok(SetOfIterator::new(run(&table, statement, &arguments)?))
}

fn run(
    table: &Table,
    statement: &str,
    arguments: &[Option<String>],
) -> Result<Vec<Option<String>>, Problem> {
    // SET CONSTRAINTS names a constraint, and reads and writes no table itself.
    if !statement.starts_with("SET CONSTRAINTS ") && !statement.contains(&table.qualified()) {
        return Err(table.renamed());
    }
    table.check_name()?;
    let arguments = arguments.iter().map(Option::as_deref);
    let arguments: Vec<Argument> = arguments.map(Argument::Text).collect();
    // SAFETY: PostgreSQL calls this in a transaction; after an ERROR its abort restores everything.
    let rows = unsafe {
        let outer_context = pg_sys::CurrentMemoryContext;
        let pinned = Pinned::enter(
            table.owner,
            pg_sys::SECURITY_RESTRICTED_OPERATION | pg_sys::SECURITY_NOFORCE_RLS,
        );
        pg_sys::SPI_connect();
        spi::execute(statement, &arguments, false);
        let rows = first_column();
        pg_sys::SPI_finish();
        pg_sys::MemoryContextSwitchTo(outer_context);
        pinned.leave_without_settings();
        rows
    };
    table.check_name()?;
    Ok(rows)
}

passes_errors! {
    neon_auth_as_owner, pg_finfo_neon_auth_as_owner => as_owner_wrapper;
    neon_auth_read_as_owner, pg_finfo_neon_auth_read_as_owner => read_as_owner_wrapper;
}

/// Which tables a statement may be on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kinds {
    Ordinary,
    /// Partitioned tables and partitions too.
    WithPolicies,
}

/// A table, which stays locked until the transaction ends, so that it keeps its owner and its name.
struct Table {
    oid: pg_sys::Oid,
    owner: pg_sys::Oid,
    schema: CString,
    name: CString,
}

impl Table {
    fn lock(oid: pg_sys::Oid, kinds: Kinds) -> Result<Self, Problem> {
        // SAFETY: an open relation has its pg_class row, and is closed; its schema exists.
        unsafe {
            let open = pg_sys::try_relation_open(oid, pg_sys::AccessShareLock as i32);
            if open.is_null() {
                return Err(Problem::NotATable {
                    relation: format!("with OID {}", oid.to_u32()),
                    is: "does not exist",
                });
            }
            let class = &*(*open).rd_rel;
            let (kind, is_partition) = (class.relkind as u8, class.relispartition);
            let schema = pg_sys::get_namespace_name(class.relnamespace);
            let table = Self {
                oid,
                owner: class.relowner,
                schema: CStr::from_ptr(schema).to_owned(),
                name: CStr::from_ptr(class.relname.data.as_ptr()).to_owned(),
            };
            pg_sys::relation_close(open, pg_sys::NoLock as i32);
            table.check_heirs()?;
            let fits = match kinds {
                Kinds::Ordinary => kind == pg_sys::RELKIND_RELATION && !is_partition,
                Kinds::WithPolicies => {
                    kind == pg_sys::RELKIND_RELATION || kind == pg_sys::RELKIND_PARTITIONED_TABLE
                }
            };
            if fits {
                return Ok(table);
            }
            Err(Problem::NotATable {
                relation: crate::error::quoted(&table.name.to_string_lossy()),
                is: if is_partition {
                    "is a partition"
                } else {
                    "is another kind of relation"
                },
            })
        }
    }

    /// Locks the tables that inherit from it, and fails if the owner of one lacks the rights of this one's owner.
    unsafe fn check_heirs(&self) -> Result<(), Problem> {
        // SAFETY: the table is locked, so it and its heirs exist, with owners; names are C strings in this
        // memory context, which are copied.
        unsafe {
            for heir in heirs(self.oid) {
                if !pg_sys::has_privs_of_role(spi::owner_of(heir), self.owner) {
                    let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(heir));
                    let owner = pg_sys::GetUserNameFromId(self.owner, false);
                    return Err(Problem::HeirOfOthers {
                        table: self.qualified(),
                        heir: qualified(schema, pg_sys::get_rel_name(heir)),
                        owner: CStr::from_ptr(pg_sys::quote_identifier(owner))
                            .to_string_lossy()
                            .into_owned(),
                    });
                }
            }
        }
        Ok(())
    }

    /// As regclass writes it while `search_path` does not contain the schema.
    fn qualified(&self) -> String {
        // SAFETY: two names.
        unsafe { qualified(self.schema.as_ptr(), self.name.as_ptr()) }
    }

    /// Fails if the name is that of another table now.
    fn check_name(&self) -> Result<(), Problem> {
        // SAFETY: look-ups in the catalog, inside a transaction.
        let found = unsafe {
            pg_sys::AcceptInvalidationMessages();
            let schema = pg_sys::get_namespace_oid(self.schema.as_ptr(), true);
            pg_sys::get_relname_relid(self.name.as_ptr(), schema)
        };
        if found == self.oid {
            Ok(())
        } else {
            Err(self.renamed())
        }
    }

    fn renamed(&self) -> Problem {
        Problem::RenamedTable {
            table: self.qualified(),
        }
    }
}

/// # Safety
/// Of the names of a schema and of a table in it.
unsafe fn qualified(schema: *const c_char, table: *const c_char) -> String {
    // SAFETY: as the caller promises, two names, which are C strings; the quoted text is copied.
    unsafe {
        let text = pg_sys::quote_qualified_identifier(schema, table);
        CStr::from_ptr(text).to_string_lossy().into_owned()
    }
}

/// # Safety
/// After a statement that SPI has executed, before `SPI_finish`.
unsafe fn first_column() -> Vec<Option<String>> {
    // SAFETY: as the caller promises, SPI has executed a statement, so its table is NULL or lives until
    // SPI_finish; texts are copied.
    unsafe {
        let table = pg_sys::SPI_tuptable;
        if table.is_null() {
            return Vec::new();
        }
        let count = pg_sys::SPI_processed as usize;
        (0..count)
            .map(|row| {
                let text = pg_sys::SPI_getvalue(*(*table).vals.add(row), (*table).tupdesc, 1);
                (!text.is_null()).then(|| CStr::from_ptr(text).to_string_lossy().into_owned())
            })
            .collect()
    }
}
