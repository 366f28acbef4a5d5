//! The tables that are read without SQL, each named once, and their OIDs.
//!
//! Schema neon_auth can belong to another role, which can rename it and create another one of that name.
//! So no name is looked up in it: a table is found by the view of its name in neon_auth_internal, which
//! refers to it by OID, and an index among those of its table.

use std::ffi::CStr;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgList, PgLogLevel, PgRelation, pg_sys};

use crate::error::Problem;
use crate::version;

/// A table.
pub struct Relation {
    pub name: &'static CStr,
}

/// An index of a table.
pub struct Index {
    name: &'static CStr,
    /// What follows the table in CREATE INDEX; empty for the index of a constraint, which cannot be dropped.
    columns: &'static str,
}

/// The table whose owner stands for the extension's.
pub const PROVIDERS: Relation = table(c"providers");
pub const JWKS_CACHE: Relation = table(c"jwks_cache");
pub const REVOCATIONS: Relation = table(c"revocations");
pub const BETTER_AUTH_TABLES: Relation = table(c"better_auth_tables");
pub const PERMISSION_DEFINITIONS: Relation = table(c"permission_definitions");
/// A sequence.
pub const MIRROR_GAPS_UNRECORDED: Relation = table(c"mirror_gaps_unrecorded");

pub const USERS: Relation = table(c"users_sync");
pub const SYNC_SCAN: Relation = table(c"sync_scan");
pub const SYNC_SCAN_USERS: Relation = table(c"sync_scan_users");

/// The tables of the mirror, by what they are about.
pub const MIRROR_OF_USERS: [Relation; 2] = [USERS, table(c"project_permissions_sync")];
pub const MIRROR_OF_TEAMS: [Relation; 1] = [table(c"teams_sync")];
pub const MIRROR_OF_MEMBERS: [Relation; 2] =
    [table(c"team_members_sync"), table(c"team_permissions_sync")];

/// A table and its index for look-ups: the primary key, or a smaller index, or one that begins with
/// the user, whose entries are adjacent. Data in the processor's cache costs half.
pub const INDEXED: [(Relation, Index); 13] = [
    (USERS, key(c"users_sync_pkey")),
    (table(c"teams_sync"), key(c"teams_sync_pkey")),
    (
        table(c"teams_sync"),
        index(
            c"teams_sync_deleted_idx",
            "(id) WHERE deleted_at IS NOT NULL",
        ),
    ),
    (
        table(c"team_members_sync"),
        index(c"team_members_sync_user_id_idx", "(user_id, team_id)"),
    ),
    (
        table(c"team_permissions_sync"),
        index(c"team_permissions_sync_user_id_idx", "(user_id, team_id)"),
    ),
    (
        table(c"project_permissions_sync"),
        key(c"project_permissions_sync_pkey"),
    ),
    (
        table(c"permission_closure"),
        key(c"permission_closure_pkey"),
    ),
    (
        table(c"webhook_deliveries"),
        key(c"webhook_deliveries_pkey"),
    ),
    (table(c"secrets"), key(c"secrets_pkey")),
    (table(c"api_keys"), key(c"api_keys_hash_key")),
    (table(c"api_keys"), key(c"api_keys_pkey")),
    (table(c"api_key_uses"), key(c"api_key_uses_pkey")),
    (REVOCATIONS, key(c"revocations_pkey")),
];

const fn table(name: &'static CStr) -> Relation {
    Relation { name }
}

const fn key(name: &'static CStr) -> Index {
    index(name, "")
}

const fn index(name: &'static CStr, columns: &'static str) -> Index {
    Index { name, columns }
}

impl Relation {
    /// The OID of a table or sequence of neon_auth_internal, whatever version the extension has; `None` if
    /// it does not exist.
    pub fn oid_in_any_version(&self) -> Option<pg_sys::Oid> {
        // SAFETY: catalog look-ups inside a transaction.
        let relation = unsafe {
            let schema = pg_sys::get_namespace_oid(c"neon_auth_internal".as_ptr(), true);
            pg_sys::get_relname_relid(self.name.as_ptr(), schema)
        };
        (relation != pg_sys::InvalidOid).then_some(relation)
    }

    /// Its OID. Raises 55000 if the extension does not have this library's version, and 3F000 or
    /// 42P01 if the relation does not exist.
    pub fn oid(&self) -> pg_sys::Oid {
        version::demand();
        // SAFETY: catalog look-ups inside a transaction.
        unsafe {
            let schema = pg_sys::get_namespace_oid(c"neon_auth_internal".as_ptr(), false);
            let relation = pg_sys::get_relname_relid(self.name.as_ptr(), schema);
            if relation == pg_sys::InvalidOid {
                pgrx::ereport!(
                    ERROR,
                    pgrx::PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                    "the tables of neon_auth are missing",
                    "Run: CREATE EXTENSION neon_auth;"
                );
            }
            if pg_sys::get_rel_relkind(relation) as u8 == pg_sys::RELKIND_VIEW {
                table_of(relation)
            } else {
                relation
            }
        }
    }
}

/// The table that a view of one table reads.
///
/// # Safety
/// A transaction must be under way, and the OID be that of a view of one table.
unsafe fn table_of(view: pg_sys::Oid) -> pg_sys::Oid {
    // SAFETY: as the caller promises, the OID is that of a view of one table, so its query has that one entry;
    // the view is locked meanwhile.
    unsafe {
        let view = PgRelation::with_lock(view, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let query = pg_sys::get_view_query(view.as_ptr());
        let from = (*(*query).jointree).fromlist;
        let table: *mut pg_sys::RangeTblRef = pg_sys::list_nth(from, 0).cast();
        let entry: *mut pg_sys::RangeTblEntry =
            pg_sys::list_nth((*query).rtable, (*table).rtindex - 1).cast();
        (*entry).relid
    }
}

impl Index {
    /// Its OID. Raises 42704 where the table has no index of the name.
    ///
    /// # Safety
    /// The table must be open.
    pub unsafe fn oid(&self, table: pg_sys::Relation) -> pg_sys::Oid {
        // SAFETY: a list of OIDs and names in the current memory context.
        let (found, name) = unsafe {
            let indexes = PgList::<pg_sys::Oid>::from_pg(pg_sys::RelationGetIndexList(table));
            let found = indexes.iter_oid().find(|&index| {
                let name = pg_sys::get_rel_name(index);
                !name.is_null() && CStr::from_ptr(name) == self.name
            });
            (
                found,
                CStr::from_ptr((*(*table).rd_rel).relname.data.as_ptr()),
            )
        };
        if let Some(index) = found {
            return index;
        }
        let problem = Problem::MissingIndex {
            table: name.to_string_lossy().into_owned(),
            index: self.name.to_string_lossy().into_owned(),
            columns: self.columns,
        };
        ErrorReport::from(problem).report(PgLogLevel::ERROR);
        unreachable!("an ERROR does not return")
    }
}
