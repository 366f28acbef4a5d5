-- An array of users is written whole or not at all.
\set SHOW_CONTEXT never
BEGIN;
SELECT neon_auth.upsert_users('[{"id": "u1", "display_name": "One"}, {"id": "u2"}, {"id": "u3"}]');
-- The answer counts what changed: one is new, one is different, one is the same.
SELECT neon_auth.upsert_users('[{"id": "u4"}, {"id": "u1", "display_name": "Uno"}, {"id": "u2"}]');
SELECT id, name FROM neon_auth.users_sync ORDER BY id COLLATE "C";

-- Of several objects for one id the last counts, and the row counts once.
SELECT neon_auth.upsert_users('[{"id": "u5", "display_name": "first"}, {"id": "u6"}, {"id": "u5", "display_name": "last"}]');
SELECT id, name FROM neon_auth.users_sync WHERE id >= 'u5' ORDER BY id COLLATE "C";
-- The last object is that of the row already: nothing changes, whatever came before it.
SELECT neon_auth.upsert_users('[{"id": "u5", "display_name": "other"}, {"id": "u5", "display_name": "last"}]');

SELECT neon_auth.upsert_users('[]');
SAVEPOINT s;
SELECT neon_auth.upsert_users(NULL);
\echo :SQLSTATE
ROLLBACK TO s;

-- A thousand at once.
SELECT neon_auth.upsert_users((SELECT jsonb_agg(jsonb_build_object('id', 'many-' || n)) FROM generate_series(1, 1000) AS n));
SELECT count(*) FROM neon_auth.users_sync WHERE id LIKE 'many-%';
ROLLBACK;

-- One that is malformed keeps all out, and is named by its place.
SELECT neon_auth.upsert_users('[{"id": "u1"}, {"id": "u2"}, {"display_name": "Alice Example"}]');
\echo :SQLSTATE
-- The first of several is named.
SELECT neon_auth.upsert_users('[{"id": "u1"}, null, {"id": 3}, []]');
\echo :SQLSTATE
-- A malformed object counts also where a later one for its id is good.
SELECT neon_auth.upsert_users('[{"id": "u1", "signed_up_at_millis": "yesterday"}, {"id": "u1"}]');
\echo :SQLSTATE
SELECT count(*) FROM neon_auth.users_sync;

SELECT neon_auth.upsert_users('{"id": "u1"}');
\echo :SQLSTATE
SELECT neon_auth.upsert_users('"u1"');
\echo :SQLSTATE
SELECT neon_auth.upsert_users('null');
\echo :SQLSTATE
