-- A query that names a primary key meets one row: there the plain call stays, which costs less than
-- an InitPlan.
\set SHOW_CONTEXT never
CALL make_notes('once');
CREATE TABLE once.accounts (user_id varchar(50) PRIMARY KEY, n int DEFAULT 0);
CREATE TABLE once.members (
    team_id uuid, user_id text COLLATE "C", n numeric DEFAULT 0, PRIMARY KEY (team_id, user_id));
CREATE TABLE once.counts (n numeric PRIMARY KEY, user_id text);
CREATE TABLE once.names (name text COLLATE "C" PRIMARY KEY, user_id text);
INSERT INTO once.accounts SELECT 'user ' || i FROM generate_series(1, 1000) AS i UNION ALL SELECT 'alice';
INSERT INTO once.members SELECT md5(i::text)::uuid, 'alice' FROM generate_series(1, 1000) AS i;
INSERT INTO once.counts SELECT i, 'alice' FROM generate_series(1, 1000) AS i;
INSERT INTO once.names SELECT i, 'alice' FROM generate_series(1, 1000) AS i;
ALTER TABLE once.accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE once.members ENABLE ROW LEVEL SECURITY;
ALTER TABLE once.counts ENABLE ROW LEVEL SECURITY;
ALTER TABLE once.names ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON once.accounts TO authenticated USING (user_id = auth.user_id());
CREATE POLICY own ON once.members TO authenticated USING (auth.user_id() = user_id);
CREATE POLICY known ON once.members AS RESTRICTIVE TO authenticated USING (auth.claim('limit') IS NOT NULL);
CREATE POLICY own ON once.counts TO authenticated USING (user_id = auth.user_id());
CREATE POLICY own ON once.names TO authenticated USING (user_id = auth.user_id());
GRANT ALL ON once.accounts, once.members, once.counts, once.names TO authenticated;
ANALYZE once.accounts, once.members, once.counts, once.names;
SET track_functions = 'all';
SELECT auth.impersonate('alice', '{"limit": "alice", "path": "limit"}', false);
SET ROLE authenticated;
CREATE TEMP TABLE one_row (number int GENERATED ALWAYS AS IDENTITY, what text, statement text);
INSERT INTO one_row (what, statement) VALUES
    ('by key', 'SELECT user_id FROM once.notes WHERE id = 2'),
    ('by key, somebody else''s', 'SELECT user_id FROM once.notes WHERE id = 3'),
    ('by key and more',
     'SELECT user_id, auth.user_id() FROM once.notes WHERE n = 0 AND (2::smallint = id AND n IS NOT NULL)'),
    ('by key of another order', 'SELECT user_id FROM once.names WHERE name = ''7'''),
    ('the policy names the key', 'SELECT n FROM once.accounts'),
    ('policy and query name its parts', format('SELECT n FROM once.members WHERE team_id = %L', md5('7')::uuid)),
    ('UPDATE', 'UPDATE once.notes SET n = n + 1 WHERE id = 2'),
    ('DELETE', 'DELETE FROM once.notes WHERE id = 2'),
    ('INSERT', 'INSERT INTO once.notes (id) VALUES (5000)'),
    ('upsert', 'INSERT INTO once.notes (id) VALUES (4) ON CONFLICT (id) DO UPDATE SET n = 7');
BEGIN;
-- To plan it, PostgreSQL calls the reader as well, to estimate how many rows there are.
SELECT what, rows, calls < 5 AS few_calls, in_init_plans
  FROM one_row, reader_plan(statement), measure(statement) ORDER BY number;
ROLLBACK;
-- These only look so.
TRUNCATE one_row;
INSERT INTO one_row (what, statement) VALUES
    ('part of a key', 'SELECT n FROM once.members WHERE user_id = auth.user_id()'),
    ('another order', 'SELECT user_id FROM once.names WHERE name = ''7'' COLLATE "POSIX"'),
    ('several', 'SELECT user_id FROM once.notes WHERE id IN (2, 4)'),
    ('a range', 'SELECT user_id FROM once.notes WHERE id <= 400'),
    ('either', 'SELECT user_id FROM once.notes WHERE id = 2 OR n = 0'),
    ('no value', 'SELECT user_id FROM once.notes WHERE id = n'),
    ('a value of each row', 'SELECT user_id FROM once.notes WHERE id = (random() * 400)::int'),
    ('no key', 'SELECT id FROM once.plain WHERE id = 2'),
    ('an operator that may leak', 'SELECT user_id FROM once.counts WHERE n = 7'),
    ('one of two tables', 'SELECT a.id FROM once.notes a, once.plain b WHERE a.id = 2'),
    ('for each row', 'SELECT (SELECT n.user_id FROM once.notes n WHERE n.id = p.id) FROM once.plain p'),
    ('rows of one row', 'SELECT generate_series(1, 400), auth.user_id() FROM once.notes WHERE id = 2'),
    ('VALUES', 'INSERT INTO once.notes (id) VALUES (5001), (5002)'),
    ('rows of none', 'INSERT INTO once.notes (id) SELECT generate_series(6001, 6400)');
BEGIN;
SELECT what, calls <= in_init_plans AND NOT elsewhere AS once
  FROM one_row, reader_plan(statement), measure(statement) ORDER BY number;
ROLLBACK;
-- One plan serves whoever is signed in.
SET plan_cache_mode = force_generic_plan;
PREPARE note(int) AS SELECT user_id FROM once.notes WHERE id = $1;
EXECUTE note(2);
EXECUTE note(3);
SELECT * FROM measure('EXECUTE note(2)');
RESET ROLE;
SELECT auth.impersonate('bob', is_local => false);
SET ROLE authenticated;
EXECUTE note(2);
EXECUTE note(3);
INSERT INTO once.notes (id, user_id) VALUES (5000, 'alice');
RESET ROLE;
SELECT auth.logout();
SET ROLE authenticated;
EXECUTE note(3);
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA once CASCADE;
