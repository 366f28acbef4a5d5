//! Runs a statement on a table of another role, with only that role's rights.
//!
//! A statement executes what the table's owner has attached to the table: triggers, CHECKs, defaults,
//! functions of indexes, row-level security. Run with the extension owner's rights, these could do
//! everything. So it runs as the table's owner, in a security-restricted operation, as PostgreSQL runs
//! the functions of indexes in `REINDEX`:
//!
//! - `SET ROLE`, `RESET ROLE` and `SET SESSION AUTHORIZATION` are refused, and so are temporary
//!   tables and whatever else would outlive the statement in this session;
//! - a deferred trigger is refused, because it would run at the end of the transaction, with the
//!   rights of the user of that moment;
//! - settings that its code makes are undone.
//!
//! Row-level security that the owner forces upon itself is set aside.

use pgrx::iter::SetOfIterator;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{pg_extern, pg_sys};

use super::pinned::Pinned;
use super::raised::passes_errors;
use super::spi;
use crate::error::Problem;

/// `neon_auth_internal.as_owner(relation, statement, arguments)`: the first column of each row.
#[pg_extern(sql = false)]
fn as_owner(
    relation: pg_sys::Oid,
    statement: &str,
    arguments: Vec<Option<String>>,
) -> Result<SetOfIterator<'static, Option<String>>, ErrorReport> {
    let owner = owner_of_table(relation)?;
    let arguments: Vec<Option<&str>> = arguments.iter().map(Option::as_deref).collect();
    // SAFETY: PostgreSQL calls this in a transaction; after an ERROR its abort restores everything.
    let rows = unsafe {
        let outer_context = pg_sys::CurrentMemoryContext;
        let pinned = Pinned::enter(
            owner,
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
    Ok(SetOfIterator::new(rows))
}

passes_errors! {
    neon_auth_as_owner, pg_finfo_neon_auth_as_owner => as_owner_wrapper;
}

/// The owner of an ordinary table. The table stays locked until the transaction ends, so that it
/// keeps its owner and its name.
fn owner_of_table(relation: pg_sys::Oid) -> Result<pg_sys::Oid, Problem> {
    // SAFETY: an open relation has its pg_class row, and is closed.
    unsafe {
        let open = pg_sys::try_relation_open(relation, pg_sys::AccessShareLock as i32);
        if open.is_null() {
            return Err(Problem::NotATable {
                relation: format!("with OID {}", relation.to_u32()),
                is: "does not exist",
            });
        }
        let class = &*(*open).rd_rel;
        let (owner, kind) = (class.relowner, class.relkind as u8);
        let is_partition = class.relispartition;
        let name = std::ffi::CStr::from_ptr(class.relname.data.as_ptr());
        let name = name.to_string_lossy().into_owned();
        pg_sys::relation_close(open, pg_sys::NoLock as i32);
        if kind == pg_sys::RELKIND_RELATION && !is_partition {
            return Ok(owner);
        }
        Err(Problem::NotATable {
            relation: crate::error::quoted(&name),
            is: if is_partition {
                "is a partition"
            } else {
                "is another kind of relation"
            },
        })
    }
}

/// # Safety
/// After a statement that SPI has executed, before `SPI_finish`.
unsafe fn first_column() -> Vec<Option<String>> {
    unsafe {
        let table = pg_sys::SPI_tuptable;
        if table.is_null() {
            return Vec::new();
        }
        let count = pg_sys::SPI_processed as usize;
        (0..count)
            .map(|row| {
                let text = pg_sys::SPI_getvalue(*(*table).vals.add(row), (*table).tupdesc, 1);
                (!text.is_null()).then(|| {
                    std::ffi::CStr::from_ptr(text)
                        .to_string_lossy()
                        .into_owned()
                })
            })
            .collect()
    }
}
