-- Tests of policies with pgTAP. Run them with pg_prove, or with psql, in a database that is marked for tests.
BEGIN;
SELECT plan(6);

SELECT id AS alice FROM neon_auth.make_test_users(2) LIMIT 1 \gset
SELECT id AS bob FROM neon_auth.make_test_users(2) OFFSET 1 \gset
INSERT INTO todos (user_id, task) VALUES (:'alice', 'water the plants'), (:'bob', 'feed the cat');

-- What alice can do
SELECT auth.impersonate(:'alice');
SET LOCAL ROLE authenticated;
SELECT results_eq('SELECT task FROM todos', ARRAY['water the plants'], 'alice reads her own rows, and no others');
SELECT lives_ok($$INSERT INTO todos (task) VALUES ('call bob')$$, 'alice writes rows of her own');
SELECT throws_ok(
    format('INSERT INTO todos (user_id, task) VALUES (%L, %L)', :'bob', 'send money to alice'), '42501', NULL,
    'alice writes nothing in the name of bob');
SELECT is_empty('UPDATE todos SET task = task WHERE task LIKE ''feed%'' RETURNING 1', 'alice changes no row of bob');
SELECT throws_ok(format('UPDATE todos SET user_id = %L', :'bob'), '42501', NULL, 'alice gives no row away');
RESET ROLE;

-- What nobody can do
SELECT auth.logout();
SET LOCAL ROLE anonymous;
SELECT is_empty('SELECT FROM todos', 'nobody reads anything');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
