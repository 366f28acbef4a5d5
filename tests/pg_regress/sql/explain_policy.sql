-- neon_auth.explain_policy: who may do what with which row, and why.
CREATE TABLE todos (id int PRIMARY KEY, owner text NOT NULL DEFAULT auth.user_id(), task text, done boolean DEFAULT false);
INSERT INTO todos VALUES (1, 'ann', 'a'), (2, 'bob', 'b');
GRANT SELECT, INSERT, UPDATE (task, done) ON todos TO authenticated;
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
\set SHOW_CONTEXT never
SELECT * FROM neon_auth.explain_policy('todos');
CREATE POLICY own ON todos TO authenticated USING (owner = auth.user_id());
CREATE POLICY open ON todos AS RESTRICTIVE FOR UPDATE USING (NOT done AND task IS NOT NULL) WITH CHECK (true);
\pset null NULL
SELECT * FROM neon_auth.explain_policy('todos', 'SELECT', '{"id": 1}', 'ann');
SELECT * FROM neon_auth.explain_policy('todos', 'SELECT', '{"id": 2}', 'ann');
SELECT * FROM neon_auth.explain_policy('todos', 'UPDATE', '{"id": 1, "task": "x", "owner": "bob"}', 'ann');
SELECT * FROM neon_auth.explain_policy('todos', 'INSERT', '{"id": 3}');
SELECT * FROM neon_auth.explain_policy('todos', 'INSERT', '{"id": 3}', 'ann');
SELECT * FROM neon_auth.explain_policy('todos', 'DELETE', '{"id": 1}', 'ann');

-- Parts of policies
SELECT step, name, expression, result, reason FROM neon_auth.explain_policy('todos', 'UPDATE', '{"id": 2}', 'bob')
 WHERE kind = 'restrictive UPDATE: USING';
UPDATE todos SET done = true, task = NULL WHERE id = 2;
SELECT step, name, expression, result, reason FROM neon_auth.explain_policy('todos', 'UPDATE', '{"id": 2}', 'bob')
 WHERE kind = 'restrictive UPDATE: USING';

-- Policies that write, recurse, leave the role or take too long
CREATE TABLE written (what text);
GRANT INSERT ON written TO authenticated;
CREATE FUNCTION writes() RETURNS boolean LANGUAGE sql AS $$INSERT INTO written VALUES (current_user) RETURNING true$$;
CREATE FUNCTION leaves() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RESET ROLE; RETURN true; END$$;
CREATE TABLE odd (id int PRIMARY KEY);
INSERT INTO odd VALUES (1);
ALTER TABLE odd ENABLE ROW LEVEL SECURITY;
GRANT SELECT, UPDATE ON odd TO authenticated;
CREATE POLICY writes ON odd FOR SELECT USING (writes());
CREATE POLICY leaves ON odd AS RESTRICTIVE FOR SELECT USING (leaves());
SELECT step, name, result, reason FROM neon_auth.explain_policy('odd', 'SELECT', '{"id": 1}') WHERE step ~ 'pol|verd';
SELECT count(*) FROM written;
DROP POLICY leaves ON odd;
SELECT step, name, result, reason FROM neon_auth.explain_policy('odd', 'SELECT', '{"id": 1}') WHERE step ~ 'pol|verd';
SELECT count(*) FROM written;
CREATE POLICY recursive ON odd FOR UPDATE USING (EXISTS (SELECT FROM odd));
CREATE POLICY other ON odd FOR SELECT USING (EXISTS (SELECT FROM todos));
SELECT step, expression, result, reason FROM neon_auth.explain_policy('odd', 'UPDATE', '{"id": 1}')
 WHERE step ~ 'statement|verdict';
DROP POLICY recursive ON odd;
CREATE POLICY slow ON odd FOR UPDATE USING (pg_sleep(60) IS NULL);
SET statement_timeout = '200ms';
SELECT count(*) FROM neon_auth.explain_policy('odd', 'UPDATE', '{"id": 1}');
RESET statement_timeout;

-- Whom policies do not bind
CREATE ROLE explain_owner;
ALTER TABLE odd OWNER TO explain_owner;
GRANT USAGE ON SCHEMA public TO explain_owner;
SELECT kind, result, reason FROM neon_auth.explain_policy('odd', role => 'explain_owner') WHERE step ~ 'row sec|verdict';
ALTER TABLE odd FORCE ROW LEVEL SECURITY;
SELECT kind, result, reason FROM neon_auth.explain_policy('odd', role => 'explain_owner') WHERE step = 'row security';
SELECT kind, result, reason FROM neon_auth.explain_policy('odd', role => 'postgres') WHERE step ~ 'row sec|verdict';

-- Other relations
CREATE VIEW seen AS SELECT o.id FROM odd o JOIN todos USING (id);
CREATE MATERIALIZED VIEW kept AS SELECT 1 AS one;
GRANT SELECT ON seen, kept TO authenticated;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (id int) SERVER nowhere;
CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
GRANT SELECT ON parted TO authenticated;
ALTER TABLE parted ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON parted USING (id < 5);
INSERT INTO parted VALUES (1), (7);
SELECT r.relation, e.step, e.name, e.kind, e.result, e.reason
  FROM (VALUES ('seen'), ('kept'), ('far'), ('part_1')) AS r(relation),
       neon_auth.explain_policy(r.relation::regclass) AS e WHERE e.step NOT IN ('user', 'schema');
SELECT id, step, kind, result, reason
  FROM generate_series(1, 7, 6) AS id, neon_auth.explain_policy('parted', 'SELECT', jsonb_build_object('id', id))
 WHERE step ~ 'inh|pol|verd';

-- Bad input
\set VERBOSITY default
SELECT count(*) FROM neon_auth.explain_policy(NULL);
SELECT count(*) FROM neon_auth.explain_policy('odd', NULL);
SELECT count(*) FROM neon_auth.explain_policy(0);
SELECT count(*) FROM neon_auth.explain_policy('odd_pkey');
SELECT count(*) FROM neon_auth.explain_policy('odd', 'TRUNCATE');
SELECT count(*) FROM neon_auth.explain_policy('odd', 'SELECT', '[1]');
SELECT count(*) FROM neon_auth.explain_policy('odd', 'SELECT', '{"no": 1}');
SELECT count(*) FROM neon_auth.explain_policy('todos', 'SELECT', '{"task": "a"}');
SELECT count(*) FROM neon_auth.explain_policy('written', 'SELECT', '{"what": "a"}');
SELECT count(*) FROM neon_auth.explain_policy('odd', 'SELECT', '{"id": "one"}');
SELECT count(*) FROM neon_auth.explain_policy('odd', 'DELETE', '{"id": 3000000000}');
SELECT count(*) FROM neon_auth.explain_policy('odd', role => 'nobody_has_this');
SELECT count(*) FROM neon_auth.explain_policy('odd', role => NULL);
-- Before setup_roles.
BEGIN;
ALTER ROLE anonymous RENAME TO renamed;
SELECT count(*) FROM neon_auth.explain_policy('odd', role => 'anonymous');
ROLLBACK;
SELECT count(*) FROM neon_auth.explain_policy('odd', user_id => '');
-- Also where no policy would use the identity
SELECT count(*) FROM neon_auth.explain_policy('parted', 'DELETE', user_id => '');
SELECT count(*) FROM neon_auth.explain_policy('parted', user_id => 'ann', claims => '[]');
SELECT count(*) FROM neon_auth.explain_policy('parted', claims => '[]');
SELECT count(*) > 0 FROM neon_auth.explain_policy('parted', user_id => 'ann', claims => NULL);
SELECT result, reason FROM neon_auth.explain_policy('odd', 'SELECT', '{"id": 9}') WHERE step = 'verdict';
GRANT EXECUTE ON FUNCTION neon_auth.explain_policy TO explain_owner;
SET ROLE explain_owner;
SELECT count(*) FROM neon_auth.explain_policy('odd');
SELECT count(*) > 0 FROM neon_auth.explain_policy('odd', role => 'explain_owner');
SELECT current_user, auth.user_id();
RESET ROLE;
SET ROLE authenticated;
SELECT count(*) FROM neon_auth.explain_policy('odd');
RESET ROLE;
SET client_min_messages = warning;
DROP TABLE todos, odd, written, parted CASCADE;
DROP MATERIALIZED VIEW kept;
DROP FOREIGN DATA WRAPPER nothing CASCADE;
DROP FUNCTION writes, leaves;
REVOKE ALL ON FUNCTION neon_auth.explain_policy FROM explain_owner;
REVOKE ALL ON SCHEMA public FROM explain_owner;
DROP ROLE explain_owner;
