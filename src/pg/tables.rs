//! The tables that are read without SQL, each named once with its schema.

use std::ffi::CStr;

use pgrx::pg_sys;

use crate::version;

/// The schema of the objects for administrators.
const OFFERED: &CStr = c"neon_auth";
/// The schema of all internal objects.
const INTERNAL: &CStr = c"neon_auth_internal";

/// A table, or one of its indexes.
pub struct Relation {
    schema: &'static CStr,
    pub name: &'static CStr,
}

/// The table whose owner stands for the extension's.
pub const PROVIDERS: Relation = offered(c"providers");
pub const JWKS_CACHE: Relation = offered(c"jwks_cache");

/// A table and its index for look-ups: the primary key, or a smaller index, or one that begins with
/// the user, whose entries are adjacent. Data in the processor's cache costs half.
pub const INDEXED: [[Relation; 2]; 9] = [
    [offered(c"users_sync"), offered(c"users_sync_pkey")],
    [offered(c"teams_sync"), offered(c"teams_sync_pkey")],
    [offered(c"teams_sync"), offered(c"teams_sync_deleted_idx")],
    [
        offered(c"team_members_sync"),
        offered(c"team_members_sync_user_id_idx"),
    ],
    [
        offered(c"team_permissions_sync"),
        offered(c"team_permissions_sync_user_id_idx"),
    ],
    [
        offered(c"project_permissions_sync"),
        offered(c"project_permissions_sync_pkey"),
    ],
    [
        internal(c"permission_closure"),
        internal(c"permission_closure_pkey"),
    ],
    [
        offered(c"webhook_deliveries"),
        offered(c"webhook_deliveries_pkey"),
    ],
    [internal(c"secrets"), internal(c"secrets_pkey")],
];

const fn offered(name: &'static CStr) -> Relation {
    Relation {
        schema: OFFERED,
        name,
    }
}

const fn internal(name: &'static CStr) -> Relation {
    Relation {
        schema: INTERNAL,
        name,
    }
}

impl Relation {
    /// Its OID. Raises 55000 if the extension does not have this library's version, and 3F000 or
    /// 42P01 if the relation does not exist.
    pub fn oid(&self) -> pg_sys::Oid {
        version::demand();
        // SAFETY: catalog look-ups inside a transaction.
        let relation = unsafe {
            let schema = pg_sys::get_namespace_oid(self.schema.as_ptr(), false);
            pg_sys::get_relname_relid(self.name.as_ptr(), schema)
        };
        if relation == pg_sys::InvalidOid {
            pgrx::ereport!(
                ERROR,
                pgrx::PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE,
                "the tables of neon_auth are missing",
                "Run: CREATE EXTENSION neon_auth;"
            );
        }
        relation
    }
}
