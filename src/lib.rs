//! `CREATE EXTENSION neon_auth`: the users of Neon Auth as rows, tokens verified inside the
//! database, and row-level security policies that name the signed-in user.
//!
//! The SQL objects are defined in `sql/`, one file per subject, with signature, privileges and
//! comment of each object side by side; Rust contains their implementation.

use pgrx::prelude::*;

mod background;
mod clock;
mod error;
mod hosts;
mod http;
mod identity;
mod kind;
mod mirror;
mod old_servers;
mod pg;
mod process_local;
mod provider;
mod refused_for;
mod relcache;
mod see;
mod service;
mod session;
mod settings;
mod shared;
mod version;
mod worker;

pg_module_magic!(name, version);

extension_sql_file!("../sql/schemas.sql", bootstrap);
extension_sql_file!("../sql/mirror/users.sql", requires = ["schemas"]);
extension_sql_file!("../sql/mirror/teams.sql", requires = ["users"]);
extension_sql_file!("../sql/providers.sql", requires = ["teams"]);
extension_sql_file!("../sql/trust.sql", requires = ["providers"]);
extension_sql_file!("../sql/revocations.sql", requires = ["trust"]);
extension_sql_file!("../sql/keys.sql", requires = ["revocations"]);
extension_sql_file!("../sql/secrets.sql", requires = ["keys"]);
extension_sql_file!("../sql/identity.sql", requires = ["secrets"]);
extension_sql_file!("../sql/roles.sql", requires = ["identity"]);
extension_sql_file!("../sql/as_owner.sql", requires = ["roles"]);
extension_sql_file!("../sql/mirror/objects.sql", requires = ["as_owner"]);
extension_sql_file!("../sql/mirror/source.sql", requires = ["objects"]);
extension_sql_file!(
    "../sql/mirror/permissions.sql",
    name = "mirror_permissions",
    requires = ["source"]
);
extension_sql_file!(
    "../sql/mirror/readers.sql",
    requires = ["mirror_permissions"]
);
extension_sql_file!("../sql/api_keys.sql", requires = ["readers"]);
extension_sql_file!(
    "../sql/better_auth/tables.sql",
    name = "better_auth_tables",
    requires = ["api_keys"]
);
extension_sql_file!("../sql/stack/limits.sql", requires = ["better_auth_tables"]);
extension_sql_file!("../sql/stack/issuers.sql", requires = ["limits"]);
extension_sql_file!("../sql/stack/configure.sql", requires = ["issuers"]);
extension_sql_file!(
    "../sql/stack/permissions.sql",
    name = "stack_permissions",
    requires = ["configure"]
);
extension_sql_file!(
    "../sql/stack/ordering.sql",
    requires = ["stack_permissions"]
);
extension_sql_file!("../sql/stack/events.sql", requires = ["ordering"]);
extension_sql_file!("../sql/stack/webhook.sql", requires = ["events"]);
extension_sql_file!("../sql/stack/runs.sql", requires = ["webhook"]);
extension_sql_file!("../sql/stack/sync.sql", requires = ["runs"]);
extension_sql_file!("../sql/stack/members.sql", requires = ["sync"]);
extension_sql_file!("../sql/stack/queue.sql", requires = ["members"]);
extension_sql_file!("../sql/stack/console.sql", requires = ["queue"]);
extension_sql_file!(
    "../sql/better_auth/find.sql",
    name = "better_auth_find",
    requires = ["console"]
);
extension_sql_file!(
    "../sql/better_auth/permissions.sql",
    name = "better_auth_permissions",
    requires = ["better_auth_find"]
);
extension_sql_file!(
    "../sql/better_auth/configure.sql",
    name = "better_auth_configure",
    requires = ["better_auth_permissions"]
);
extension_sql_file!(
    "../sql/better_auth/sessions.sql",
    name = "better_auth_sessions",
    requires = ["better_auth_configure"]
);
extension_sql_file!(
    "../sql/better_auth/migrate.sql",
    name = "better_auth_migrate",
    requires = ["better_auth_sessions"]
);
extension_sql_file!(
    "../sql/configure.sql",
    name = "configure_services",
    requires = ["better_auth_migrate"]
);
extension_sql_file!(
    "../sql/better_auth/gaps.sql",
    name = "better_auth_gaps",
    requires = ["configure_services"]
);
extension_sql_file!("../sql/worker.sql", requires = ["better_auth_gaps"]);
extension_sql_file!(
    "../sql/better_auth/mirror.sql",
    name = "better_auth_mirror",
    requires = ["worker"]
);
extension_sql_file!(
    "../sql/better_auth/sync.sql",
    name = "better_auth_sync",
    requires = ["better_auth_mirror"]
);
extension_sql_file!("../sql/status.sql", requires = ["better_auth_sync"]);
extension_sql_file!(
    "../sql/see/evaluate.sql",
    name = "see_evaluate",
    requires = ["status"]
);
extension_sql_file!("../sql/see/test_users.sql", requires = ["see_evaluate"]);
extension_sql_file!(
    "../sql/see/advice/roles.sql",
    name = "advice_roles",
    requires = ["test_users"]
);
extension_sql_file!(
    "../sql/see/advice/relations.sql",
    name = "advice_relations",
    requires = ["advice_roles"]
);
extension_sql_file!(
    "../sql/see/advice/conditions.sql",
    name = "advice_conditions",
    requires = ["advice_relations"]
);
extension_sql_file!(
    "../sql/see/advice/tables.sql",
    name = "advice_tables",
    requires = ["advice_conditions"]
);
extension_sql_file!(
    "../sql/see/advice/policies.sql",
    name = "advice_policies",
    requires = ["advice_tables"]
);
extension_sql_file!(
    "../sql/see/advice/mistakes.sql",
    name = "advice_mistakes",
    requires = ["advice_policies"]
);
extension_sql_file!(
    "../sql/see/advice/privileges.sql",
    name = "advice_privileges",
    requires = ["advice_mistakes"]
);
extension_sql_file!(
    "../sql/see/advice/bypasses.sql",
    name = "advice_bypasses",
    requires = ["advice_privileges"]
);
extension_sql_file!(
    "../sql/see/advice/speed.sql",
    name = "advice_speed",
    requires = ["advice_bypasses"]
);
extension_sql_file!(
    "../sql/see/advice/service.sql",
    name = "advice_service",
    requires = ["advice_speed"]
);
extension_sql_file!("../sql/see/advice.sql", requires = ["advice_service"]);
extension_sql_file!(
    "../sql/see/explain/rows.sql",
    name = "explain_rows",
    requires = ["advice"]
);
extension_sql_file!(
    "../sql/see/explain/privileges.sql",
    name = "explain_privileges",
    requires = ["explain_rows"]
);
extension_sql_file!(
    "../sql/see/explain/defaults.sql",
    name = "explain_defaults",
    requires = ["explain_privileges"]
);
extension_sql_file!(
    "../sql/see/explain/policies.sql",
    name = "explain_policies",
    requires = ["explain_defaults"]
);
extension_sql_file!(
    "../sql/see/explain/constraints.sql",
    name = "explain_constraints",
    requires = ["explain_policies"]
);
extension_sql_file!(
    "../sql/see/explain/references.sql",
    name = "explain_references",
    requires = ["explain_constraints"]
);
extension_sql_file!(
    "../sql/see/explain/triggers.sql",
    name = "explain_triggers",
    requires = ["explain_references"]
);
extension_sql_file!(
    "../sql/see/explain/users.sql",
    name = "explain_users",
    requires = ["explain_triggers"]
);
extension_sql_file!("../sql/see/explain.sql", requires = ["explain_users"]);
extension_sql_file!("../sql/see/access_report.sql", requires = ["explain"]);
extension_sql_file!("../sql/internal_views.sql", requires = ["access_report"]);
extension_sql_file!("../sql/shared_schema.sql", requires = ["internal_views"]);
extension_sql_file!("../sql/grants.sql", requires = ["shared_schema"]);
extension_sql_file!("../sql/move_in.sql", requires = ["grants"]);

/// Runs once in every process that loads the library.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    pg::raised::keep_backtraces_in_the_log();
    version::define();
    settings::define();
    session::define();
    provider::define();
    pg::index::define();
    settings::reserve_prefix();
    // SAFETY: reads a variable of this process.
    if unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        shared::define();
        provider::share_signatures();
        worker::define();
    }
}
