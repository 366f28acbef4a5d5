-- However rows are scanned, a reader in a policy is evaluated once, and its answer chooses the rows.
\set SHOW_CONTEXT never
CALL make_notes('once');
CREATE TABLE once.parted (user_id text, id int) PARTITION BY LIST (user_id);
CREATE TABLE once.parted_alice PARTITION OF once.parted FOR VALUES IN ('alice');
CREATE TABLE once.parted_bob PARTITION OF once.parted FOR VALUES IN ('bob');
INSERT INTO once.parted SELECT user_id, id FROM once.plain;
ALTER TABLE once.parted ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON once.parted TO authenticated USING (user_id = auth.user_id());
GRANT SELECT ON once.parted TO authenticated;
ANALYZE once.parted;

SET track_functions = 'all';
SELECT auth.impersonate('alice', '{"limit": "alice", "path": "limit"}', false);
SET ROLE authenticated;
-- By index, bitmap and sequential scan: the InitPlan's answer is an index condition.
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT scans.*, measure.* FROM scans('SELECT n FROM once.notes') AS scans, measure('SELECT n FROM once.notes');
SET enable_bitmapscan = on;
SET enable_indexscan = off;
SELECT scans.*, measure.* FROM scans('SELECT n FROM once.notes') AS scans, measure('SELECT n FROM once.notes');
SET enable_seqscan = on;
SET enable_bitmapscan = off;
SELECT scans.*, measure.* FROM scans('SELECT n FROM once.notes') AS scans, measure('SELECT n FROM once.notes');
RESET enable_indexscan;
RESET enable_bitmapscan;

-- Another user's partition is not read.
SELECT node ->> 'Relation Name' AS name, node ->> 'Actual Loops' AS loops
  FROM plan_nodes('SELECT id FROM once.parted', ', ANALYZE, TIMING OFF, SUMMARY OFF') AS node
 WHERE node ? 'Relation Name' ORDER BY 1;

-- In the leader of a parallel query, whose workers scan: a call in a worker would not be counted here.
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SET enable_indexscan = off;
SET enable_bitmapscan = off;
SELECT scan, rows, calls, elsewhere
  FROM scans('SELECT id FROM once.notes'), measure('SELECT id FROM once.notes'),
       reader_plan('SELECT id FROM once.notes');
SELECT node ->> 'Node Type' AS top FROM plan_nodes('SELECT id FROM once.notes') AS node LIMIT 1;
RESET ROLE;
RESET ALL;
SELECT auth.logout();
SET client_min_messages = warning;
DROP SCHEMA once CASCADE;
