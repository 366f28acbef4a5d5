//! Parallel workers act for the leader's user.

use neon_auth_connections::{Session, World, eventually};

/// Big enough for a parallel plan, and a function that says who is signed in where it runs.
const BIG: &str = "
CREATE TABLE big AS SELECT generate_series(1, 20000) AS id;
ALTER TABLE big SET (parallel_workers = 2);
ANALYZE big;
CREATE FUNCTION here(id integer) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE
AS $$ BEGIN RETURN pg_backend_pid() || ' ' || coalesce(auth.user_id(), 'nobody'); END $$;
GRANT SELECT ON big TO app";

const QUERY: &str = "SELECT DISTINCT here(id) FROM big";

fn world() -> World {
    let world = World::with_keys();
    world.superuser().run(BIG);
    world
}

fn app(world: &World) -> Session {
    let mut app = world.app();
    app.go_parallel();
    app
}

/// Whom the workers of a parallel query act for, once one has got workers.
fn users_of_workers(app: &mut Session) -> Vec<String> {
    let leader = app.pid().to_string();
    let mut users = Vec::new();
    eventually("a query gets workers", || {
        let seen = app.values(QUERY, &[]);
        users = seen
            .iter()
            .filter_map(|line| {
                let (pid, user) = line.as_ref()?.split_once(' ')?;
                (pid != leader).then(|| user.to_owned())
            })
            .collect();
        !users.is_empty()
    });
    users.dedup();
    users
}

#[test]
fn workers_see_the_leaders_session_identity() {
    let world = world();
    let mut app = app(&world);
    assert_eq!(users_of_workers(&mut app), ["nobody"]);
    let user = app.sign_in_for_session(&world.token());
    assert_eq!(users_of_workers(&mut app), [user]);
}

#[test]
fn workers_see_the_leaders_local_identity() {
    let world = world();
    let mut app = app(&world);
    app.sign_in_for_session(&world.token());
    app.run("BEGIN");
    let user = app.sign_in(&world.token());
    assert_eq!(users_of_workers(&mut app), [user]);
    app.run("COMMIT");
}

#[test]
fn workers_never_see_an_identity_that_a_refused_token_has_ended() {
    let world = world();
    let mut app = app(&world);
    app.sign_in_for_session(&world.token());
    app.run("BEGIN");
    app.sign_in(&world.token());
    app.run("SAVEPOINT before");
    app.sign_in_refused(&world.forged_token());
    app.run("ROLLBACK TO before");
    assert_eq!(users_of_workers(&mut app), ["nobody"]);
    app.run("COMMIT");
    assert_eq!(users_of_workers(&mut app), ["nobody"]);
}

#[test]
fn workers_of_a_portal_never_see_an_identity_that_a_refused_token_has_ended() {
    let world = world();
    let mut app = app(&world);
    let forged = world.forged_token();
    let token = world.token();
    let leader = app.pid().to_string();
    let mut got_workers = false;
    eventually("a portal gets workers", || {
        let mut transaction = app.transaction().expect("a transaction begins");
        let authenticate = "SELECT auth.authenticate($1)";
        transaction
            .execute(authenticate, &[&token])
            .expect("the token is good");
        let statement = transaction.prepare(QUERY).expect("it is prepared");
        let portal = transaction.bind(&statement, &[]).expect("it is bound");
        transaction.batch_execute("SAVEPOINT before").unwrap();
        transaction
            .execute(authenticate, &[&forged])
            .expect_err("the token is forged");
        transaction.batch_execute("ROLLBACK TO before").unwrap();
        for row in transaction.query_portal(&portal, 0).expect("it is read") {
            let line: String = row.get(0);
            let (pid, user) = line.split_once(' ').expect("pid and user");
            assert_eq!(user, "nobody");
            got_workers |= pid != leader;
        }
        got_workers
    });
}
