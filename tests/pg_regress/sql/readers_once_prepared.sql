-- A prepared statement evaluates a reader once per execution, with a plan for each execution and with
-- one for all, whoever executes it.
\set SHOW_CONTEXT never
CALL make_notes('once');
SET track_functions = 'all';
SELECT auth.impersonate('alice', '{"limit": "alice", "path": "limit"}', false);
SET ROLE authenticated;
PREPARE notes(int) AS SELECT id FROM once.notes WHERE id > $1;
PREPARE claimed(text) AS SELECT id FROM once.plain WHERE user_id = auth.claim($1);
SET plan_cache_mode = force_custom_plan;
SELECT * FROM measure('EXECUTE notes(0)');
SELECT * FROM measure('EXECUTE claimed(''limit'')');
SET plan_cache_mode = force_generic_plan;
SELECT * FROM measure('EXECUTE notes(0)');
SELECT * FROM measure('EXECUTE claimed(''limit'')');
RESET ROLE;
SELECT auth.impersonate('carol', '{"limit": "bob"}', false);
SET ROLE authenticated;
SELECT * FROM measure('EXECUTE notes(0)');
SELECT * FROM measure('EXECUTE claimed(''limit'')');
RESET ROLE;
SELECT auth.impersonate('alice', '{"limit": "alice", "path": "limit"}', false);
SET ROLE authenticated;
SELECT * FROM measure('EXECUTE notes(0)');
RESET plan_cache_mode;
RESET ROLE;
SELECT auth.logout();
-- A statement that was planned before the session has loaded the library is planned again.
CREATE TABLE once.early AS SELECT i AS id, 'user' || i % 500 AS user_id FROM generate_series(1, 5000) AS i;
CREATE INDEX ON once.early (user_id);
ANALYZE once.early;
ALTER TABLE once.early ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON once.early TO authenticated USING ((SELECT auth.user_id() = user_id));
GRANT SELECT ON once.early TO authenticated;
\c -
SET enable_bitmapscan = off;
SET plan_cache_mode = force_generic_plan;
SET ROLE authenticated;
PREPARE early AS SELECT id FROM once.early;
EXECUTE early;
SELECT string_agg(node::text, ' ') LIKE '%"Index Cond"%' AS by_index FROM plan_nodes('EXECUTE early') AS node;
RESET ROLE;
SET client_min_messages = warning;
DROP SCHEMA once CASCADE;
