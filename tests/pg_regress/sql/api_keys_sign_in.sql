-- auth.authenticate() with an API key: the owner is the identity, while the key and the owner are valid.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
SELECT neon_auth.upsert_users('[{"id": "alice", "display_name": "Alice Example", "primary_email": "alice@example.com", "primary_email_verified": true, "is_anonymous": false}, {"id": "bob"}]');
-- A key that another implementation of base62 and CRC-32 made, Python's zlib.
\set key nak_0Eoh211G4c8wtVWM00my5rsNSFlKgaWqQ4mb8gdEqno1JKBpK
INSERT INTO neon_auth_internal.api_keys (id, hash, prefix, user_id, name, created_at, created_by, expires_at)
VALUES ('key-1', encode(sha256(convert_to(:'key', 'UTF8')), 'hex'), left(:'key', 8), 'alice', 'backup', '2026-01-02 03:04:05.678 UTC', 'test', '2999-01-01 UTC');
INSERT INTO neon_auth_internal.api_keys (hash, prefix, user_id, name, created_by)
SELECT encode(sha256(convert_to(wrong, 'UTF8')), 'hex'), left(:'key', 8), 'alice', 'wrong', 'test'
  FROM unnest(ARRAY[overlay(:'key' PLACING 'x' FROM 20 FOR 1), overlay(:'key' PLACING 'x' FROM 53 FOR 1), :'key' || E'\n', 'nak_']) AS wrong;
INSERT INTO neon_auth_internal.api_key_uses (key_id) VALUES ('key-1');

CREATE FUNCTION key_refusal(key text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    RETURN auth.authenticate(key);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(E'\n', sqlstate || ' ' || sqlerrm, detail, hint);
END
$$;

\c - app
SET timezone = 'UTC';
BEGIN;
SELECT auth.authenticate(:'key');
SELECT auth.user_id(), auth.jwt();
SELECT auth.email(), auth.email_verified(), auth.is_anonymous(), auth.role(), auth.provider(), auth.session_id(), auth.selected_team_id(), auth.expires_at(), auth.organization(), (auth.profile()).name \gx
COMMIT;
SELECT auth.user_id();
SELECT neon_auth.verify_jwt(:'key');
-- As another name of it, and as PostgREST passes it.
BEGIN;
SELECT auth.jwt_session_init(:'key');
SELECT auth.user_id();
ROLLBACK;
BEGIN;
SELECT set_config('request.headers', json_build_object('authorization', 'Bearer ' || :'key')::text, true) <> '';
SELECT auth.pre_request();
SELECT auth.user_id();
COMMIT;

-- Refused by its form, although the table has its hash. Nobody is signed in afterwards.
SELECT auth.authenticate(:'alice', false);
SELECT key_refusal(overlay(:'key' PLACING 'x' FROM 20 FOR 1)) AS "one character";
SELECT auth.user_id() AS nobody;
SELECT key_refusal(overlay(:'key' PLACING 'x' FROM 53 FOR 1)) AS "of the checksum";
SELECT key_refusal(:'key' || E'\n') AS "a line break";
SELECT key_refusal('nak_') AS "the prefix";
SELECT key_refusal(overlay(:'key' PLACING '-' FROM 20 FOR 1)) AS "no letter";
SELECT key_refusal(overlay(left(:'key', -1) PLACING 'é' FROM 20 FOR 1)) AS "two bytes";
SELECT key_refusal(upper(:'key')) LIKE '28000 JWT refused%' AS "not the prefix";
SELECT key_refusal('nak_.eyJ.eyJ') AS "dots";
-- What a dump or pg_read_all_data shows of the key signs nobody in: the hash, and what has the form of a key and is made
-- of it.
SELECT shown, split_part(key_refusal(credential), E'\n', 1) AS refusal
  FROM encode(sha256(convert_to(:'key', 'UTF8')), 'hex') AS hash,
       unnest(ARRAY['hash', 'prefix and hash', 'hash cut to a key', 'id'],
              ARRAY[hash, 'nak_' || hash, left(:'key', 8) || left(hash, 45), 'key-1']) AS s(shown, credential);
-- Of the right form, and not in the table; the prefix is all that is shown of it.
SELECT key_refusal('nak_000000000000000000000000000000000000000000c00wCQt') AS unknown;
SELECT neon_auth.verify_jwt('nak_000000000000000000000000000000000000000000c00wCQt');

-- An identity of the session ends with its key, at the next transaction.
\c - postgres
\set SHOW_CONTEXT never
GRANT EXECUTE ON FUNCTION neon_auth.revoke_api_key TO app;
SET SESSION AUTHORIZATION app;
SELECT auth.authenticate(:'key', is_local => false);
BEGIN;
SELECT auth.user_id();
SELECT neon_auth.revoke_api_key('key-1');
SELECT auth.user_id() AS "until the transaction ends";
SELECT regexp_replace(key_refusal(:'key'), ' at .*GMT', ' at ...') AS "but not to sign in";
ROLLBACK;
SELECT auth.authenticate(:'key', is_local => false);
SELECT neon_auth.revoke_api_key('key-1');
\set VERBOSITY terse
SELECT auth.user_id();
\echo :SQLSTATE
SELECT auth.logout();
RESET SESSION AUTHORIZATION;
\set VERBOSITY default

-- What ends a key, and what does not: an open identity in the next transaction, and a sign-in.
CREATE PROCEDURE judge(change text, reason text) LANGUAGE plpgsql AS $$
DECLARE
    open text;
    key constant text := current_setting('test.key');
BEGIN
    DELETE FROM neon_auth_internal.api_keys;
    INSERT INTO neon_auth_internal.api_keys (id, hash, prefix, user_id, name, created_by)
    VALUES ('key-1', encode(sha256(convert_to(key, 'UTF8')), 'hex'), left(key, 8), 'alice', 'backup', 'test');
    UPDATE neon_auth.users_sync SET deleted_at = NULL;
    PERFORM neon_auth.upsert_user('{"id": "alice"}');
    UPDATE neon_auth.providers SET allow_restricted = false;
    COMMIT;
    PERFORM auth.authenticate(key, is_local => false);
    COMMIT;
    EXECUTE change;
    COMMIT;
    BEGIN
        open := auth.user_id();
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS open = PG_EXCEPTION_DETAIL;
        open := sqlstate || ' ' || sqlerrm || ' ' || open;
    END;
    COMMIT;
    RAISE NOTICE '%', regexp_replace(concat_ws(E'\n', reason || ':', '  open: ' || open, '  new:  ' || split_part(key_refusal(key), E'\n', 1)),
                                     ' [0-9]+ s ago', ' (n) s ago', 'g');
    COMMIT;
END
$$;
SET test.key = :'key';
\set QUIET off
CALL judge('SELECT 1', 'nothing');
CALL judge($$ UPDATE neon_auth_internal.api_keys SET expires_at = clock_timestamp() + interval '1 hour' $$, 'a new expiry');
CALL judge($$ UPDATE neon_auth_internal.api_keys SET expires_at = clock_timestamp() - interval '1 second' $$, 'expired');
CALL judge($$ UPDATE neon_auth_internal.api_keys SET expires_at = '2000-01-01' $$, 'long ago');
CALL judge($$ UPDATE neon_auth_internal.api_keys SET permissions = '{editor}' $$, 'other permissions');
CALL judge($$ UPDATE neon_auth_internal.api_keys SET team_id = 't1' $$, 'another team');
CALL judge($$ UPDATE neon_auth_internal.api_keys SET user_id = 'bob' $$, 'another owner');
CALL judge($$ UPDATE neon_auth_internal.api_keys SET id = 'key-2' WHERE id = 'key-1' $$, 'another id');
CALL judge($$ SELECT neon_auth.upsert_user('{"id": "alice", "banned": true}') $$, 'banned');
CALL judge($$ SELECT neon_auth.upsert_user('{"id": "alice", "banned": true, "ban_expires": "2000-01-01T00:00:00Z"}') $$, 'banned once');
CALL judge($$ SELECT neon_auth.upsert_user('{"id": "alice", "restricted_by_admin": true}') $$, 'restricted by an administrator');
CALL judge($$ SELECT neon_auth.upsert_user('{"id": "alice", "is_anonymous": true}') $$, 'anonymous');
CALL judge($$ SELECT neon_auth.upsert_user('{"id": "alice", "is_anonymous": "odd"}') $$, 'anonymous or not');
CALL judge($$ SELECT neon_auth.upsert_user('{"id": "alice", "is_anonymous": null, "is_restricted": null}') $$, 'neither');
CALL judge($$ SELECT neon_auth.upsert_user('{"id": "alice", "is_restricted": true}') $$, 'restricted');
CALL judge($$ SELECT neon_auth.upsert_user('{"id": "alice", "is_restricted": true}'); UPDATE neon_auth.providers SET allow_restricted = true $$, 'restricted and accepted');
CALL judge($$ SELECT neon_auth.delete_user('alice') $$, 'deleted');
CALL judge($$ DELETE FROM neon_auth.users_sync $$, 'no row');
CALL judge($$ DELETE FROM neon_auth_internal.api_keys $$, 'no key');
\set QUIET on
SELECT auth.logout();

-- An abort does not bring back the identity of a key that was refused.
INSERT INTO neon_auth_internal.api_keys (id, hash, prefix, user_id, name, created_by)
VALUES ('key-1', encode(sha256(convert_to(:'key', 'UTF8')), 'hex'), left(:'key', 8), 'alice', 'backup', 'test');
BEGIN;
SELECT auth.authenticate(:'key');
SAVEPOINT s;
SELECT auth.authenticate('nak_');
ROLLBACK TO s;
SELECT auth.user_id() AS nobody;
COMMIT;
-- A key that has no row of uses still signs in.
BEGIN;
SELECT auth.authenticate(:'key');
-- inspect_jwt says all of it.
SELECT step, ok, replace(detail, left(:'key', 8), '(prefix)') AS detail FROM neon_auth.inspect_jwt(:'key');
SELECT * FROM neon_auth.inspect_jwt('nak_');
SELECT * FROM neon_auth.inspect_jwt('nak_000000000000000000000000000000000000000000c00wCQt');
UPDATE neon_auth.providers SET default_role = 'authenticated', allowed_roles = '{authenticated}';
SELECT detail FROM neon_auth.inspect_jwt(:'key') WHERE step = 'outcome';
ROLLBACK;

DELETE FROM neon_auth_internal.api_keys;
DELETE FROM neon_auth_internal.api_key_uses;
DELETE FROM neon_auth.users_sync;
DROP PROCEDURE judge;
DROP FUNCTION key_refusal;
REVOKE EXECUTE ON FUNCTION neon_auth.revoke_api_key FROM app;
