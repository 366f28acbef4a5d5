//! An identity ends in the middle of a client's statement: whatever begins then is refused, and a
//! query that began before goes on.
//!
//! Each test runs one DO block, which is one statement of its client. It signs in for two seconds
//! and waits by the clock until they are over.

use neon_auth_connections::{Session, World};

const SETUP: &str = "
CREATE TABLE big (id int, owner text);
INSERT INTO big SELECT n, 'alice' FROM generate_series(1, 1000) AS n;
ALTER TABLE big SET (parallel_workers = 2);
ANALYZE big;
CREATE FUNCTION who() RETURNS text LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN auth.user_id(); END $$;
CREATE FUNCTION who_queries() RETURNS text LANGUAGE plpgsql VOLATILE AS $$ BEGIN RETURN (SELECT min(auth.user_id()) FROM big); END $$;
CREATE FUNCTION who_sql() RETURNS SETOF text LANGUAGE sql VOLATILE AS $$ SELECT auth.user_id() FROM big LIMIT 1 $$;
CREATE FUNCTION who_stable() RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN RETURN auth.user_id(); END $$;
CREATE FUNCTION who_stable_queries() RETURNS text LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT min(owner) FROM big WHERE owner = auth.user_id()); END $$;
CREATE FUNCTION who_for(id int) RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN RETURN auth.user_id(); END $$;
CREATE PROCEDURE say_who() LANGUAGE plpgsql AS $$ BEGIN PERFORM auth.user_id(); END $$;
CREATE FUNCTION pass(until timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$
BEGIN
    WHILE clock_timestamp() < until LOOP PERFORM pg_sleep(0.02); END LOOP;
    RETURN true;
END $$;";

/// A DO block that signs in, runs a statement, waits for the end of the identity, and runs it again
/// after `between`. The second time must be refused.
fn outlives(session: &mut Session, statement: &str, between: &str) -> Option<String> {
    let block = format!(
        "DO $block$
DECLARE
    until timestamptz := to_timestamp(ceil(extract(epoch FROM clock_timestamp())) + 2);
    name text;
    note record;
BEGIN
    PERFORM auth.impersonate('alice', jsonb_build_object('exp', extract(epoch FROM until)::bigint), false);
    {statement};
    PERFORM pass(until);
    {between};
    {statement};
    RAISE 'the identity outlived its token' USING ERRCODE = 'ZZ999';
END
$block$"
    );
    let error = session.run_refused(&block);
    session.run("ROLLBACK");
    let is_expired = error.code().code() == "28000" && error.message().contains("expired");
    (!is_expired).then(|| format!("{statement}: {error:?}"))
}

#[test]
fn no_statement_of_a_block_begins_after_the_end() {
    let world = World::new();
    world.superuser().run(SETUP);
    let statements = [
        "PERFORM auth.user_id()",
        "name := auth.user_id()",
        "IF auth.user_id() IS NULL THEN RAISE 'nobody'; END IF",
        "name := (SELECT max(owner) FROM big WHERE owner = auth.user_id())",
        "PERFORM FROM big WHERE owner = auth.user_id()",
        "EXECUTE 'SELECT auth.jwt()'",
        "PERFORM auth.has_permission('read', 'team')",
        "PERFORM who()",
        "PERFORM who_queries()",
        "PERFORM who_sql()",
        "PERFORM who_stable()",
        "PERFORM who_stable_queries()",
        "CALL say_who()",
        "INSERT INTO big SELECT 0, auth.user_id()",
        "UPDATE big SET owner = auth.user_id() WHERE id = 1",
        "CREATE TEMP TABLE made AS SELECT auth.user_id() FROM big; DROP TABLE made",
        "FOR note IN SELECT auth.user_id() FROM big LOOP EXIT; END LOOP",
    ];
    let outlived: Vec<String> = std::thread::scope(|scope| {
        let cases = statements
            .iter()
            .flat_map(|statement| ["NULL", "COMMIT"].map(|between| (*statement, between)));
        let running: Vec<_> = cases
            .map(|(statement, between)| {
                let world = &world;
                scope.spawn(move || outlives(&mut world.superuser(), statement, between))
            })
            .collect();
        let outcomes = running.into_iter();
        outcomes
            .filter_map(|outcome| outcome.join().expect("a session ends"))
            .collect()
    });
    assert!(outlived.is_empty(), "{outlived:#?}");
}

/// Runs a query that lasts beyond the end of the identity, and answers what it returns.
fn lasting(session: &mut Session, query: &str) -> Option<String> {
    session.run(
        "SELECT auth.impersonate('alice', jsonb_build_object('exp', extract(epoch FROM clock_timestamp())::bigint + 2), false)",
    );
    session.value(query, &[])
}

#[test]
fn a_query_that_began_before_goes_on() {
    let world = World::new();
    let mut session = world.superuser();
    session.run(SETUP);
    let end = "(auth.expires_at() + interval '1 ms')";
    for who in [
        "auth.user_id()",
        "auth.claim(VARIADIC (ARRAY['sub', who_stable()])[1:1])",
        "who_stable()",
        "who_stable_queries()",
    ] {
        // MATERIALIZED and OFFSET keep the order: the first row waits, and others are read after it.
        let query = format!(
            "WITH waits AS MATERIALIZED (SELECT id, CASE WHEN id = 1 THEN pass({end}) END FROM big ORDER BY id LIMIT 3)
             SELECT string_agg(CASE WHEN clock_timestamp() >= {end} THEN {who} ELSE 'early' END, ',') FROM waits"
        );
        let answer = lasting(&mut session, &query);
        assert_eq!(answer.as_deref(), Some("alice,alice,alice"), "{who}");
        let error = session.refused("SELECT auth.user_id()", &[]);
        assert_eq!(error.code().code(), "28000");
    }
    // A function that is not STABLE issues statements of its own.
    let error = {
        session.run("SELECT auth.impersonate('alice', jsonb_build_object('exp', extract(epoch FROM clock_timestamp())::bigint + 2), false)");
        session.refused(&format!("SELECT pass({end}), who()"), &[])
    };
    assert_eq!(error.code().code(), "28000");
}

#[test]
fn a_loop_over_a_query_goes_on() {
    let world = World::new();
    let mut session = world.superuser();
    session.run(SETUP);
    session.run(
        "DO $block$
DECLARE
    until timestamptz := to_timestamp(ceil(extract(epoch FROM clock_timestamp())) + 1);
    note record;
    rows int := 0;
BEGIN
    PERFORM auth.impersonate('alice', jsonb_build_object('exp', extract(epoch FROM until)::bigint), false);
    FOR note IN SELECT who_stable() AS name FROM big LOOP
        PERFORM pass(until);
        rows := rows + 1;
        ASSERT note.name = 'alice';
    END LOOP;
    ASSERT rows = 1000;
END
$block$",
    );
}

#[test]
fn parallel_workers_agree_with_their_leader() {
    let world = World::new();
    let mut session = world.superuser();
    session.run(SETUP);
    session.run(
        "SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
         SET parallel_leader_participation = off; SET max_parallel_workers_per_gather = 2",
    );
    // With an argument, so that the planner does not ask, in the leader.
    let query = "SELECT count(*) FROM big WHERE who_for(id) = owner";
    let plan = session.values(&format!("EXPLAIN {query}"), &[]);
    assert!(
        plan.iter().flatten().any(|line| line.contains("Gather")),
        "{plan:?}"
    );
    // Workers that start after the end, for a query that begins after it, in a statement of the
    // client that began before.
    let outlived = outlives(&mut session, &format!("EXECUTE '{query}'"), "NULL");
    assert_eq!(outlived, None);
    // Again and again: a transaction's end takes back what was told to the workers.
    session.run("SELECT auth.impersonate('alice', '{\"exp\": 1}', false)");
    let error = session.refused(query, &[]);
    assert_eq!(error.code().code(), "28000");
    let error = session.refused(query, &[]);
    assert_eq!(error.code().code(), "28000");
    // Workers in which the end passes, for a query that began before it.
    let lasting = lasting(
        &mut session,
        "SELECT count(*)::text FROM big WHERE pass(to_timestamp((auth.jwt() ->> 'exp')::bigint)) AND who_for(id) = owner",
    );
    assert_eq!(lasting.as_deref(), Some("1000"));
}

/// The role that came with a token goes at the first statement that begins after its end.
#[test]
fn the_role_goes_with_the_identity() {
    let world = World::with_keys();
    let mut superuser = world.superuser();
    superuser.run(SETUP);
    superuser.run("UPDATE neon_auth.providers SET role_claim = 'role', allowed_roles = '{authenticated}', leeway = '0'");
    superuser.run("ALTER TABLE big ENABLE ROW LEVEL SECURITY; CREATE POLICY everything ON big TO authenticated USING (true); GRANT SELECT ON big TO PUBLIC");
    let user = world.sign_up("somebody");
    let block = |token: &str, statement: &str| {
        format!(
            "DO $block$
DECLARE
    until timestamptz;
BEGIN
    PERFORM auth.authenticate('{token}', false);
    until := auth.expires_at();
    COMMIT;
    ASSERT current_user = 'authenticated', 'no role came';
    ASSERT (SELECT count(*) FROM big) = 1000, 'no rows';
    PERFORM pass(until);
    {statement}
END
$block$"
        )
    };
    let token = || world.token_for(&user, 3);
    let mut app = world.app();
    let error = app.run_refused(&block(&token(), "PERFORM count(*) FROM big;"));
    assert_eq!(error.code().code(), "28000", "{error:?}");
    let mut app = world.app();
    app.run(&block(
        &token(),
        "PERFORM pg_backend_pid(); ASSERT current_user = 'app', current_user;",
    ));
}

/// What failed may keep its memory, but its snapshot is freed, and the next one may lie in its place.
#[test]
fn a_query_that_failed_keeps_no_identity() {
    let world = World::new();
    world.superuser().run(SETUP);
    world.superuser().run(
        "CREATE FUNCTION fails(x int) RETURNS int LANGUAGE sql STABLE AS 'SELECT 1 / x FROM big LIMIT 1';
         CREATE FUNCTION fails_volatile(x int) RETURNS int LANGUAGE sql VOLATILE AS 'SELECT 1 / x FROM big LIMIT 1'",
    );
    let caught = |failing: &str| format!("BEGIN {failing} EXCEPTION WHEN OTHERS THEN NULL; END;");
    let fetch = caught("FETCH c INTO y;");
    let nested = caught(&format!(
        "{fetch} {} FETCH d INTO y;",
        caught("y := fails(0);")
    ));
    let failing = [
        ("OPEN c FOR SELECT 1 / (id - 1) FROM big;", fetch.clone()),
        ("", caught("y := fails(0);")),
        ("", caught("y := fails_volatile(0);")),
        (
            "OPEN c FOR SELECT 1 / (id - 1) FROM big; OPEN d FOR SELECT 1 / (id - 1) FROM big;",
            nested.clone(),
        ),
        (
            "OPEN c FOR SELECT 1 / (id - 1) FROM big; OPEN d FOR SELECT 1 / (id - 1) FROM big;",
            format!("{fetch} {}", caught("FETCH d INTO y;")),
        ),
    ];
    let read =
        "name := (SELECT max(owner) FROM big WHERE owner = auth.user_id()); passed := passed + 1;";
    let in_block = caught(read);
    let deeper = caught(&in_block);
    std::thread::scope(|scope| {
        for (open, fail) in &failing {
            let (world, in_block, deeper) = (&world, &in_block, &deeper);
            scope.spawn(move || {
                world.superuser().run(&format!(
                    "DO $block$
DECLARE
    until timestamptz := to_timestamp(ceil(extract(epoch FROM clock_timestamp())) + 2);
    c refcursor;
    d refcursor;
    y int;
    name text;
    passed int := 0;
BEGIN
    PERFORM auth.impersonate('alice', jsonb_build_object('exp', extract(epoch FROM until)::bigint), false);
    {open}
    {fail}
    PERFORM pass(until);
    FOR n IN 1..3 LOOP
        {in_block}
        {deeper}
    END LOOP;
    ASSERT passed = 0, passed || ' queries after the end';
END
$block$"
                ));
            });
        }
    });
}

/// What a foreign key asks is a part of the statement that writes.
#[test]
fn a_foreign_key_is_checked_after_the_end() {
    let world = World::with_keys();
    let mut superuser = world.superuser();
    superuser.run(SETUP);
    superuser.run(
        "CREATE TABLE parent (id int PRIMARY KEY);
         INSERT INTO parent VALUES (1);
         CREATE TABLE child (parent_id int REFERENCES parent ON DELETE CASCADE);
         GRANT ALL ON parent, child TO PUBLIC;
         UPDATE neon_auth.providers SET role_claim = 'role', allowed_roles = '{authenticated}', leeway = '0'",
    );
    let user = world.sign_up("somebody");
    for statement in [
        "INSERT INTO child SELECT 1 WHERE pass(auth.expires_at())",
        "DELETE FROM parent WHERE pass(auth.expires_at())",
    ] {
        let mut app = world.app();
        app.sign_in_for_session(&world.token_for(&user, 3));
        app.run(statement);
        let error = app.refused("SELECT auth.user_id()", &[]);
        assert_eq!(error.code().code(), "28000");
    }
    assert_eq!(
        superuser
            .value("SELECT count(*)::text FROM child", &[])
            .as_deref(),
        Some("0")
    );
}
