-- CVE-2026-65314 (GHSA-c82q-v86f-c87f): filters over columns that are not shown tell their values, one bit a request. The
-- columns of the mirror that a role was not granted are refused in every place of a query, and what the readers tell is
-- about the signed-in user only: the same about a team, user or permission that exists as about one that does not.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
BEGIN;
SELECT neon_auth.upsert_users('[{"id": "alice", "primary_email": "alice@example.com"}, {"id": "bob", "primary_email": "bob@example.com"}]');
SELECT neon_auth.upsert_teams('[{"id": "hers", "display_name": "Hers"}, {"id": "his", "display_name": "His"}]');
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('hers', 'alice'), ('his', 'bob');
INSERT INTO neon_auth.permission_definitions (scope, id) VALUES ('team', 'secret');
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('his', 'bob', 'secret');
GRANT USAGE ON SCHEMA neon_auth TO authenticated;
GRANT SELECT (id, name) ON neon_auth.users_sync TO authenticated;
CREATE FUNCTION pg_temp.outcome(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE query INTO result;
    RETURN coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN RETURN sqlstate;
END
$$;
GRANT EXECUTE ON FUNCTION pg_temp.outcome TO PUBLIC;
SET LOCAL ROLE authenticated;
SELECT auth.authenticate(:'alice');
SELECT query, pg_temp.outcome(query) FROM unnest(ARRAY[
    'SELECT count(*) FROM neon_auth.users_sync',
    'SELECT count(*) FROM neon_auth.users_sync WHERE email LIKE ''bob%''',
    'SELECT id FROM neon_auth.users_sync ORDER BY email LIMIT 1',
    'SELECT count(*) FROM neon_auth.users_sync GROUP BY email LIMIT 1',
    'SELECT count(*) FILTER (WHERE email LIKE ''bob%'') FROM neon_auth.users_sync',
    'SELECT count(*) FROM neon_auth.users_sync u JOIN neon_auth.users_sync v USING (email)',
    'SELECT count(*) FROM neon_auth.users_sync u WHERE u.raw_json @> ''{}''',
    'SELECT count(u) FROM neon_auth.users_sync u',
    'EXPLAIN SELECT FROM neon_auth.users_sync WHERE email LIKE ''bob%''',
    'UPDATE neon_auth.users_sync SET name = name WHERE email LIKE ''bob%''',
    -- who asks about others, and what the others' teams and permissions are
    'SELECT auth.is_team_member(''hers'')', 'SELECT auth.is_team_member(''his'')', 'SELECT auth.is_team_member(''none'')',
    'SELECT auth.has_permission(''secret'', ''his'')', 'SELECT auth.has_permission(''secret'', ''hers'')',
    'SELECT auth.has_permission(''secret'', ''none'')', 'SELECT auth.has_permission(''none'', ''his'')',
    'SELECT (auth.profile()).email', 'SELECT auth.team_ids()',
    'SELECT count(*) FROM neon_auth.explain_policy(''neon_auth.users_sync'', ''SELECT'', ''{"id": "bob"}'', ''bob'')',
    'SELECT count(*) FROM neon_auth.access_report(''{bob}'')', 'SELECT neon_auth.access_map(''{bob}'')',
    'SELECT count(*) FROM neon_auth.advice', 'SELECT count(*) FROM neon_auth.inspect_jwt(''a'')']) AS query;
ROLLBACK;
