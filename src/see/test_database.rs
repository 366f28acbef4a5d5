//! Whether the database is marked for tests.

use pgrx::prelude::*;

use crate::settings::TEST_DATABASE;

/// `neon_auth_internal.is_test_database()`: the setting, which no role may have invented before the library was loaded.
#[pg_extern(sql = false)]
fn is_test_database() -> bool {
    TEST_DATABASE.get()
}
