-- Somebody who may create a schema of his own puts in front of the search_path whatever he
-- likes: the extension's functions find what they mean.
\set SHOW_CONTEXT never
\set alice `"$STACK" token --sub alice`
\set bad `"$STACK" token --sub alice --aud other`
CREATE SCHEMA shadow AUTHORIZATION app;
\c - app
CREATE FUNCTION shadow.caught() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE WARNING 'called from %', current_user; RETURN ''; END $$;
-- Functions, operators, casts' functions and tables that the extension uses, by name and argument types.
CREATE FUNCTION shadow.jsonb_typeof(jsonb) RETURNS text LANGUAGE sql AS $$ SELECT shadow.caught() || 'object' $$;
CREATE FUNCTION shadow.jsonb_array_elements(jsonb) RETURNS SETOF jsonb LANGUAGE sql AS $$ SELECT to_jsonb(shadow.caught()) $$;
CREATE FUNCTION shadow.octet_length(text) RETURNS int LANGUAGE sql AS $$ SELECT length(shadow.caught()) + 1 $$;
CREATE FUNCTION shadow.format(text, text) RETURNS text LANGUAGE sql AS $$ SELECT shadow.caught() $$;
CREATE FUNCTION shadow.to_timestamp(double precision) RETURNS timestamptz LANGUAGE sql AS $$ SELECT now() - (shadow.caught() || '1 d')::interval $$;
CREATE FUNCTION shadow.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT pg_catalog.now() - (shadow.caught() || '1 d')::interval $$;
CREATE FUNCTION shadow.json_agg(anyelement) RETURNS json LANGUAGE sql AS $$ SELECT to_json(shadow.caught()) $$;
CREATE FUNCTION shadow.arrow(jsonb, text) RETURNS text LANGUAGE sql AS $$ SELECT shadow.caught() || 'mallory' $$;
CREATE OPERATOR shadow.->> (LEFTARG = jsonb, RIGHTARG = text, FUNCTION = shadow.arrow);
CREATE FUNCTION shadow.equal(text, text) RETURNS boolean LANGUAGE sql AS $$ SELECT shadow.caught() IS NOT NULL $$;
CREATE OPERATOR shadow.= (LEFTARG = text, RIGHTARG = text, FUNCTION = shadow.equal);
CREATE OPERATOR shadow.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = shadow.equal);
CREATE TABLE shadow.providers (LIKE pg_class);
CREATE TABLE shadow.users_sync (id text, deleted_at timestamptz);
CREATE TABLE shadow.jwks_cache (provider text);
CREATE DOMAIN shadow.text AS pg_catalog.int4;
CREATE DOMAIN shadow.jsonb AS pg_catalog.int4;
-- The temporary schema is searched first of all for tables and types.
CREATE TEMP TABLE providers (name int);
CREATE TEMP TABLE users_sync (id int);
CREATE DOMAIN pg_temp.text AS pg_catalog.int4;
GRANT USAGE ON SCHEMA shadow TO PUBLIC;
-- The trap works on whoever names things without their schema.
SET search_path = shadow, pg_catalog;
SELECT 'a'::pg_catalog.text = 'b'::pg_catalog.text AS fooled;

BEGIN;
SELECT auth.authenticate(:'alice'::pg_catalog.text);
SELECT auth.user_id(), auth.role(), auth.claim('sub'), auth.provider();
SELECT auth.profile() IS NULL AS absent;
SELECT neon_auth.verify_jwt(:'alice'::pg_catalog.text) IS NOT NULL AS verified;
SAVEPOINT s;
SELECT auth.authenticate(:'bad'::pg_catalog.text);
ROLLBACK;

-- The administrator is caught in it too, and every function that he may call.
\c - postgres
SET search_path = shadow, pg_catalog;
BEGIN;
SELECT neon_auth.upsert_users('[{"id": "alice", "display_name": "Alice Example", "signed_up_at_millis": 0}, {"id": "u2"}]');
SELECT neon_auth.upsert_user('{"id": "u3"}');
SELECT neon_auth.delete_user('u3');
SAVEPOINT s;
SELECT neon_auth.upsert_user('[]');
ROLLBACK TO s;
SELECT neon_auth.upsert_users('{}');
ROLLBACK TO s;
SELECT neon_auth.set_secret('webhook_secret', 'whsec_ZXhhbXBsZSBvZiBhIHNlY3JldCBrZXk=');
SELECT neon_auth.sdk_env() IS NOT NULL AS env;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks_url => 'https://idp.example.com/keys');
SELECT neon_auth.drop_provider('idp');
SELECT neon_auth.configure('{"auth_provider": "stack", "auth_provider_project_id": "p1", "pub_client_key": "pck_example",
    "secret_server_key": "ssk_example", "jwks_url": "https://api.stack-auth.com/api/v1/projects/p1/.well-known/jwks.json"}');
SELECT neon_auth.setup_roles();
UPDATE neon_auth.providers SET reject_deleted_users = true, project_id = '5e0f2b1c-93d7-4a86-8c41-d7a2f60b9e35';
RESET search_path;
SELECT id, name, created_at AT TIME ZONE 'UTC' AS created_at, updated_at BETWEEN now() AND clock_timestamp() AS updated_now, deleted_at BETWEEN now() AND clock_timestamp() AS deleted_now
  FROM neon_auth.users_sync ORDER BY id COLLATE "C";
ROLLBACK;
-- A look into users_sync on the way in is one into the true one.
BEGIN;
UPDATE neon_auth.providers SET reject_deleted_users = true;
SELECT neon_auth.upsert_user('{"id": "alice"}');
SELECT neon_auth.delete_user('alice');
SET LOCAL search_path = shadow, pg_catalog;
SELECT auth.authenticate(:'alice'::pg_catalog.text);
ROLLBACK;
-- So is the row of a new user.
BEGIN;
UPDATE neon_auth.providers SET create_users = true;
SET LOCAL search_path = shadow, pg_catalog;
SELECT auth.authenticate(:'alice'::pg_catalog.text);
RESET search_path;
SELECT id, raw_json ->> 'auth_provider' AS auth_provider FROM neon_auth.users_sync;
ROLLBACK;
SET client_min_messages = warning;
DROP SCHEMA shadow CASCADE;
