-- What the configured server could not respond to: status says it, and another server has limits of its own.
\set SHOW_CONTEXT never
CREATE FUNCTION pg_temp.configure(url text, project text DEFAULT 'p1') RETURNS void LANGUAGE sql AS $$
    SELECT neon_auth.configure(jsonb_build_object(
        'auth_provider', 'stack', 'auth_provider_project_id', project, 'pub_client_key', 'pck', 'secret_server_key', 'ssk',
        'jwks_url', format('%s/api/v1/projects/%s/.well-known/jwks.json', url, project)))
$$;
CREATE FUNCTION pg_temp.are_limited_after(age interval) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    UPDATE neon_auth_internal.service_limits SET noted_at = clock_timestamp() - age;
    RETURN neon_auth_internal.are_members_limited();
END
$$;
CREATE VIEW pg_temp.limits AS SELECT name FROM neon_auth_internal.service_limits ORDER BY name COLLATE "C";
BEGIN;
SELECT neon_auth.drop_provider(name) FROM neon_auth.providers;
SELECT pg_temp.configure('https://auth.example.com');
SELECT * FROM pg_temp.limits;
SELECT neon_auth_internal.note_limit('all_memberships');
SELECT component, ok, detail FROM neon_auth.status WHERE component = 'synchronisation';
-- Noted again, it is later.
UPDATE neon_auth_internal.service_limits SET noted_at = 'epoch';
SELECT neon_auth_internal.note_limit('all_memberships');
SELECT name, noted_at > now() AS now FROM neon_auth_internal.service_limits;
-- The same service with new keys.
SELECT pg_temp.configure('https://auth.example.com');
SELECT * FROM pg_temp.limits;
-- How long the list of all memberships is not requested: a long one for a week, a short one for 30 minutes.
DELETE FROM neon_auth.team_members_sync;
CREATE VIEW pg_temp.limited AS
SELECT age, pg_temp.are_limited_after(age)
  FROM unnest('{29 minutes,31 minutes,6 days 23 hours,7 days 1 minute,-1 minute}'::interval[]) AS age;
INSERT INTO neon_auth.team_members_sync (team_id, user_id) SELECT 't', n::text FROM generate_series(1, 4999) AS n;
SELECT * FROM pg_temp.limited;
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('t', '5000');
SELECT * FROM pg_temp.limited;
-- Another project, another server.
SELECT pg_temp.configure('https://auth.example.com', 'p2');
SELECT * FROM pg_temp.limits;
SELECT neon_auth_internal.note_limit('all_memberships');
SELECT pg_temp.configure('https://auth2.example.com', 'p2');
SELECT * FROM pg_temp.limits;
-- Another provider, after it was dropped.
SELECT neon_auth_internal.note_limit('all_memberships');
SELECT neon_auth.drop_provider('stack');
SELECT pg_temp.configure('https://auth.example.com');
SELECT * FROM pg_temp.limits;
-- Lifted.
SELECT neon_auth_internal.note_limit('include_restricted');
SELECT neon_auth_internal.note_limit('all_memberships');
SELECT neon_auth_internal.lift_limit('all_memberships');
SELECT * FROM pg_temp.limits;
\set VERBOSITY terse
SELECT neon_auth_internal.note_limit('anything');
\echo :SQLSTATE
ROLLBACK;
