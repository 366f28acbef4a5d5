-- A user whom the mirror shows as banned now is refused, if the provider has reject_banned_users.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
-- Which user objects show a ban that is in force.
CREATE FUNCTION is_banned(raw_json jsonb) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM neon_auth.upsert_user(raw_json || '{"id": "alice"}');
    PERFORM neon_auth.verify_jwt(current_setting('test.alice'));
    RETURN false;
EXCEPTION WHEN invalid_authorization_specification THEN
    RETURN true;
END
$$;
BEGIN;
SET LOCAL test.alice = :'alice';
UPDATE neon_auth.providers SET reject_banned_users = true;
SELECT auth.authenticate(:'alice') AS "no row yet";
UPDATE neon_auth.providers SET reject_banned_users = false;
SELECT is_banned('{"banned": true}') AS "not unless it is asked for";
UPDATE neon_auth.providers SET reject_banned_users = true;
SELECT is_banned, user_object
  FROM (VALUES
    ('{}'), ('{"banned": false}'), ('{"banned": null}'), ('{"banned": "true"}'), ('{"banned": true}'),
    ('{"banned": true, "ban_expires": null}'),
    ('{"banned": true, "ban_expires": "2000-01-01T00:00:00.000Z"}'),
    ('{"banned": true, "banExpires": "2000-01-01T00:00:00Z"}'),
    ('{"banned": true, "ban_expires": "2999-01-01T00:00:00.000Z"}'),
    ('{"banned": true, "banExpires": 946684800000}'),
    ('{"banned": true, "banExpires": 32472144000000}'),
    ('{"banned": true, "banExpires": 1e300}'), ('{"banned": true, "banExpires": -1e300}'),
    ('{"banned": true, "ban_expires": "tomorrow"}'), ('{"banned": true, "ban_expires": ""}'),
    ('{"banned": true, "ban_expires": {}}'), ('{"banned": true, "ban_expires": false}'),
    -- A time that cannot be read is not a past time.
    ('{"banned": true, "ban_expires": "2000-01-01"}'), ('{"banned": true, "ban_expires": "2000-01-01T00:00:00"}'),
    ('{"banned": true, "ban_expires": "2000-02-30T00:00:00Z"}'), ('{"banned": true, "ban_expires": "1900-02-29T00:00:00Z"}'),
    ('{"banned": true, "ban_expires": "2000-13-01T00:00:00Z"}'), ('{"banned": true, "ban_expires": "2000-01-01T24:00:00Z"}'),
    ('{"banned": true, "ban_expires": "2000-01-01T00:00:00Zulu"}'),
    ('{"banned": true, "ban_expires": "2000-02-29 00:00:00.1234567+05:30"}'),
    ('{"banned": true, "ban_expires": "2000-02-29 00:00:00,5-03"}'),
    ('{"restricted_by_admin": true}'), ('{"restricted_by_admin": false}'),
    ('{"restricted_by_admin": true, "banned": true, "ban_expires": "2000-01-01T00:00:00.000Z"}')
  ) AS given(user_object)
 CROSS JOIN LATERAL is_banned(user_object::jsonb);
ROLLBACK;
-- PostgreSQL reads the same times.
BEGIN;
UPDATE neon_auth.providers SET reject_banned_users = true;
SET LOCAL test.alice = :'alice';
SET LOCAL TimeZone = 'UTC';
SELECT count(*) AS times, bool_and(is_banned(jsonb_build_object('banned', true, 'ban_expires', to_jsonb(at))) = (at > now())) AS alike
  FROM (SELECT now() + make_interval(secs => (1.37 ^ step) * sign) AS at
          FROM generate_series(3, 70) AS step, unnest('{-1,1}'::int[]) AS sign) AS times;
ROLLBACK;
\set carol `"$STACK" token --sub carol`
-- The error, and an open session: at the next transaction.
BEGIN;
UPDATE neon_auth.providers SET reject_banned_users = true;
SELECT neon_auth.upsert_user('{"id": "carol"}');
COMMIT;
SET SESSION AUTHORIZATION app;
SELECT auth.authenticate(:'carol', is_local => false);
RESET SESSION AUTHORIZATION;
BEGIN;
SELECT auth.user_id();
SELECT neon_auth.upsert_user('{"id": "carol", "banned": true, "ban_expires": "2999-01-01T00:00:00.000Z"}');
SELECT auth.user_id() AS "the same transaction";
COMMIT;
SELECT auth.user_id();
\echo :SQLSTATE
SELECT auth.authenticate(:'carol');
\echo :SQLSTATE
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'carol') WHERE step IN ('user', 'outcome');
-- Deleted users are another matter.
UPDATE neon_auth.providers SET reject_banned_users = false, reject_deleted_users = true;
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'carol') WHERE step = 'user';
SELECT neon_auth.erase_user('carol');
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'carol') WHERE step = 'user';
UPDATE neon_auth.providers SET reject_banned_users = true, reject_deleted_users = false;
SELECT step, ok, detail FROM neon_auth.inspect_jwt(:'carol') WHERE step = 'user';
DELETE FROM neon_auth.users_sync WHERE id = 'carol';
UPDATE neon_auth.providers SET reject_banned_users = false;
