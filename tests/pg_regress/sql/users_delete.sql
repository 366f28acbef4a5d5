-- A deletion is soft, so that foreign keys and history hold, and it is final.
\set SHOW_CONTEXT never
BEGIN;
SELECT neon_auth.upsert_users('[{"id": "u1", "display_name": "Alice Example"}, {"id": "u2"}]');
UPDATE neon_auth.users_sync SET updated_at = '2020-01-01';
SELECT neon_auth.delete_user('u1');
SELECT id, name, deleted_at BETWEEN now() AND clock_timestamp() AS deleted_now, updated_at BETWEEN now() AND clock_timestamp() AS updated_now FROM neon_auth.users_sync ORDER BY id;
-- Once is enough: the time of the deletion stays.
UPDATE neon_auth.users_sync SET deleted_at = '2020-01-01', updated_at = '2020-01-01' WHERE id = 'u1';
SELECT neon_auth.delete_user('u1');
SELECT deleted_at = '2020-01-01' AS deleted_at_kept, updated_at = '2020-01-01' AS updated_at_kept
  FROM neon_auth.users_sync WHERE id = 'u1';
-- A late or repeated event about a deleted user does not bring it back.
SELECT neon_auth.upsert_user('{"id": "u1", "display_name": "Alice Again"}');
SELECT id, name, deleted_at IS NOT NULL AS deleted FROM neon_auth.users_sync WHERE id = 'u1';
-- Others of the same array are written.
SELECT neon_auth.upsert_users('[{"id": "u1"}, {"id": "u2", "display_name": "Bob Example"}, {"id": "u3"}]');
SELECT id, name, deleted_at IS NOT NULL AS deleted FROM neon_auth.users_sync ORDER BY id;
-- Nothing is said where nothing was ignored.
SELECT neon_auth.upsert_users('[{"id": "u2", "display_name": "Bob Example"}, {"id": "u3"}]');
-- Who is not there cannot be deleted.
SELECT neon_auth.delete_user('u9'), neon_auth.delete_user('');
-- NULL is the id of nobody: it comes from a variable that is not set.
SAVEPOINT s;
SELECT neon_auth.delete_user(NULL);
\echo :SQLSTATE
ROLLBACK TO s;
SELECT count(*) FROM neon_auth.users_sync;
ROLLBACK;
