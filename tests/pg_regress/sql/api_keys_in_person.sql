-- Whose keys the functions for users manage: those of a user of the same provider, and what a new key may do.
\set SHOW_CONTEXT never
BEGIN;
\set jwks `"$STACK" jwks`
SELECT neon_auth.add_provider('staff', '{https://staff.example.com}', jwks => :'jwks', default_role => 'authenticated', audiences => '{a}');
SELECT neon_auth.add_provider('guests', '{https://guests.example.com}', jwks => :'jwks', default_role => 'anonymous', audiences => '{b}');
SELECT neon_auth.upsert_users('[{"id": "1", "auth_provider": "staff"}, {"id": "2", "auth_provider": "gone"}, {"id": "alice"}]');
SELECT neon_auth.create_api_key('1', 'of staff') AS of_staff \gset
SELECT id AS of_staff FROM neon_auth.api_keys WHERE user_id = '1' \gset
GRANT EXECUTE ON FUNCTION auth.create_api_key, auth.revoke_api_key, auth.api_keys TO PUBLIC;
\set staff `"$STACK" token --sub 1 --aud a --claim 'iss="https://staff.example.com"' --claim 'app_role="readonly"'`
\set guest `"$STACK" token --sub 1 --aud b --claim 'iss="https://guests.example.com"'`
\set guest_alice `"$STACK" token --sub alice --aud b --claim 'iss="https://guests.example.com"'`
\set gone `"$STACK" token --sub 2 --aud a --claim 'iss="https://staff.example.com"'`
\set alice `"$STACK" token --sub alice --claim 'refresh_token_id="s1"'`
CREATE FUNCTION pg_temp.tried(id text) RETURNS TABLE (call text, outcome text) LANGUAGE plpgsql AS $$
DECLARE
    detail text;
    hint text;
BEGIN
    FOREACH call IN ARRAY ARRAY['create_api_key(''x'')', 'api_keys()', format('revoke_api_key(%L)', id)] LOOP
        BEGIN
            EXECUTE format('SELECT FROM auth.%s', call);
            outcome := 'allowed';
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
            outcome := concat_ws(E'\n', sqlstate || ' ' || sqlerrm, detail, hint);
        END;
        call := split_part(call, '(', 1);
        RETURN NEXT;
    END LOOP;
END
$$;
GRANT EXECUTE ON FUNCTION pg_temp.tried TO PUBLIC;
SAVEPOINT s;
SELECT auth.authenticate(:'guest');
SELECT * FROM pg_temp.tried(:'of_staff');
ROLLBACK TO s;
SELECT auth.authenticate(:'guest_alice');
SELECT * FROM pg_temp.tried('x');
ROLLBACK TO s;
SELECT auth.authenticate(:'gone');
SELECT * FROM pg_temp.tried('x');
ROLLBACK TO s;
SELECT auth.authenticate(:'staff');
SELECT * FROM pg_temp.tried(:'of_staff');
ROLLBACK TO s;

-- A key has no role_claim, so it must not have another role than its maker.
CREATE ROLE api_keys_readonly;
GRANT api_keys_readonly TO SESSION_USER;
GRANT USAGE ON SCHEMA auth TO api_keys_readonly;
UPDATE neon_auth.providers SET role_claim = 'app_role', role_map = '{"readonly": "api_keys_readonly"}', allowed_roles = '{api_keys_readonly,authenticated}' WHERE name = 'staff';
SELECT auth.authenticate(:'staff');
SELECT current_user;
SELECT * FROM pg_temp.tried(:'of_staff');
ROLLBACK TO s;

-- What ended since the transaction began counts.
SELECT auth.authenticate(:'alice');
RESET ROLE;
SELECT neon_auth.revoke_tokens('alice', 'infinity');
SELECT * FROM pg_temp.tried('x');
ROLLBACK TO s;
SELECT auth.authenticate(:'alice');
RESET ROLE;
SELECT neon_auth.revoke_session('s1');
SELECT * FROM pg_temp.tried('x');
ROLLBACK TO s;
UPDATE neon_auth.providers SET reject_banned_users = true, reject_deleted_users = true WHERE name = 'stack';
SELECT auth.authenticate(:'alice');
RESET ROLE;
SELECT neon_auth.upsert_users('[{"id": "alice", "restricted_by_admin": true}]');
SELECT * FROM pg_temp.tried('x');
ROLLBACK TO s;
SELECT auth.authenticate(:'alice');
-- An array of permissions has one dimension.
SELECT auth.create_api_key('x', permissions => '{{reader},{writer}}');
ROLLBACK;
