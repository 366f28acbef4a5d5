//! The service that fills the mirror is known by its provider's kind, whatever the provider's name is.

use std::thread;

use neon_auth_connections::{Cluster, Server, World, await_lock};
use postgres::error::{DbError, SqlState};

const RENAME: &str = "UPDATE neon_auth.providers SET name = 'neon' WHERE name = 'stack'";
const NAMES: &str = "SELECT string_agg(name, ',' ORDER BY name) FROM neon_auth.providers";

fn names(world: &World) -> Option<String> {
    world.superuser().value(NAMES, &[])
}

#[test]
fn a_stack_provider_of_another_name_is_verified_and_synchronised_by_a_call() {
    let world = World::with_users(Server::shared(), 2);
    world.superuser().run(RENAME);
    world.sync();
    world.assert_mirrored();
    let source = world.last_run("concat_ws(' ', kind, source)");
    assert_eq!(source, Some(format!("stack {}", world.stack.project_id())));
    let mut app = world.app();
    app.sign_in_for_session(&world.token());
    let provider = app.value("SELECT auth.provider()", &[]);
    assert_eq!(provider.as_deref(), Some("neon"));
    // Configured again, it keeps its name.
    world.configure(&mut world.superuser());
    assert_eq!(names(&world).as_deref(), Some("neon"));
    world.sync();
    world.assert_mirrored();
}

#[test]
fn a_stack_provider_of_another_name_is_synchronised_by_a_worker() {
    let cluster = Cluster::with_workers("neon_auth.sync_interval = 1");
    let world = World::with_users(cluster.server(), 1);
    world.superuser().run(RENAME);
    world.await_users(1);
    world.sign_up("late");
    world.await_users(2);
}

#[test]
fn a_provider_named_stack_of_another_kind_is_not_synchronised() {
    let world = World::with_users(Server::shared(), 1);
    let mut session = world.superuser();
    session.run("UPDATE neon_auth.providers SET kind = 'oidc', project_id = NULL");
    assert_eq!(names(&world).as_deref(), Some("stack"));
    let refusal = world.sync_refused();
    assert_eq!(refusal.code(), &SqlState::OBJECT_NOT_IN_PREREQUISITE_STATE);
    assert_eq!(
        refusal.detail(),
        Some("There is no provider of kind stack or better_auth.")
    );
    let plan = "SELECT neon_auth_internal.worker_plan() ->> 'is_configured'";
    assert_eq!(session.value(plan, &[]).as_deref(), Some("false"));
    assert!(world.stack.received("/api/v1/users").is_empty());
}

/// What adds a second provider that fills the mirror.
fn add(name: &str) -> String {
    format!(
        "SELECT neon_auth.add_provider('{name}', '{{https://{name}.example.com}}', '{{{name}}}',
             'https://{name}.example.com/api/v1/projects/{name}/.well-known/jwks.json',
             kind => 'stack', project_id => '{name}')"
    )
}

/// Runs a statement in a second session while the first is in a transaction that has added a provider
/// of kind stack, and ends that transaction once the second session waits for it.
fn beside(world: &World, statement: &str, isolation: &str, end: &str) -> Result<(), Box<DbError>> {
    let mut first = world.superuser();
    let mut second = world.superuser();
    first.run("DELETE FROM neon_auth.providers");
    second.run(&format!(
        "SET default_transaction_isolation = '{isolation}'"
    ));
    let pid = second.pid();
    first.run(&format!("BEGIN; {}", add("first")));
    thread::scope(|scope| {
        let waiting = scope.spawn(move || second.batch_execute(statement));
        await_lock(&mut world.superuser(), pid);
        first.run(end);
        let outcome = waiting.join().expect("the thread ends");
        outcome.map_err(|error| {
            let error = error.as_db_error().expect("the server refuses it");
            Box::new(error.clone())
        })
    })
}

#[test]
fn of_two_sessions_that_add_a_source_at_once_one_is_refused() {
    let world = World::new();
    let refusal = beside(&world, &add("second"), "read committed", "COMMIT");
    let refusal = refusal.expect_err("there is one already");
    assert_eq!(refusal.code(), &SqlState::UNIQUE_VIOLATION);
    assert_eq!(refusal.message(), "only one provider can fill the mirror");
    assert_eq!(names(&world).as_deref(), Some("first"));
    // Whose snapshot does not show the first to the trigger, is refused by the index.
    let refusal = beside(&world, &add("second"), "repeatable read", "COMMIT");
    let refusal = refusal.expect_err("there is one already");
    assert_eq!(refusal.constraint(), Some("providers_fills_mirror_idx"));
    assert_eq!(names(&world).as_deref(), Some("first"));
    let outcome = beside(&world, &add("second"), "read committed", "ROLLBACK");
    outcome.expect("there is no other");
    assert_eq!(names(&world).as_deref(), Some("second"));
}

#[test]
fn configure_changes_a_provider_that_another_session_is_adding() {
    let world = World::new();
    let keys = world.stack.keys_response().to_string();
    let configure = format!("SELECT neon_auth.configure('{keys}')");
    let outcome = beside(&world, &configure, "read committed", "COMMIT");
    outcome.expect("the other provider is changed");
    let project = "SELECT concat_ws(' ', name, project_id) FROM neon_auth.providers";
    let project = world.superuser().value(project, &[]);
    assert_eq!(project, Some(format!("first {}", world.stack.project_id())));
}
