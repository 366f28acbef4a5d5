-- A reader is evaluated once per query and not per row, wherever a policy or a query names it.
-- PostgreSQL counts the calls; each case below would make at least a hundred.
\set SHOW_CONTEXT never
CREATE SCHEMA once;
GRANT USAGE ON SCHEMA once TO authenticated;
CREATE TABLE once.notes (id int PRIMARY KEY, user_id text NOT NULL DEFAULT auth.user_id(), n int DEFAULT 0)
    WITH (parallel_workers = 2);
INSERT INTO once.notes SELECT i, CASE WHEN i % 2 = 0 THEN 'alice' ELSE 'bob' END FROM generate_series(1, 400) AS i;
CREATE INDEX ON once.notes (user_id);
ALTER TABLE once.notes ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON once.notes TO authenticated USING (user_id = auth.user_id()) WITH CHECK (user_id = auth.user_id());
-- The same rows without policies, for queries that name the reader themselves
CREATE TABLE once.plain AS SELECT * FROM once.notes;
CREATE INDEX plain_user_id ON once.plain (user_id);
CREATE TABLE once.parted (user_id text, id int) PARTITION BY LIST (user_id);
CREATE TABLE once.parted_alice PARTITION OF once.parted FOR VALUES IN ('alice');
CREATE TABLE once.parted_bob PARTITION OF once.parted FOR VALUES IN ('bob');
INSERT INTO once.parted SELECT user_id, id FROM once.plain;
CREATE TABLE once.parent (user_id text, id int);
CREATE TABLE once.child () INHERITS (once.parent);
INSERT INTO once.parent SELECT user_id, id FROM once.plain WHERE id <= 200;
INSERT INTO once.child SELECT user_id, id FROM once.plain WHERE id > 200;
ALTER TABLE once.parted ENABLE ROW LEVEL SECURITY;
ALTER TABLE once.parent ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON once.parted TO authenticated USING (user_id = auth.user_id());
CREATE POLICY own ON once.parent TO authenticated USING (user_id = auth.user_id());
CREATE TABLE once.shared (id int, n int);
INSERT INTO once.shared SELECT id, 0 FROM once.plain;
ALTER TABLE once.shared ENABLE ROW LEVEL SECURITY;
CREATE POLICY shared ON once.shared TO authenticated
    USING (EXISTS (SELECT FROM once.plain p WHERE p.id = shared.id % 1000 AND p.user_id = auth.user_id()));
CREATE FUNCTION once.is_me(who text) RETURNS boolean LANGUAGE sql STABLE AS 'SELECT who = auth.user_id()';
CREATE VIEW once.mine AS SELECT * FROM once.plain WHERE user_id = auth.user_id();
CREATE VIEW once.mine_guarded WITH (security_barrier) AS SELECT * FROM once.plain WHERE user_id = auth.user_id();
CREATE FUNCTION once.count_sql() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT count(*) FROM once.notes';
CREATE FUNCTION once.count_plpgsql() RETURNS bigint LANGUAGE plpgsql STABLE AS 'BEGIN RETURN (SELECT count(*) FROM once.notes); END';
CREATE FUNCTION once.loop_plpgsql() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
    note record;
    rows bigint := 0;
BEGIN
    FOR note IN SELECT * FROM once.plain WHERE user_id = auth.user_id() LOOP rows := rows + 1; END LOOP;
    RETURN rows;
END
$$;
GRANT ALL ON ALL TABLES IN SCHEMA once TO authenticated;
ANALYZE;

-- How many rows a statement reads or writes, and how often it calls a reader meanwhile.
CREATE TABLE once.readers AS SELECT oid FROM pg_proc WHERE prosupport = 'neon_auth_internal.once_per_query'::regproc;
GRANT SELECT ON once.readers TO authenticated;
CREATE FUNCTION once.calls() RETURNS bigint LANGUAGE sql AS
    'SELECT coalesce(sum(pg_stat_get_xact_function_calls(oid)), 0)::bigint FROM once.readers';
CREATE FUNCTION once.measure(statement text, OUT rows bigint, OUT calls bigint) LANGUAGE plpgsql AS $$
DECLARE
    before bigint := once.calls();
BEGIN
    EXECUTE statement;
    GET DIAGNOSTICS rows = ROW_COUNT;
    calls := once.calls() - before;
END
$$;
-- What EXPLAIN VERBOSE shows of a reader: InitPlans around it, and whether it stands anywhere else.
CREATE FUNCTION once.plan(statement text, OUT init_plans bigint, OUT elsewhere boolean) LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) ' || statement INTO plan;
    WITH RECURSIVE node(node) AS (
        SELECT plan -> 0 -> 'Plan'
        UNION ALL
        SELECT jsonb_array_elements(node -> 'Plans') FROM node),
    reading AS (
        SELECT node ->> 'Parent Relationship' = 'InitPlan' AS is_init_plan
          FROM node WHERE (node - 'Plans')::text LIKE '%auth.%')
    SELECT count(*) FILTER (WHERE is_init_plan), coalesce(bool_or(is_init_plan IS NOT TRUE), false)
      INTO init_plans, elsewhere FROM reading;
END
$$;
CREATE TABLE once.cases (number int GENERATED ALWAYS AS IDENTITY, what text, statement text);
GRANT SELECT ON once.cases TO authenticated;
SELECT current_setting('server_version_num')::int >= 150000 AS has_merge \gset
INSERT INTO once.cases (what, statement) VALUES
    ('policy', 'SELECT id FROM once.notes'),
    ('policy, named too', 'SELECT id FROM once.notes WHERE user_id = auth.user_id()'),
    ('with SELECT', 'SELECT id FROM once.plain WHERE user_id = (SELECT auth.user_id())'),
    ('condition', 'SELECT id FROM once.plain WHERE user_id = auth.user_id()'),
    ('column', 'SELECT id, auth.user_id() FROM once.plain'),
    ('other readers', 'SELECT id FROM once.plain WHERE user_id = auth.jwt() ->> ''sub'' AND auth.email() IS NULL'),
    ('constant argument', 'SELECT id FROM once.plain WHERE user_id = auth.claim(''limit'')'),
    ('reader as argument', 'SELECT id FROM once.plain WHERE user_id = auth.claim(auth.claim(''path''))'),
    ('reader with SELECT as argument', 'SELECT id FROM once.plain WHERE user_id = auth.claim((SELECT auth.claim(''path'')))'),
    ('join', 'SELECT a.id FROM once.plain a JOIN once.plain b USING (id) WHERE a.user_id = auth.user_id()'),
    ('join condition', 'SELECT a.id FROM once.plain a LEFT JOIN once.plain b ON b.id = a.id AND b.user_id = auth.user_id()'),
    ('join of policies', 'SELECT a.id FROM once.notes a JOIN once.notes b USING (id)'),
    ('sub-query of each row', 'SELECT (SELECT count(*) FROM once.plain b WHERE b.id = a.id AND b.user_id = auth.user_id()) FROM once.plain a'),
    ('EXISTS', 'SELECT id FROM once.plain a WHERE EXISTS (SELECT FROM once.notes b WHERE b.id = a.id)'),
    ('EXISTS that stays', 'SELECT id FROM once.plain a WHERE n > 0 OR EXISTS (SELECT FROM once.plain b WHERE b.id = a.id AND b.user_id = auth.user_id())'),
    ('beside EXISTS', 'SELECT id FROM once.plain a WHERE user_id = auth.user_id() OR EXISTS (SELECT FROM once.plain b WHERE b.id = a.id + 1 AND b.user_id = auth.user_id())'),
    ('EXISTS in EXISTS', 'SELECT id FROM once.plain a WHERE n > 0 OR EXISTS (SELECT FROM once.plain b WHERE b.id = a.id AND (n > 0 OR EXISTS (SELECT FROM once.plain c WHERE c.id = b.id AND c.user_id = auth.user_id())))'),
    ('EXISTS in an array of the row', 'SELECT id FROM once.plain a WHERE n > 0 OR EXISTS (SELECT FROM unnest(ARRAY[a.user_id, ''x'']) AS u WHERE u = auth.user_id())'),
    ('EXISTS in a policy', 'SELECT id FROM once.shared'),
    ('EXISTS in a policy, UPDATE', 'UPDATE once.shared SET n = 2'),
    ('EXISTS in a policy, INSERT', 'INSERT INTO once.shared SELECT id + 1000, 0 FROM once.plain WHERE user_id = ''alice'''),
    ('inlined function', 'SELECT id FROM once.plain WHERE once.is_me(user_id)'),
    ('inlined function beside EXISTS', 'SELECT id FROM once.plain a WHERE once.is_me(user_id) OR EXISTS (SELECT FROM once.plain b WHERE b.id = a.id + 1 AND b.user_id = auth.user_id())'),
    ('setting as argument', 'SELECT id FROM once.plain WHERE user_id = auth.claim(current_setting(''once.path''))'),
    ('named argument', 'SELECT id FROM once.plain WHERE NOT auth.has_permission(permission_id => ''x'', team_id => ''y'')'),
    ('WITH', 'WITH mine AS MATERIALIZED (SELECT * FROM once.notes) SELECT a.id FROM mine a JOIN mine b USING (id)'),
    ('UNION ALL', 'SELECT id FROM once.notes UNION ALL SELECT id FROM once.notes'),
    ('aggregate', 'SELECT n, count(*) FILTER (WHERE user_id = auth.user_id()) FROM once.plain GROUP BY n'),
    ('order', 'SELECT id FROM once.plain ORDER BY user_id = auth.user_id()'),
    ('view', 'SELECT id FROM once.mine'),
    ('guarded view', 'SELECT id FROM once.mine_guarded WHERE n = 0'),
    ('inheritance', 'SELECT id FROM once.parent'),
    ('partitions', 'SELECT id FROM once.parted'),
    ('SQL function', 'SELECT once.count_sql()'),
    ('PL/pgSQL function', 'SELECT once.count_plpgsql()'),
    ('PL/pgSQL loop', 'SELECT once.loop_plpgsql()'),
    ('INSERT', 'INSERT INTO once.notes (id, user_id) SELECT id + 1000, ''alice'' FROM once.plain'),
    ('INSERT of defaults', 'INSERT INTO once.notes (id) SELECT id + 2000 FROM once.plain'),
    ('ON CONFLICT', 'INSERT INTO once.notes (id, user_id) SELECT id, user_id FROM once.plain WHERE user_id = ''alice'' ON CONFLICT (id) DO UPDATE SET n = 1'),
    ('UPDATE', 'UPDATE once.notes SET n = 2'),
    ('UPDATE to a reader', 'UPDATE once.plain SET user_id = auth.user_id() WHERE user_id = auth.user_id()'),
    ('UPDATE FROM', 'UPDATE once.notes SET n = 3 FROM once.plain p WHERE p.id = notes.id'),
    ('MERGE, or UPDATE without it', CASE WHEN :'has_merge' THEN
        'MERGE INTO once.notes n USING (SELECT * FROM once.plain WHERE user_id = ''alice'') p ON p.id = n.id
           WHEN MATCHED AND n.id > 200 THEN DELETE WHEN MATCHED THEN UPDATE SET n = 4'
        ELSE 'UPDATE once.notes SET n = 4 WHERE id <= 400' END),
    ('RETURNING', 'DELETE FROM once.notes WHERE id > 2000 RETURNING id, auth.user_id()'),
    ('DELETE', 'DELETE FROM once.notes WHERE id <= 200');

SET track_functions = 'all';
SET once.path = 'limit';
SELECT auth.impersonate('alice', '{"limit": "alice", "path": "limit"}', false);
SET ROLE authenticated;
BEGIN;
-- One InitPlan for each mention of the reader, and at most one call for each of these.
SELECT what, rows, calls BETWEEN 1 AND greatest(init_plans, 1) AND NOT elsewhere AS once
  FROM once.cases, once.plan(statement), once.measure(statement) ORDER BY number;
ROLLBACK;

-- By index, bitmap and sequential scan: the InitPlan's answer is an index condition.
CREATE FUNCTION pg_temp.scans(statement text) RETURNS TABLE (scan text, by_index boolean) LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (COSTS OFF, FORMAT JSON) ' || statement INTO plan;
    RETURN QUERY WITH RECURSIVE node(node) AS (
        SELECT plan -> 0 -> 'Plan'
        UNION ALL
        SELECT jsonb_array_elements(node -> 'Plans') FROM node)
    SELECT node ->> 'Node Type', node ->> 'Index Cond' LIKE '(user_id = %$0%' OR node ->> 'Index Cond' LIKE '(user_id = (InitPlan%'
      FROM node WHERE node ->> 'Node Type' LIKE '%Scan';
END
$$;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT scans.*, measure.* FROM pg_temp.scans('SELECT n FROM once.notes') AS scans, once.measure('SELECT n FROM once.notes');
SET enable_bitmapscan = on;
SET enable_indexscan = off;
SELECT scans.*, measure.* FROM pg_temp.scans('SELECT n FROM once.notes') AS scans, once.measure('SELECT n FROM once.notes');
SET enable_seqscan = on;
SET enable_bitmapscan = off;
SELECT scans.*, measure.* FROM pg_temp.scans('SELECT n FROM once.notes') AS scans, once.measure('SELECT n FROM once.notes');
RESET enable_indexscan;
RESET enable_bitmapscan;

-- Another user's partition is not read.
DO $$
DECLARE
    plan jsonb;
    part record;
BEGIN
    EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, FORMAT JSON) SELECT id FROM once.parted' INTO plan;
    FOR part IN
        WITH RECURSIVE node(node) AS (
            SELECT plan -> 0 -> 'Plan'
            UNION ALL
            SELECT jsonb_array_elements(node -> 'Plans') FROM node)
        SELECT node ->> 'Relation Name' AS name, (node ->> 'Actual Loops')::int AS loops
          FROM node WHERE node ? 'Relation Name' ORDER BY 1
    LOOP
        RAISE NOTICE '% is read % times', part.name, part.loops;
    END LOOP;
END
$$;

-- Prepared statements, with a plan for each execution and with one for all, whoever executes.
PREPARE notes(int) AS SELECT id FROM once.notes WHERE id > $1;
PREPARE claimed(text) AS SELECT id FROM once.plain WHERE user_id = auth.claim($1);
SET plan_cache_mode = force_custom_plan;
SELECT * FROM once.measure('EXECUTE notes(0)');
SELECT * FROM once.measure('EXECUTE claimed(''limit'')');
SET plan_cache_mode = force_generic_plan;
SELECT * FROM once.measure('EXECUTE notes(0)');
SELECT * FROM once.measure('EXECUTE claimed(''limit'')');
RESET ROLE;
SELECT auth.impersonate('carol', '{"limit": "bob"}', false);
SET ROLE authenticated;
SELECT * FROM once.measure('EXECUTE notes(0)');
SELECT * FROM once.measure('EXECUTE claimed(''limit'')');
RESET ROLE;
SELECT auth.impersonate('alice', '{"limit": "alice", "path": "limit"}', false);
SET ROLE authenticated;
SELECT * FROM once.measure('EXECUTE notes(0)');
RESET plan_cache_mode;

-- Who names a primary key meets one row: there the plain call stays, which costs less than an InitPlan.
RESET ROLE;
CREATE TABLE once.accounts (user_id varchar(50) PRIMARY KEY, n int DEFAULT 0);
CREATE TABLE once.members (team_id uuid, user_id text COLLATE "C", n numeric DEFAULT 0, PRIMARY KEY (team_id, user_id));
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
SET ROLE authenticated;
CREATE TEMP TABLE one_row (number int GENERATED ALWAYS AS IDENTITY, what text, statement text);
INSERT INTO one_row (what, statement) VALUES
    ('by key', 'SELECT user_id FROM once.notes WHERE id = 2'),
    ('by key, somebody else''s', 'SELECT user_id FROM once.notes WHERE id = 3'),
    ('by key and more', 'SELECT user_id, auth.user_id() FROM once.notes WHERE n = 0 AND (2::smallint = id AND n IS NOT NULL)'),
    ('by key of another order', 'SELECT user_id FROM once.names WHERE name = ''7'''),
    ('the policy names the key', 'SELECT n FROM once.accounts'),
    ('policy and query name its parts', format('SELECT n FROM once.members WHERE team_id = %L', md5('7')::uuid)),
    ('UPDATE', 'UPDATE once.notes SET n = n + 1 WHERE id = 2'),
    ('DELETE', 'DELETE FROM once.notes WHERE id = 2'),
    ('INSERT', 'INSERT INTO once.notes (id) VALUES (5000)'),
    ('upsert', 'INSERT INTO once.notes (id) VALUES (4) ON CONFLICT (id) DO UPDATE SET n = 7');
BEGIN;
-- To plan it, PostgreSQL calls the reader as well, to estimate how many rows there are.
SELECT what, rows, calls < 5 AS few_calls, init_plans FROM one_row, once.plan(statement), once.measure(statement) ORDER BY number;
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
SELECT what, calls <= init_plans AND NOT elsewhere AS once
  FROM one_row, once.plan(statement), once.measure(statement) ORDER BY number;
ROLLBACK;
-- One plan serves whoever is signed in.
SET plan_cache_mode = force_generic_plan;
PREPARE note(int) AS SELECT user_id FROM once.notes WHERE id = $1;
EXECUTE note(2);
EXECUTE note(3);
SELECT * FROM once.measure('EXECUTE note(2)');
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
SELECT auth.impersonate('alice', '{"limit": "alice", "path": "limit"}', false);
SET ROLE authenticated;
RESET plan_cache_mode;

-- In the leader of a parallel query, whose workers scan: a call in a worker would not be counted here.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT scan, rows, calls, elsewhere
  FROM pg_temp.scans('SELECT id FROM once.notes'), once.measure('SELECT id FROM once.notes'), once.plan('SELECT id FROM once.notes');
DO $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE 'EXPLAIN (COSTS OFF, FORMAT JSON) SELECT id FROM once.notes' INTO plan;
    RAISE NOTICE '%', plan -> 0 -> 'Plan' ->> 'Node Type';
END
$$;
RESET ROLE;
RESET ALL;

-- What is stored is what was written.
SELECT pg_get_viewdef('once.mine'::regclass) ~ 'user_id = auth\.user_id\(\)' AS view;
SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 'once.notes'::regclass;
SELECT auth.logout();
SET client_min_messages = warning;
DROP SCHEMA once CASCADE;
