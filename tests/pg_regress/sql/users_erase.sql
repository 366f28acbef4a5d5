-- Of an erased user the id and times are left, for good.
\set SHOW_CONTEXT never
\set VERBOSITY default
BEGIN;
SELECT neon_auth.upsert_users('[{"id": "u1", "display_name": "Alice Example", "primary_email": "alice@example.com", "signed_up_at_millis": 1700000000123,
    "server_metadata": {"phone": "1"}, "oauth_providers": [{"email": "alice@example.org"}]}, {"id": "u2", "display_name": "Bob Example"}]');
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('t1', 'u1'), ('t1', 'u2');
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('t1', 'u1', 'editor'), ('t1', 'u2', 'editor');
INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) VALUES ('u1', 'beta'), ('u2', 'beta');
SELECT neon_auth_internal.queue_sync('user', '', id, 'A test.'), neon_auth_internal.note_removal('team_member', 't2', id, ''),
       neon_auth_internal.see(0, 'member', jsonb_build_array(jsonb_build_object('team_id', 't1', 'user_id', id))::text),
       neon_auth_internal.see_members(jsonb_build_array(id)),
       neon_auth_internal.list_items(1, 'member', jsonb_build_array(jsonb_build_object('team_id', 't1', 'user_id', id))::text)
  FROM neon_auth.users_sync;
SELECT count(neon_auth.create_api_key(id, 'backup')) FROM neon_auth.users_sync;
CREATE TABLE notes (user_id text REFERENCES neon_auth.users_sync (id));
INSERT INTO notes VALUES ('u1');
SELECT neon_auth.erase_user('u1');
SELECT raw_json, id, name, email, created_at, deleted_at = updated_at AS now, deleted_at BETWEEN now() AND clock_timestamp() AS deleted
  FROM neon_auth.users_sync WHERE id = 'u1' \gx
-- Every table of the extension that names users: of the erased one there is one row.
CREATE FUNCTION pg_temp.rows_of_users(named regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    rows text;
BEGIN
    EXECUTE format('SELECT count(*) FILTER (WHERE t::text ~ ''u1'') || '' '' || count(*) FILTER (WHERE t::text ~ ''u2'') FROM %s t', named) INTO rows;
    RETURN rows;
END
$$;
SELECT c.relname, pg_temp.rows_of_users(c.oid) AS rows
  FROM pg_class c
  JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND e.extname = 'neon_auth'
 WHERE c.relkind = 'r' AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND (a.attname = 'user_id' OR c.relname = 'users_sync'))
 ORDER BY c.relname COLLATE "C";
-- Once is enough.
UPDATE neon_auth.users_sync SET deleted_at = '2020-01-01', updated_at = '2020-01-01' WHERE id = 'u1';
SELECT neon_auth.erase_user('u1');
SELECT deleted_at = '2020-01-01' AS deleted_at_kept, updated_at = '2020-01-01' AS updated_at_kept FROM neon_auth.users_sync WHERE id = 'u1';
-- Nothing that comes later brings it back, or anything of it.
SELECT neon_auth.upsert_user('{"id": "u1", "display_name": "Alice Again"}');
SELECT deliver('user.updated', '{"id": "u1", "display_name": "Alice Again"}') AS updated,
       deliver('user.deleted', '{"id": "u1", "display_name": "Alice Again"}') AS deleted,
       neon_auth_internal.apply_membership('created', 't1', 'u1', 'msg_1'),
       neon_auth_internal.apply_permission('created', NULL, 'u1', 'beta', 'msg_2') \gx
SELECT raw_json FROM neon_auth.users_sync WHERE id = 'u1';
SELECT count(*) FROM neon_auth.team_members_sync WHERE user_id = 'u1';
-- It is deleted, for all who ask.
SELECT auth.impersonate('u1');
SELECT auth.profile() IS NULL AS nobody, auth.is_team_member('t1') AS member, auth.has_permission('beta') AS beta;
SELECT auth.logout();
-- One who was deleted before keeps the time of that; one whom nobody knows yet is erased ahead.
SELECT neon_auth.delete_user('u2');
UPDATE neon_auth.users_sync SET deleted_at = '2020-01-01', updated_at = '2020-01-01' WHERE id = 'u2';
SELECT neon_auth.erase_user('u2'), neon_auth.erase_user('u3');
SELECT id, raw_json, deleted_at = '2020-01-01' AS kept, updated_at >= now() AS updated_now FROM neon_auth.users_sync WHERE id > 'u1' ORDER BY id;
SELECT deliver('user.created', '{"id": "u3", "display_name": "Carol Example"}');
SAVEPOINT s;
SELECT neon_auth.erase_user(NULL);
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.erase_user('');
\echo :SQLSTATE
ROLLBACK;

-- Those who were deleted a while ago, a thousand at a time; who is left has not been deleted, or not long ago.
BEGIN;
SELECT neon_auth.upsert_users((SELECT jsonb_agg(jsonb_build_object('id', 'u' || n, 'display_name', 'User ' || n)) FROM generate_series(1, 2500) n));
UPDATE neon_auth.users_sync SET deleted_at = now() - interval '1 hour' WHERE id <> 'u7';
UPDATE neon_auth.users_sync SET deleted_at = now() - interval '1 minute' WHERE id = 'u8';
WITH RECURSIVE steps(n, place) AS (
    SELECT 0, '["-infinity", ""]'::jsonb
    UNION ALL
    SELECT n + 1, neon_auth_internal.erase_deleted(600, place) FROM steps WHERE place IS NOT NULL)
SELECT max(n) AS steps, count(place) AS places FROM steps;
SELECT id, name, updated_at >= now() AS updated FROM neon_auth.users_sync WHERE name IS NOT NULL ORDER BY id;
SELECT count(*) AS erased FROM neon_auth.users_sync WHERE raw_json = jsonb_build_object('id', id);
ROLLBACK;
