-- A dump that is restored, and a database made from another as template, are whole: users,
-- providers with their keys, policies and foreign keys. Secrets stay behind in a dump.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
\set jwks `"$STACK" jwks`
CREATE DATABASE neon_auth_source TEMPLATE template0;
\c neon_auth_source
CREATE EXTENSION neon_auth;
SELECT neon_auth.configure(:'keys');
-- As if fetched a moment ago; a second provider has its keys pinned.
INSERT INTO neon_auth.jwks_cache (provider, jwks_url, jwks, etag, fetched_at, fresh_until, attempted_at)
SELECT name, jwks_url, :'jwks', '"1"', now(), now() + interval '1 h', now() FROM neon_auth.providers;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks', reject_deleted_users => true,
    required_claims => '{"n": 12345678901234567890123, "o.id": ["a", "b"]}', role_claim => 'app_metadata.role', allowed_roles => '{authenticated}',
    default_role => 'authenticated', claim_map => '{"organization": {"id": "org_id"}}');
SELECT neon_auth.set_secret('webhook_secret', 'whsec_ZXhhbXBsZSBvZiBhIHNlY3JldCBrZXk=');
SELECT neon_auth.upsert_users('[{"id": "alice", "display_name": "Alice Example", "signed_up_at_millis": 1700000000123}, {"id": "bob"}]');
SELECT neon_auth.delete_user('bob');
SELECT neon_auth.create_api_key('alice', 'backup') AS key, neon_auth.create_api_key('alice', 'revoked') AS revoked_key \gset
SELECT neon_auth.revoke_api_key(id) FROM neon_auth.api_keys WHERE name = 'revoked';
SELECT auth.authenticate(:'key', false);
SELECT auth.logout();
CREATE TABLE todos (
    id int PRIMARY KEY,
    user_id text NOT NULL DEFAULT (auth.user_id()) REFERENCES neon_auth.users_sync (id));
INSERT INTO todos VALUES (1, 'alice'), (2, 'bob');
ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON todos TO authenticated USING (user_id = (SELECT auth.user_id()));
GRANT SELECT, INSERT ON todos TO authenticated;
GRANT SELECT (id, name) ON neon_auth.users_sync TO authenticated;
GRANT EXECUTE ON FUNCTION auth.impersonate(text, jsonb, boolean) TO app;
-- What each copy must answer as this one does.
CREATE FUNCTION public.fingerprint() RETURNS TABLE (what text, md5 text) LANGUAGE sql AS $$
    SELECT 'users', md5(string_agg(u::text, '|' ORDER BY id COLLATE "C")) FROM neon_auth.users_sync u
    UNION ALL SELECT 'providers', md5(string_agg(p::text, '|' ORDER BY name COLLATE "C")) FROM neon_auth.providers p
    UNION ALL SELECT 'jwks_cache', md5(string_agg(c::text, '|')) FROM neon_auth.jwks_cache c
    UNION ALL SELECT 'api_keys', md5(string_agg(k::text, '|' ORDER BY id)) FROM neon_auth.api_keys k WHERE valid
$$;
CREATE TABLE public.before AS SELECT * FROM public.fingerprint();
SELECT what, md5 IS NOT NULL AS there FROM public.before ORDER BY what;

-- No secret is in the text of a dump, in no table; the control is a text that is there.
SELECT string_agg(value, E'\n') AS patterns FROM (SELECT value FROM neon_auth_internal.secrets UNION ALL VALUES (:'key'), (:'revoked_key')) AS s \gset
SELECT count(*) AS secrets, bool_and(length(value) > 20) AS long_enough FROM neon_auth_internal.secrets;
\setenv PATTERNS :patterns
\! pg_dump --dbname neon_auth_source | grep --count --fixed-strings -e "$PATTERNS"
\! pg_dump --dbname neon_auth_source | grep --count --fixed-strings -e 'Alice Example'

CREATE DATABASE neon_auth_restored TEMPLATE template0;
\! pg_dump --dbname neon_auth_source | psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --output /dev/null --dbname neon_auth_restored
\c neon_auth_restored
SELECT what, b.md5 = f.md5 AS same FROM public.before b FULL JOIN public.fingerprint() f USING (what) ORDER BY what;
SELECT count(*) AS secrets FROM neon_auth_internal.secrets;
SELECT neon_auth.sdk_env();
\echo :SQLSTATE
-- The extension was made anew, not copied object by object: its rules and grants are there.
SELECT extconfig IS NOT NULL AS dumps_again FROM pg_extension WHERE extname = 'neon_auth';
SELECT has_function_privilege('app', 'auth.impersonate(text, jsonb, boolean)', 'EXECUTE') AS impersonate,
       has_function_privilege('stranger', 'auth.impersonate(text, jsonb, boolean)', 'EXECUTE') AS stranger,
       has_column_privilege('authenticated', 'neon_auth.users_sync', 'name', 'SELECT') AS name,
       has_column_privilege('authenticated', 'neon_auth.users_sync', 'raw_json', 'SELECT') AS raw_json;
SELECT neon_auth.upsert_user('{"id": "bob"}');
INSERT INTO todos VALUES (3, 'carol');
\echo :SQLSTATE
\c - app
SET ROLE authenticated;
BEGIN;
SELECT auth.authenticate(:'key');
SELECT * FROM todos;
\set VERBOSITY terse
SELECT auth.authenticate(:'revoked_key');
\set VERBOSITY default
ROLLBACK;
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT * FROM todos;
INSERT INTO todos (id) VALUES (3) RETURNING *;
ROLLBACK;
SELECT * FROM todos;

-- By template: all of it, secrets included, as the whole database is copied.
\c neon_auth_regress postgres
CREATE DATABASE neon_auth_branch TEMPLATE neon_auth_source;
\c neon_auth_branch
SELECT what, b.md5 = f.md5 AS same FROM public.before b FULL JOIN public.fingerprint() f USING (what) ORDER BY what;
SELECT count(*) AS secrets FROM neon_auth_internal.secrets;
\c - app
SET ROLE authenticated;
BEGIN;
SELECT auth.authenticate(:'key');
SELECT * FROM todos;
\set VERBOSITY terse
SELECT auth.authenticate(:'revoked_key');
\set VERBOSITY default
ROLLBACK;
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT * FROM todos;
ROLLBACK;
SELECT * FROM todos;
-- A change there is one there alone.
\c - postgres
SELECT neon_auth.drop_provider('stack');
SELECT auth.authenticate(:'alice');
\echo :SQLSTATE
\c neon_auth_source
BEGIN;
SELECT auth.authenticate(:'alice');
ROLLBACK;

\c neon_auth_regress
DROP DATABASE neon_auth_restored WITH (FORCE);
DROP DATABASE neon_auth_branch WITH (FORCE);
DROP DATABASE neon_auth_source WITH (FORCE);
