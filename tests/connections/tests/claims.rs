//! What a token says is what readers return, to the last digit, wherever they are called.

use neon_auth_connections::{Random, Session, World, eventually};
use postgres::error::SqlState;

const REFUSED: &SqlState = &SqlState::INVALID_AUTHORIZATION_SPECIFICATION;

/// A number as JSON may write it.
fn number(random: &mut Random) -> String {
    let digits = |random: &mut Random, most: usize| -> String {
        (0..=random.below(most))
            .map(|_| random.below(10).to_string())
            .collect()
    };
    let mut number = ["", "-"][random.below(2)].to_owned();
    let whole = digits(random, 40);
    let whole = whole.trim_start_matches('0');
    number.push_str(if whole.is_empty() { "0" } else { whole });
    if random.below(2) == 0 {
        number.push('.');
        number.push_str(&digits(random, 40));
    }
    if random.below(2) == 0 {
        number.push_str(["e", "E", "e+", "E-"][random.below(4)]);
        number.push_str(&digits(random, 2));
    }
    number
}

/// What PostgreSQL makes of a number in jsonb.
fn as_jsonb(session: &mut Session, number: &str) -> Option<String> {
    session.value("SELECT ($1::text::jsonb) #>> '{}'", &[&number])
}

#[test]
fn numbers_are_those_of_jsonb() {
    let world = World::with_keys();
    let user = world.sign_up("exact");
    let (mut superuser, mut app) = (world.superuser(), world.app());
    let mut random = Random::seeded(11);
    let mut numbers: Vec<String> = [
        "12345678901234567890123",
        "12345678901234567890124",
        "9007199254740993",
        "1.7976931348623157e308",
        "5e-324",
        "0.1",
        "-0",
        "-0.0",
        "1.50",
        "1E2",
    ]
    .map(str::to_owned)
    .to_vec();
    numbers.extend((0..300).map(|_| number(&mut random)));
    for number in &numbers {
        let expected = as_jsonb(&mut app, number);
        let members = format!("\"n\":{number},\"o\":{{\"id\":[{number}]}}");
        let token = world.token_written(&user, &members);
        let verified = "SELECT neon_auth.verify_jwt($1) #>> '{o,id,0}'";
        assert_eq!(superuser.value(verified, &[&token]), expected, "{number}");
        app.sign_in_for_session(&token);
        for reader in [
            "auth.claim('n')",
            "auth.claim('o', 'id', '0')",
            "auth.jwt() ->> 'n'",
            "auth.session() #>> '{o,id,0}'",
            "auth.organization() #>> '{id,0}'",
        ] {
            let found = app.value(&format!("SELECT {reader}"), &[]);
            assert_eq!(found, expected, "{reader}: {number}");
        }
        let whole = app.value("SELECT auth.claim('o')", &[]);
        let jwt = app.value("SELECT auth.jwt() ->> 'o'", &[]);
        assert_eq!(whole, jwt);
    }
}

/// Two tenants whose numbers are the same double.
#[test]
fn tenants_stay_apart_in_parallel_workers_and_after_a_rollback() {
    let world = World::with_keys();
    let user = world.sign_up("tenant");
    let [one, other] = ["12345678901234567890123", "12345678901234567890124"];
    world.superuser().run(&format!(
        "CREATE TABLE docs AS
             SELECT {one}::numeric AS tenant FROM generate_series(1, 20000)
             UNION ALL SELECT {other} FROM generate_series(1, 20000);
         ALTER TABLE docs SET (parallel_workers = 2);
         ANALYZE docs;
         ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
         CREATE POLICY own ON docs USING (tenant = auth.claim('tenant')::numeric);
         CREATE FUNCTION here() RETURNS text LANGUAGE plpgsql VOLATILE PARALLEL SAFE
         AS $$ BEGIN RETURN pg_backend_pid() || ' ' || auth.claim('tenant'); END $$;
         GRANT SELECT ON docs TO app"
    ));
    let mut app = world.app();
    app.go_parallel();
    let leader = app.pid().to_string();
    for tenant in [one, other] {
        app.sign_in_for_session(&world.token_written(&user, &format!("\"tenant\":{tenant}")));
        // The setting is read anew after the rollback.
        app.run("BEGIN; SAVEPOINT s; SELECT auth.logout(); ROLLBACK TO s; COMMIT");
        let seen = app.values("SELECT DISTINCT tenant::text FROM docs", &[]);
        assert_eq!(seen, [Some(tenant.to_owned())]);
        let mut workers = Vec::new();
        eventually("a query gets workers", || {
            let seen = app.values("SELECT DISTINCT here() FROM docs", &[]);
            workers = seen
                .iter()
                .filter_map(|line| line.as_ref()?.split_once(' '))
                .filter(|(pid, _)| *pid != leader)
                .map(|(_, tenant)| tenant.to_owned())
                .collect();
            !workers.is_empty()
        });
        assert!(workers.iter().all(|seen| seen == tenant), "{workers:?}");
    }
}

/// A token of about so many bytes, and its user.
fn large(world: &World, bytes: usize) -> (String, String) {
    let user = world.sign_up("large");
    let groups = vec!["\"01234567-89ab-4cde-8f01-23456789abcd\""; bytes * 3 / 4 / 39];
    let token = world.token_written(&user, &format!("\"groups\":[{}]", groups.join(",")));
    (token, user)
}

#[test]
fn the_size_of_tokens_is_a_setting() {
    let world = World::with_keys();
    let (token, user) = large(&world, 24_000);
    let mut app = world.app();
    let refusal = app.sign_in_refused(&token);
    assert_eq!(refusal.code(), REFUSED);
    assert!(
        refusal
            .hint()
            .is_some_and(|hint| hint.contains("neon_auth.max_token_size"))
    );
    let denied = app.run_refused("SET neon_auth.max_token_size = '64kB'");
    assert_eq!(denied.code(), &SqlState::INSUFFICIENT_PRIVILEGE);

    world.superuser().run(
        "DO $$ BEGIN
             EXECUTE format('ALTER DATABASE %I SET neon_auth.max_token_size = %L', current_database(), '64kB');
         END $$",
    );
    let mut app = world.app();
    app.go_parallel();
    assert_eq!(app.sign_in_for_session(&token), user);
    // Another token, and the first one again: it is remembered.
    assert_eq!(app.sign_in_for_session(&world.token()).len(), user.len());
    assert_eq!(app.sign_in_for_session(&token), user);
    app.run("BEGIN; SAVEPOINT s; SELECT auth.logout(); ROLLBACK TO s; COMMIT");
    assert_eq!(app.user(), Some(user));
    let groups = app.value(
        "SELECT jsonb_array_length(auth.jwt() -> 'groups')::text",
        &[],
    );
    assert!(groups.is_some_and(|groups| groups.parse::<usize>().is_ok_and(|groups| groups > 400)));
}

#[test]
fn a_remembered_token_is_refused_once_it_is_too_large() {
    let world = World::with_keys();
    let (token, user) = large(&world, 12_000);
    let mut superuser = world.superuser();
    assert_eq!(superuser.sign_in_for_session(&token), user);
    superuser.run("SET neon_auth.max_token_size = '8kB'");
    assert_eq!(superuser.sign_in_refused(&token).code(), REFUSED);
    assert_eq!(superuser.user(), None);
}

#[test]
fn many_of_the_largest_tokens_are_taken() {
    let world = World::with_keys();
    let mut superuser = world.superuser();
    superuser.run("SET neon_auth.max_token_size = '256kB'");
    for _ in 0..10 {
        let (token, user) = large(&world, 250_000);
        assert_eq!(superuser.sign_in_for_session(&token), user);
        assert_eq!(superuser.sign_in_for_session(&token), user);
    }
}
