-- A reader is evaluated once per query and not per row, wherever a policy or a query names it.
-- PostgreSQL counts the calls; each case below would make at least a hundred.
\set SHOW_CONTEXT never
CALL make_notes('once');
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
CREATE FUNCTION once.count_plpgsql() RETURNS bigint LANGUAGE plpgsql STABLE
    AS 'BEGIN RETURN (SELECT count(*) FROM once.notes); END';
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
    ('readers of sessions', 'SELECT id FROM once.plain WHERE user_id = auth.actor() ->> ''user_id'' AND auth.session_id() IS NULL'),
    ('organization', 'SELECT id FROM once.plain WHERE user_id = auth.organization() ->> ''id'''),
    ('constant argument', 'SELECT id FROM once.plain WHERE user_id = auth.claim(''limit'')'),
    ('reader as argument', 'SELECT id FROM once.plain WHERE user_id = auth.claim(auth.claim(''path''))'),
    ('reader with SELECT as argument',
     'SELECT id FROM once.plain WHERE user_id = auth.claim((SELECT auth.claim(''path'')))'),
    ('join', 'SELECT a.id FROM once.plain a JOIN once.plain b USING (id) WHERE a.user_id = auth.user_id()'),
    ('join condition',
     'SELECT a.id FROM once.plain a LEFT JOIN once.plain b ON b.id = a.id AND b.user_id = auth.user_id()'),
    ('join of policies', 'SELECT a.id FROM once.notes a JOIN once.notes b USING (id)'),
    ('sub-query of each row',
     'SELECT (SELECT count(*) FROM once.plain b WHERE b.id = a.id AND b.user_id = auth.user_id()) FROM once.plain a'),
    ('EXISTS', 'SELECT id FROM once.plain a WHERE EXISTS (SELECT FROM once.notes b WHERE b.id = a.id)'),
    ('EXISTS that stays',
     'SELECT id FROM once.plain a WHERE n > 0 OR EXISTS (SELECT FROM once.plain b WHERE b.id = a.id
       AND b.user_id = auth.user_id())'),
    ('beside EXISTS',
     'SELECT id FROM once.plain a WHERE user_id = auth.user_id() OR EXISTS (SELECT FROM once.plain b
       WHERE b.id = a.id + 1 AND b.user_id = auth.user_id())'),
    ('EXISTS in EXISTS',
     'SELECT id FROM once.plain a WHERE n > 0 OR EXISTS (SELECT FROM once.plain b WHERE b.id = a.id AND (n > 0
       OR EXISTS (SELECT FROM once.plain c WHERE c.id = b.id AND c.user_id = auth.user_id())))'),
    ('EXISTS in an array of the row',
     'SELECT id FROM once.plain a WHERE n > 0 OR EXISTS (SELECT FROM unnest(ARRAY[a.user_id, ''x'']) AS u
       WHERE u = auth.user_id())'),
    ('EXISTS in a policy', 'SELECT id FROM once.shared'),
    ('EXISTS in a policy, UPDATE', 'UPDATE once.shared SET n = 2'),
    ('EXISTS in a policy, INSERT',
     'INSERT INTO once.shared SELECT id + 1000, 0 FROM once.plain WHERE user_id = ''alice'''),
    ('inlined function', 'SELECT id FROM once.plain WHERE once.is_me(user_id)'),
    ('inlined function beside EXISTS',
     'SELECT id FROM once.plain a WHERE once.is_me(user_id) OR EXISTS (SELECT FROM once.plain b
       WHERE b.id = a.id + 1 AND b.user_id = auth.user_id())'),
    ('setting as argument', 'SELECT id FROM once.plain WHERE user_id = auth.claim(current_setting(''once.path''))'),
    ('named argument',
     'SELECT id FROM once.plain WHERE NOT auth.has_permission(permission_id => ''x'', team_id => ''y'')'),
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
    ('ON CONFLICT',
     'INSERT INTO once.notes (id, user_id) SELECT id, user_id FROM once.plain WHERE user_id = ''alice''
       ON CONFLICT (id) DO UPDATE SET n = 1'),
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
-- Each mention of a reader is in an InitPlan, and is called at most once.
SELECT what, rows, calls BETWEEN 1 AND greatest(in_init_plans, 1) AND NOT elsewhere AS once
  FROM once.cases, reader_plan(statement), measure(statement) ORDER BY number;
ROLLBACK;

RESET ROLE;
-- What is stored is what was written.
SELECT pg_get_viewdef('once.mine'::regclass) ~ 'user_id = auth\.user_id\(\)' AS view;
SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polrelid = 'once.notes'::regclass;
SELECT auth.logout();
SET client_min_messages = warning;
DROP SCHEMA once CASCADE;
