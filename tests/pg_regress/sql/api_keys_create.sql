-- API keys: their form, what the table has of them, and what cannot become a key.
\set SHOW_CONTEXT never
BEGIN;
SELECT neon_auth.upsert_users('[{"id": "alice"}, {"id": "bob"}, {"id": "gone"}]');
SELECT neon_auth.delete_user('gone');
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('t1', 'alice'), ('t2', 'alice'), ('t3', 'bob');
INSERT INTO neon_auth.permission_definitions (id, contained_permission_ids) VALUES ('editor', '{writer}');
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id)
VALUES ('t1', 'alice', 'editor'), ('t2', 'alice', 'reader'), ('t3', 'alice', 'left'), ('t3', 'bob', 'reader');
INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) VALUES ('alice', 'beta');
CREATE ROLE operator;
GRANT EXECUTE ON FUNCTION neon_auth.create_api_key, neon_auth.revoke_api_key TO operator;
GRANT SELECT ON neon_auth.api_keys TO operator;
SET LOCAL ROLE operator;
SELECT neon_auth.create_api_key('alice', 'backup') AS first \gset
SELECT neon_auth.create_api_key('alice', 'backup', '90 days', '{editor,beta}') AS second \gset
SELECT neon_auth.create_api_key('alice', 'one team', NULL, '{}', team_id => 't1') AS third \gset
SELECT :'first' ~ '^nak_[0-9A-Za-z]{49}$' AS form, :'first' <> :'second' AS differ;
SELECT name, prefix IN (left(:'first', 8), left(:'second', 8), left(:'third', 8)) AS prefix, user_id, team_id, permissions,
       created_by, created_at BETWEEN now() AND clock_timestamp() AS created,
       round(extract(epoch FROM expires_at - created_at) / 86400) AS days, last_used_at, revoked_at, valid, refusal
  FROM neon_auth.api_keys ORDER BY created_at;
-- Nothing shows a hash, and the table is nobody's but the owner's.
SELECT string_agg(attname, ', ' ORDER BY attnum) AS columns FROM pg_attribute WHERE attrelid = 'neon_auth.api_keys'::regclass AND attnum > 0;
SAVEPOINT s;
SELECT * FROM neon_auth_internal.api_keys;
ROLLBACK TO s;
RESET ROLE;
-- It is the SHA-256 of the key.
SELECT count(*) FROM neon_auth_internal.api_keys WHERE hash = encode(sha256(convert_to(:'first', 'UTF8')), 'hex');
-- No row contains the key.
SELECT count(*) FROM neon_auth_internal.api_keys AS k WHERE position(:'first' IN k::text) > 0;

-- What cannot become a key.
CREATE FUNCTION pg_temp.refusal(VARIADIC arguments text[]) RETURNS TABLE (code text, message text, detail text, hint text) LANGUAGE plpgsql AS $$
DECLARE
    key text;
BEGIN
    SELECT neon_auth.create_api_key(arguments[1], arguments[2], arguments[3]::interval, arguments[4]::text[], arguments[5]) INTO key;
    message := 'created';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    code := sqlstate;
    message := sqlerrm;
    RETURN NEXT;
END
$$;
\x on
SELECT * FROM pg_temp.refusal(NULL, 'backup', NULL, NULL, NULL);
SELECT * FROM pg_temp.refusal('nobody', 'backup', NULL, NULL, NULL);
SELECT * FROM pg_temp.refusal('gone', 'backup', NULL, NULL, NULL);
SELECT * FROM pg_temp.refusal('alice', NULL, NULL, NULL, NULL);
SELECT * FROM pg_temp.refusal('alice', E' \n', NULL, NULL, NULL);
SELECT * FROM pg_temp.refusal('alice', repeat('x', 256), NULL, NULL, NULL);
SELECT * FROM pg_temp.refusal('alice', 'backup', '0', NULL, NULL);
SELECT * FROM pg_temp.refusal('alice', 'backup', '-1 day', NULL, NULL);
SELECT * FROM pg_temp.refusal('alice', 'backup', '0.9 seconds', NULL, NULL);
SELECT * FROM pg_temp.refusal('alice', 'backup', '170000000 years', NULL, NULL);
SELECT * FROM pg_temp.refusal('alice', 'backup', NULL, '{editor,NULL}', NULL);
SELECT * FROM pg_temp.refusal('alice', 'backup', NULL, array_fill('editor'::text, '{101}')::text, NULL);
SELECT * FROM pg_temp.refusal('alice', 'backup', NULL, NULL, 't3');
SELECT * FROM pg_temp.refusal('alice', 'backup', NULL, '{editor}', 't2');
SELECT * FROM pg_temp.refusal('alice', 'backup', NULL, '{beta}', 't1');
SELECT * FROM pg_temp.refusal('alice', 'backup', NULL, '{editor,left}', NULL);
SELECT * FROM pg_temp.refusal('alice', 'backup', NULL, '{""}', NULL);
-- What contains a permission has it; somewhere is enough for a key without a team.
SELECT message FROM pg_temp.refusal('alice', 'backup', '1 second', '{writer,reader,beta}', NULL);
SELECT message FROM pg_temp.refusal('alice', 'backup', '100 years', '{writer}', 't1');
\x off

-- Revoked once; the row stays.
SELECT id FROM neon_auth.api_keys WHERE prefix = left(:'first', 8) \gset
SET LOCAL ROLE operator;
SELECT neon_auth.revoke_api_key(:'id') AS ends, neon_auth.revoke_api_key(:'id') AS again,
       neon_auth.revoke_api_key('unknown') AS unknown, neon_auth.revoke_api_key(NULL) AS "NULL";
-- The key itself is no id: no answer that reads as if there were no such key.
SAVEPOINT no_id;
SELECT neon_auth.revoke_api_key(:'first');
\echo :SQLSTATE
ROLLBACK TO no_id;
SELECT revoked_at BETWEEN now() AND clock_timestamp() AS revoked, valid, replace(refusal, :'id', '(id)') ~ '^API key refused: the key was revoked: The key "\(id\)" was revoked at .* GMT\.$' AS why
  FROM neon_auth.api_keys WHERE id = :'id';
RESET ROLE;
-- Deleted owners keep their rows, erased ones do not.
SELECT neon_auth.delete_user('alice');
SELECT count(*), bool_or(valid) AS valid, max(refusal) FROM neon_auth.api_keys WHERE revoked_at IS NULL;
SELECT neon_auth.erase_user('alice');
SELECT count(*) FROM neon_auth.api_keys;
SELECT count(*) FROM neon_auth_internal.api_key_uses;
-- So does a worker that erases users who were deleted long ago.
SELECT neon_auth.create_api_key('bob', 'backup') IS NOT NULL AS created;
SELECT neon_auth.delete_user('bob');
UPDATE neon_auth.users_sync SET deleted_at = now() - interval '1 hour' WHERE id = 'bob';
SELECT neon_auth_internal.erase_deleted(600, '["-infinity", ""]') ->> 1 AS reached;
SELECT neon_auth_internal.erase_deleted(600, '["infinity", ""]') IS NULL AS at_the_end;
SELECT count(*) FROM neon_auth.api_keys;
SELECT count(*) FROM neon_auth_internal.api_key_uses;
ROLLBACK;
