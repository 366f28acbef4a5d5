-- Users create, list and revoke keys of their own, where a role is granted the functions, and only in person.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
\set bob `"$STACK" token --sub bob`
\set agent `"$STACK" token --sub alice --claim 'act={"sub": "assistant"}'`
\set odd `"$STACK" token --sub alice --claim 'act=false'`
\set mapped_agent `"$STACK" token --sub alice --claim 'bot="assistant"'`
\set mapped_admin `"$STACK" token --sub alice --claim 'admin="root"'`
\set none `"$STACK" token --sub alice --claim act=null`
BEGIN;
SELECT neon_auth.upsert_users('[{"id": "alice"}, {"id": "bob"}]');
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('t1', 'alice');
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('t1', 'alice', 'reader');
SELECT neon_auth.create_api_key('bob', 'of bob') AS of_bob,
       neon_auth.create_api_key('alice', 'by an administrator') AS by_admin \gset
-- Nobody has them unless granted.
SET LOCAL ROLE authenticated;
SAVEPOINT s;
SELECT auth.create_api_key('x');
ROLLBACK TO s;
SELECT auth.revoke_api_key('x');
ROLLBACK TO s;
SELECT * FROM auth.api_keys();
ROLLBACK TO s;
RESET ROLE;
GRANT EXECUTE ON FUNCTION auth.create_api_key, auth.revoke_api_key, auth.api_keys TO authenticated;
GRANT EXECUTE ON FUNCTION auth.impersonate TO app;
SELECT id AS id_of_bob FROM neon_auth.api_keys WHERE user_id = 'bob' \gset
SET LOCAL ROLE authenticated;
SELECT auth.authenticate(:'alice');
SELECT auth.create_api_key('mine', '30 days', '{reader}', 't1') AS mine \gset
SELECT name, prefix IN (left(:'mine', 8), left(:'by_admin', 8)) AS prefix, team_id, permissions, created_by, expires_at - created_at > '29 days' AS expires, last_used_at, revoked_at, valid
  FROM auth.api_keys();
-- What she does not have, she cannot give.
SAVEPOINT s;
SELECT auth.create_api_key('more', permissions => '{writer}');
ROLLBACK TO s;
-- Only her own.
SELECT auth.revoke_api_key(:'id_of_bob') AS of_bob, auth.revoke_api_key(NULL) AS "NULL", auth.revoke_api_key('unknown') AS unknown;
SELECT auth.revoke_api_key(id) AS revoked, name FROM auth.api_keys();
SELECT auth.revoke_api_key(id) AS again, name FROM auth.api_keys();
SELECT name, revoked_at IS NOT NULL AS revoked, valid FROM auth.api_keys();
SELECT auth.authenticate(:'bob');
SELECT name, revoked_at IS NOT NULL AS revoked, valid FROM auth.api_keys();

-- Whoever acts for the user cannot.
CREATE FUNCTION pg_temp.tried(why text) RETURNS TABLE (who text, call text, outcome text) LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    who := why;
    FOREACH call IN ARRAY ARRAY['create_api_key(''x'')', 'revoke_api_key(''x'')', 'api_keys()'] LOOP
        BEGIN
            EXECUTE format('SELECT FROM auth.%s', call);
            outcome := 'allowed';
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
            outcome := concat_ws(' ', sqlstate, sqlerrm || ':', detail);
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
SELECT auth.authenticate(:'of_bob') = 'bob' AS bob;
SELECT * FROM pg_temp.tried('an API key');
SELECT auth.authenticate(:'agent') = 'alice' AS alice;
SELECT * FROM pg_temp.tried('an agent');
SELECT auth.authenticate(:'odd') = 'alice' AS alice;
SELECT * FROM pg_temp.tried('an agent of an odd type');
SELECT auth.authenticate(:'none') = 'alice' AS alice;
SELECT * FROM pg_temp.tried('no agent');
RESET ROLE;
UPDATE neon_auth.providers SET claim_map = '{"agent": "bot", "impersonator": "admin"}';
SELECT auth.authenticate(:'mapped_agent') = 'alice' AS alice;
SELECT * FROM pg_temp.tried('an agent by claim_map');
SELECT auth.authenticate(:'mapped_admin') = 'alice' AS alice;
SELECT * FROM pg_temp.tried('an impersonator by claim_map');
SELECT auth.impersonate('alice');
SELECT * FROM pg_temp.tried('auth.impersonate');
SELECT auth.logout();
SELECT * FROM pg_temp.tried('nobody');
SAVEPOINT s;
SELECT auth.create_api_key('x');
ROLLBACK;
