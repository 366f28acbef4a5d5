-- What bans a user in the user object: every value but false, null and none.
\set alice `"$STACK" token --sub alice`
BEGIN;
UPDATE neon_auth.providers SET reject_banned_users = true;
SELECT neon_auth.upsert_users('[{"id": "alice"}]');
SELECT neon_auth.create_api_key('alice', 'key') AS key \gset
CREATE FUNCTION pg_temp.tried(credential text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN auth.authenticate(credential);
EXCEPTION WHEN OTHERS THEN
    RETURN sqlerrm;
END
$$;
CREATE FUNCTION pg_temp.with_object(object jsonb, credential text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE neon_auth.users_sync SET raw_json = object WHERE id = 'alice';
    RETURN pg_temp.tried(credential);
END
$$;
SELECT name, value, pg_temp.with_object(jsonb_build_object('id', 'alice', name, value), :'alice') AS token,
       pg_temp.with_object(jsonb_build_object('id', 'alice', name, value), :'key') AS key
  FROM unnest(ARRAY['banned', 'restricted_by_admin']) AS name,
       unnest(ARRAY['true', '"true"', '"false"', '1', '0', '[]', '{}', 'false', 'null']::jsonb[]) WITH ORDINALITY AS v (value, n)
 ORDER BY name, n;
SELECT pg_temp.with_object('{"id": "alice"}', :'alice') AS token, pg_temp.with_object('{"id": "alice"}', :'key') AS key;
-- A ban of any value ends at its end.
SELECT pg_temp.with_object('{"id": "alice", "banned": "yes", "ban_expires": "2001-01-01T00:00:00Z"}', :'alice') AS ended;
ROLLBACK;
