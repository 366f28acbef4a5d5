-- An array of teams is written whole or not at all, as one of users is.
\set SHOW_CONTEXT never
BEGIN;
SELECT neon_auth.upsert_teams('[{"id": "t2"}, {"id": "t1", "display_name": "Red", "created_at_millis": 1700000000123, "server_metadata": {"a": 1}}, {"id": "t3"}]');
SELECT id, name, created_at AT TIME ZONE 'UTC' AS created_at, updated_at BETWEEN now() AND clock_timestamp() AS updated_now, deleted_at, raw_json FROM neon_auth.teams_sync ORDER BY id;
-- The answer counts what changed: one is new, one is different, one is the same, one comes twice.
SELECT neon_auth.upsert_teams('[{"id": "t4"}, {"id": "t3", "display_name": "first"}, {"id": "t1", "display_name": "Crimson"}, {"id": "t2"}, {"id": "t3"}]');
SELECT id, name FROM neon_auth.teams_sync ORDER BY id;
SELECT neon_auth.upsert_teams('[]');
SAVEPOINT s;
SELECT neon_auth.upsert_teams(NULL);
\echo :SQLSTATE
ROLLBACK TO s;

-- What is the same is not written again.
UPDATE neon_auth.teams_sync SET updated_at = '2020-01-01';
CREATE TEMP TABLE before ON COMMIT DROP AS SELECT id, ctid AS place, xmin::text AS inserted_by, cmin::text AS command FROM neon_auth.teams_sync;
SELECT neon_auth.upsert_teams((SELECT jsonb_agg(raw_json) FROM neon_auth.teams_sync));
SELECT b.id, b.place = t.ctid AND b.inserted_by = t.xmin::text AND b.command = t.cmin::text AS same_row_version, t.updated_at = '2020-01-01' AS same_time
  FROM before b JOIN neon_auth.teams_sync t USING (id) ORDER BY id;

-- A deleted team stays deleted, and others of the same array are written.
SELECT deliver('team.deleted', '{"id": "t1"}');
SELECT neon_auth.upsert_teams('[{"id": "t1", "display_name": "Again"}, {"id": "t2", "display_name": "Blue"}]');
SELECT id, name, deleted_at IS NOT NULL AS deleted FROM neon_auth.teams_sync ORDER BY id;
-- Nothing is told of it to be confirmed: who writes arrays has asked REST.
SELECT count(*) FROM neon_auth.sync_queue;
ROLLBACK;

-- One team by itself.
BEGIN;
SELECT neon_auth.upsert_team('{"id": "t1", "display_name": "Red"}') AS new, neon_auth.upsert_team('{"id": "t1", "display_name": "Red"}') AS same,
       neon_auth.upsert_team('{"id": "t1", "display_name": "Crimson"}') AS changed;
SELECT id, name, raw_json FROM neon_auth.teams_sync;
SELECT neon_auth.delete_team('t1');
SELECT neon_auth.upsert_team('{"id": "t1", "display_name": "Again"}');
SELECT id, name, deleted_at IS NOT NULL AS deleted FROM neon_auth.teams_sync;
SAVEPOINT s;
SELECT neon_auth.upsert_team(NULL);
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.upsert_team('{"id": 7}');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.upsert_team('{"id": "t2", "created_at_millis": "yesterday"}');
\echo :SQLSTATE
ROLLBACK;

-- One that is malformed keeps all out, and is named by its place.
SELECT neon_auth.upsert_teams('[{"id": "t1"}, {"id": 7}]');
\echo :SQLSTATE
SELECT neon_auth.upsert_teams('[{"id": "t1"}, {"id": "t2", "created_at_millis": "yesterday"}, null]');
\echo :SQLSTATE
SELECT neon_auth.upsert_teams('{"id": "t1"}');
\echo :SQLSTATE
SELECT count(*) FROM neon_auth.teams_sync;

-- Nobody may call it but who is granted it, and that alone is enough.
SET SESSION AUTHORIZATION stranger;
SELECT neon_auth.upsert_teams('[]');
\echo :SQLSTATE
SELECT neon_auth.upsert_team('{"id": "t1"}');
\echo :SQLSTATE
SELECT neon_auth.delete_team('t1');
\echo :SQLSTATE
SELECT neon_auth_internal.changed_objects('team', '[]');
\echo :SQLSTATE
RESET SESSION AUTHORIZATION;
BEGIN;
GRANT EXECUTE ON FUNCTION neon_auth.upsert_teams(jsonb) TO stranger;
SET LOCAL SESSION AUTHORIZATION stranger;
SELECT neon_auth.upsert_teams('[{"id": "t1"}]');
SELECT * FROM neon_auth.teams_sync;
\echo :SQLSTATE
ROLLBACK;
