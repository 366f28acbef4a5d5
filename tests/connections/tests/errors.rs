//! Errors reach the client as they were raised, also those of somebody else's triggers, and none has
//! a backtrace for its DETAIL. The server is asked for backtraces throughout.

use std::collections::BTreeSet;

use neon_auth_connections::{Cluster, SYNC, World};
use neon_auth_stack::{Endpoint, NewUser};
use postgres::error::{DbError, SqlState};
use serde_json::json;

/// Functions that any trigger on the extension's tables may call.
const TRIGGERS: &str = "
CREATE FUNCTION public.object() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'ZZ001', MESSAGE = 'the trigger objects',
        DETAIL = 'A detail of its own.', HINT = 'A hint of its own.',
        CONSTRAINT = 'its_rule', TABLE = 'its_table', SCHEMA = 'its_schema', COLUMN = 'its_column';
END $$";

fn world(cluster: &Cluster) -> World {
    let world = World::in_server(cluster.server());
    world.accept_webhooks();
    world.superuser().run(TRIGGERS);
    world
}

/// An error that is the trigger's, whole.
#[track_caller]
fn assert_is_the_triggers(of: &str, error: &DbError) {
    assert_eq!(error.code().code(), "ZZ001", "{of}: {error:?}");
    assert_eq!(error.message(), "the trigger objects", "{of}");
    assert_eq!(error.detail(), Some("A detail of its own."), "{of}");
    assert_eq!(error.hint(), Some("A hint of its own."), "{of}");
    assert_eq!(error.constraint(), Some("its_rule"), "{of}");
    assert_eq!(error.table(), Some("its_table"), "{of}");
    assert_eq!(error.schema(), Some("its_schema"), "{of}");
    assert_eq!(error.column(), Some("its_column"), "{of}");
    let context = error.where_().unwrap_or_default();
    assert!(
        context.contains("object() line 3 at RAISE"),
        "{of}: {context}"
    );
}

/// Each function that is offered and writes tables, with the table whose trigger objects.
fn calls(world: &World) -> Vec<(&'static str, &'static str, String)> {
    let keys = world.stack.keys_response().to_string();
    let user = world
        .stack
        .sign_up(NewUser::named("webhook", "webhook@example.com"));
    let sent = world.stack.messages();
    let delivery = world.stack.delivery(&sent.last().expect("an event").id);
    let headers = json!(delivery.headers).to_string();
    let (body, id) = (&delivery.body, user["id"].as_str().expect("an id"));
    vec![
        ("upsert_user", "neon_auth.users_sync", format!("SELECT neon_auth.upsert_user('{{\"id\": \"{id}\"}}')")),
        ("upsert_users", "neon_auth.users_sync", format!("SELECT neon_auth.upsert_users('[{{\"id\": \"{id}\"}}]')")),
        ("delete_user", "neon_auth.users_sync", "SELECT neon_auth.delete_user('there')".to_owned()),
        ("upsert_team", "neon_auth.teams_sync", "SELECT neon_auth.upsert_team('{\"id\": \"t\"}')".to_owned()),
        ("upsert_teams", "neon_auth.teams_sync", "SELECT neon_auth.upsert_teams('[{\"id\": \"t\"}]')".to_owned()),
        ("delete_team", "neon_auth.teams_sync", "SELECT neon_auth.delete_team('there')".to_owned()),
        (
            "handle_webhook",
            "neon_auth.users_sync",
            format!("SELECT neon_auth.handle_webhook($b${body}$b$, $h${headers}$h$)"),
        ),
        (
            "postgrest_webhook",
            "neon_auth.users_sync",
            format!("BEGIN; SET LOCAL request.headers = $h${headers}$h$; SELECT neon_auth.postgrest_webhook($b${body}$b$)"),
        ),
        ("prune_webhook_deliveries", "neon_auth.webhook_deliveries", "SELECT neon_auth.prune_webhook_deliveries('0')".to_owned()),
        ("configure", "neon_auth.providers", format!("SELECT neon_auth.configure($k${keys}$k$)")),
        (
            "add_provider",
            "neon_auth.providers",
            "SELECT neon_auth.add_provider('other', '{https://other.example}', '{app}', 'https://other.example/keys')".to_owned(),
        ),
        ("drop_provider", "neon_auth.providers", "SELECT neon_auth.drop_provider('stack')".to_owned()),
        ("set_secret", "neon_auth_internal.secrets", "SELECT neon_auth.set_secret('webhook_secret', 'whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA')".to_owned()),
        ("create_api_key", "neon_auth_internal.api_keys", "SELECT neon_auth.create_api_key('there', 'other')".to_owned()),
        ("revoke_api_key", "neon_auth_internal.api_keys", "SELECT neon_auth.revoke_api_key(id) FROM neon_auth.api_keys".to_owned()),
        ("revoke_tokens", "neon_auth_internal.revocations", "SELECT neon_auth.revoke_tokens('there')".to_owned()),
        ("revoke_session", "neon_auth_internal.revocations", "SELECT neon_auth.revoke_session('there')".to_owned()),
        ("sync", "neon_auth.users_sync", SYNC.to_owned()),
        (
            "make_test_users",
            "neon_auth.users_sync",
            "BEGIN; SET LOCAL neon_auth.test_database = on; SELECT neon_auth.make_test_users(1)".to_owned(),
        ),
    ]
}

/// Those that write no table, or have a worker of their own do it, or need the Neon console or the tables
/// of Better Auth.
const OTHERS: [&str; 14] = [
    "access_map",
    "access_report",
    "add_better_auth",
    "claim_url",
    "create_keys",
    "explain_policy",
    "inspect_jwt",
    "migrate_to_better_auth",
    "refresh_jwks",
    "revoke_sessions",
    "sdk_env",
    "setup_roles",
    "verify_jwt",
    "erase_user",
];

#[test]
fn a_triggers_error_arrives_as_it_was_raised() {
    let cluster = Cluster::with_backtraces("");
    let world = world(&cluster);
    let mut session = world.superuser();
    session.run("SELECT neon_auth.upsert_user('{\"id\": \"there\"}')");
    session.run("SELECT neon_auth.upsert_team('{\"id\": \"there\"}')");
    session.run("SELECT neon_auth.create_api_key('there', 'one')");
    world
        .stack
        .sign_up(NewUser::named("first", "first@example.com"));
    assert_eq!(world.deliver_last(), "applied");
    let calls = calls(&world);
    for kind in [
        "TRIGGER object BEFORE INSERT OR UPDATE OR DELETE ON {} FOR EACH ROW",
        "CONSTRAINT TRIGGER object AFTER INSERT OR UPDATE OR DELETE ON {} DEFERRABLE INITIALLY DEFERRED FOR EACH ROW",
    ] {
        for (function, table, call) in &calls {
            let trigger = kind.replace("{}", table);
            session.run(&format!(
                "CREATE {trigger} EXECUTE FUNCTION public.object()"
            ));
            let error = if call.starts_with("BEGIN") {
                session.run_refused(&format!("{call}; COMMIT"))
            } else {
                session.run_refused(call)
            };
            assert_is_the_triggers(function, &error);
            session.run(&format!("ROLLBACK; DROP TRIGGER object ON {table}"));
        }
    }
    let tried: BTreeSet<&str> = calls.iter().map(|(function, ..)| *function).collect();
    let offered = session.values(OFFERED, &[]);
    let missing: Vec<&str> = offered
        .iter()
        .flatten()
        .map(String::as_str)
        .filter(|function| !tried.contains(function) && !OTHERS.contains(function))
        .collect();
    assert!(missing.is_empty(), "not tried: {missing:?}");
}

/// The functions that are not internal.
const OFFERED: &str = "
SELECT DISTINCT p.proname::text
  FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
 WHERE d.deptype = 'e' AND d.classid = 'pg_proc'::regclass
   AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'neon_auth')
   AND p.pronamespace = 'neon_auth'::regnamespace
   AND obj_description(p.oid, 'pg_proc') NOT LIKE 'Internal%'";

#[test]
fn an_error_that_a_trigger_handles_is_not_told_for_the_next() {
    let cluster = Cluster::with_backtraces("");
    let world = world(&cluster);
    let mut session = world.superuser();
    session.run(
        "CREATE TRIGGER object BEFORE INSERT OR UPDATE ON neon_auth.users_sync
             FOR EACH ROW EXECUTE FUNCTION public.object()",
    );
    world
        .stack
        .sign_up(NewUser::named("one", "one@example.com"));
    assert_is_the_triggers("sync", &session.run_refused(SYNC));
    session.run("DROP TRIGGER object ON neon_auth.users_sync");
    // Of ours.
    let error = session.run_refused(&format!("BEGIN; {SYNC}"));
    assert_eq!(error.code(), &SqlState::ACTIVE_SQL_TRANSACTION, "{error:?}");
    session.run("ROLLBACK");
    session.run(SYNC);
    world.assert_mirrored();
}

/// The errors of functions that call C: none has a backtrace.
#[test]
fn no_error_has_a_backtrace_for_its_detail() {
    let cluster = Cluster::with_backtraces("");
    let world = world(&cluster);
    world.fetch_keys();
    let user = world.sign_up("somebody");
    let token = world.token_of(&user);
    let mut session = world.superuser();

    // Of a C function that Rust calls: a cancel, a lock, a role, what is no JSON.
    world.stack.hold(Endpoint::Users, 0);
    let (outcome, ()) = world.beside_sync(|pid| {
        world.stack.wait_until_held(Endpoint::Users);
        world
            .superuser()
            .run(&format!("SELECT pg_cancel_backend({pid})"));
    });
    world.stack.release(Endpoint::Users);
    let error = outcome.expect_err("it is cancelled");
    let error = error.as_db_error().expect("the server says so");
    assert_eq!(error.code(), &SqlState::QUERY_CANCELED);
    assert_eq!(error.detail(), None);

    session.run(
        "UPDATE neon_auth.providers SET reject_deleted_users = true;
         SET lock_timeout = '100ms'",
    );
    let mut holder = world.superuser();
    holder.run("BEGIN; LOCK TABLE neon_auth_internal.users_sync");
    for call in [
        "auth.authenticate($1)",
        "auth.jwt_session_init($1)",
        "neon_auth.verify_jwt($1)",
        "neon_auth.inspect_jwt($1)",
    ] {
        let error = session.refused(&format!("SELECT {call}"), &[&token]);
        assert_eq!(error.code(), &SqlState::LOCK_NOT_AVAILABLE, "{call}");
        assert_eq!(error.detail(), None, "{call}");
        // It is whole.
        assert_eq!(
            error.routine(),
            Some("ProcessInterrupts"),
            "{call}: {error:?}"
        );
    }
    holder.run("ROLLBACK");

    let error = session.refused("SELECT neon_auth_internal.parse_headers('{')", &[]);
    assert_no_backtrace(&error);
    // Of ours, and a panic, which nothing but a mistake of ours can cause.
    assert_no_backtrace(&session.refused("SELECT auth.authenticate('x')", &[]));
    let error = session.refused(
        "SELECT neon_auth_internal.changed_objects('nonsense', '[]')",
        &[],
    );
    assert_eq!(error.code(), &SqlState::INTERNAL_ERROR);
    assert_eq!(error.detail(), None);
    // The backtrace is where backtraces belong.
    let log = cluster.log();
    assert!(
        log.contains("the functions of sql/ name one of them"),
        "{log}"
    );
    assert!(log.contains("stack backtrace:"), "{log}");
}

#[track_caller]
fn assert_no_backtrace(error: &DbError) {
    let detail = error.detail().unwrap_or_default();
    assert!(
        !detail.contains("pgrx") && !detail.contains("0:"),
        "{detail}"
    );
}
