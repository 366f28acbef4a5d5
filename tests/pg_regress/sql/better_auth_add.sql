-- add_better_auth: from the URL of a Better Auth server to its tables, triggers on them, and a provider.
\set SHOW_CONTEXT never
\pset null '-'
BEGIN;
CREATE ROLE better_auth_owner;
CREATE ROLE better_auth_admin;
GRANT EXECUTE ON FUNCTION neon_auth.add_better_auth, neon_auth.revoke_sessions, neon_auth.drop_provider TO better_auth_admin;
CREATE SCHEMA app AUTHORIZATION better_auth_owner;
SET LOCAL ROLE better_auth_owner;
CREATE TABLE app."user" (id text PRIMARY KEY, name text NOT NULL, email text NOT NULL UNIQUE, "emailVerified" boolean NOT NULL, image text,
    "createdAt" timestamptz NOT NULL, "updatedAt" timestamptz NOT NULL, role text, banned boolean, "banReason" text, "banExpires" timestamptz);
CREATE TABLE app.session (id text PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "createdAt" timestamptz NOT NULL,
    "updatedAt" timestamptz NOT NULL, "ipAddress" text, "userAgent" text, "userId" text NOT NULL REFERENCES app."user" ON DELETE CASCADE);
CREATE TABLE app.jwks (id text PRIMARY KEY, "publicKey" text NOT NULL, "privateKey" text NOT NULL, "createdAt" timestamptz NOT NULL);
CREATE TABLE app.organization (id text PRIMARY KEY, name text NOT NULL, slug text NOT NULL UNIQUE, "createdAt" timestamptz NOT NULL);
CREATE TABLE app.member (id text PRIMARY KEY, "organizationId" text NOT NULL, "userId" text NOT NULL, role text NOT NULL, "createdAt" timestamptz NOT NULL);
INSERT INTO app."user" VALUES ('u1', 'Alice', 'alice@example.com', true, NULL, '2026-01-01 UTC', '2026-01-01 UTC'),
                              ('u2', 'Bob', 'bob@example.com', false, NULL, '2026-01-02 UTC', '2026-01-02 UTC');
INSERT INTO app.organization VALUES ('o1', 'Acme', 'acme', '2026-01-03 UTC');
INSERT INTO app.member VALUES ('m1', 'o1', 'u1', 'owner', '2026-01-03 UTC');
RESET ROLE;
CREATE TEMP VIEW bound AS
    SELECT t.tgrelid::regclass AS relation, string_agg(t.tgname, ' ' ORDER BY t.tgname) AS triggers, string_agg(DISTINCT t.tgenabled::text, '') AS enabled
      FROM pg_trigger t WHERE t.tgfoid = 'neon_auth_internal.better_auth_changed'::regproc GROUP BY 1 ORDER BY 1;

-- Only a role that is granted it can call it.
SAVEPOINT s;
SET LOCAL ROLE better_auth_owner;
SELECT * FROM neon_auth.add_better_auth('https://app.example.com');
\echo :SQLSTATE
ROLLBACK TO s;
SET LOCAL ROLE better_auth_owner;
SELECT neon_auth.revoke_sessions();
\echo :SQLSTATE
ROLLBACK TO s;

-- A secret of Better Auth is not one of the project of Stack Auth.
UPDATE neon_auth.providers SET jwks = NULL, jwks_url = 'https://api.stack-auth.com/api/v1/projects/' || project_id || '/.well-known/jwks.json';
SELECT neon_auth.set_secret('better_auth_secret', 'a-secret-for-tests'), neon_auth.set_secret('secret_server_key', 'ssk_example');
SELECT name, service IS NOT NULL AS has_service FROM neon_auth_internal.secrets WHERE name IN ('better_auth_secret', 'secret_server_key') ORDER BY name;
ROLLBACK TO s;
-- Another provider fills the mirror.
SELECT * FROM neon_auth.add_better_auth('https://app.example.com');
\echo :SQLSTATE
ROLLBACK TO s;
-- It is gone, but its users are not.
SELECT neon_auth.upsert_user('{"id": "stack-user"}');
DELETE FROM neon_auth.providers;
SAVEPOINT refused;
SELECT * FROM neon_auth.add_better_auth('https://app.example.com');
\echo :SQLSTATE
ROLLBACK TO refused;
-- As the HINT says
DELETE FROM neon_auth.sync_source;
INSERT INTO neon_auth.sync_source VALUES ('better_auth', 'better_auth');
SELECT * FROM neon_auth.add_better_auth('https://app.example.com') WHERE "table" = 'user';
SELECT id, deleted_at IS NOT NULL AS is_deleted FROM neon_auth.users_sync ORDER BY id;
ROLLBACK TO s;
-- Users without a recorded source, as docs/adopt.sql leaves them
DELETE FROM neon_auth.providers;
SELECT neon_auth.upsert_user('{"id": "adopted"}');
SELECT * FROM neon_auth.add_better_auth('https://app.example.com');
\echo :SQLSTATE
ROLLBACK TO s;
DELETE FROM neon_auth.providers;
DELETE FROM neon_auth.permission_definitions;

-- As a role that is granted it: nothing is left of a call that fails, whatever fails.
SAVEPOINT s;
SET LOCAL ROLE better_auth_admin;
SELECT * FROM neon_auth.add_better_auth('https://app.example.com', names => '{"session": "logins"}');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT (SELECT count(*) FROM neon_auth.providers) AS providers, (SELECT count(*) FROM bound) AS bound,
       (SELECT count(*) FROM neon_auth.permission_definitions) AS permissions, (SELECT count(*) FROM neon_auth.sync_source) AS sources;
SET LOCAL ROLE better_auth_admin;
SELECT * FROM neon_auth.add_better_auth('https://App.Example.com:443/api/auth', secret => 'a-secret-for-tests');
RESET ROLE;
\x on
SELECT * FROM neon_auth.providers;
\x off
SELECT * FROM neon_auth.sync_source;
SELECT name, service FROM neon_auth_internal.secrets WHERE name = 'better_auth_secret';
SELECT what, relation, columns FROM neon_auth_internal.better_auth_tables ORDER BY what;
SELECT * FROM bound;
SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = 'app."user"'::regclass AND tgfoid = 'neon_auth_internal.better_auth_changed'::regproc ORDER BY tgname;
SELECT DISTINCT obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE tgfoid = 'neon_auth_internal.better_auth_changed'::regproc;
SELECT what, neon_auth_internal.better_auth_defect(what) FROM neon_auth_internal.better_auth_tables ORDER BY what;

-- The roles of its plugins, and what they may do.
SELECT scope, id COLLATE "C" AS id, contained_permission_ids FROM neon_auth.permission_definitions WHERE contained_permission_ids <> '{}' ORDER BY 1, 2;
SELECT scope, string_agg(id, ' ' ORDER BY id COLLATE "C") FROM neon_auth.permission_definitions WHERE contained_permission_ids = '{}' GROUP BY 1;
SELECT id, granted_by FROM neon_auth_internal.permission_closure WHERE scope = 'team' AND id IN ('ac:read', 'member:create', 'organization:delete') ORDER BY id;
-- Roles of the application's own, with capitals and hyphens; but no list.
INSERT INTO neon_auth.permission_definitions (id, contained_permission_ids) VALUES ('Billing-Manager', '{member,invoice:create}');
SAVEPOINT own;
INSERT INTO neon_auth.permission_definitions (id) VALUES ('owner,admin');
\echo :SQLSTATE
ROLLBACK TO own;
INSERT INTO neon_auth.permission_definitions (id) VALUES (E'tab\tbed');
\echo :SQLSTATE
ROLLBACK TO own;

-- Again: the columns that an administrator changed stay, and so do the definitions, the name and the secret.
UPDATE neon_auth.providers SET name = 'app', default_role = 'authenticated', leeway = '5 s', reject_deleted_users = false, allow_anonymous = true;
DELETE FROM neon_auth.permission_definitions WHERE id IN ('ac:create', 'project');
SELECT count(*) FROM neon_auth.add_better_auth('https://other.example.com/');
SELECT name, issuers, audiences, default_role, leeway, reject_deleted_users, allow_anonymous FROM neon_auth.providers;
SELECT count(*) FROM neon_auth.permission_definitions WHERE id = 'ac:create';
SELECT value FROM neon_auth_internal.secrets WHERE name = 'better_auth_secret';
SELECT count(*) FROM neon_auth.add_better_auth('https://app.example.com', name => 'renamed', secret => 'a-new-secret an-old-one');
SELECT name, issuers FROM neon_auth.providers;
SELECT value FROM neon_auth_internal.secrets WHERE name = 'better_auth_secret';
SELECT * FROM bound;
SAVEPOINT s;
SELECT * FROM neon_auth.add_better_auth('https://app.example.com', secret => '');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT * FROM neon_auth.add_better_auth('https://app.example.com', name => 'Not A Name');
\echo :SQLSTATE
ROLLBACK TO s;

-- The tables may be renamed and moved; a column that is renamed is noticed.
ALTER TABLE app."user" RENAME TO people;
ALTER SCHEMA app RENAME TO app_of_others;
SELECT what, relation, neon_auth_internal.better_auth_defect(what) FROM neon_auth_internal.better_auth_tables ORDER BY what;
ALTER TABLE app_of_others.people RENAME banned TO is_banned;
SELECT what, neon_auth_internal.better_auth_defect(what) FROM neon_auth_internal.better_auth_tables WHERE what = 'user';
SELECT * FROM neon_auth.add_better_auth('https://app.example.com', names => '{"user": {"banned": "is_banned"}}') WHERE "table" = 'user';
SELECT what, columns ->> 'banned' AS banned, neon_auth_internal.better_auth_defect(what) FROM neon_auth_internal.better_auth_tables WHERE what = 'user';
ROLLBACK TO s;

-- Other tables: the triggers of the former ones go, also one that the owner has renamed or disabled.
ALTER TRIGGER neon_auth_insert ON app."user" RENAME TO mine;
ALTER TABLE app.session DISABLE TRIGGER neon_auth_truncate;
CREATE SCHEMA second
    CREATE TABLE "user" (LIKE app."user" INCLUDING ALL)
    CREATE TABLE session (LIKE app.session INCLUDING ALL);
SELECT * FROM neon_auth.add_better_auth('https://app.example.com', 'second');
SELECT * FROM bound;
SELECT what, relation FROM neon_auth_internal.better_auth_tables ORDER BY what;
SELECT * FROM neon_auth.add_better_auth('https://app.example.com', 'app');
SELECT * FROM bound;
ROLLBACK TO s;
-- On the same tables too.
ALTER TRIGGER neon_auth_insert ON app."user" RENAME TO mine;
ALTER TABLE app.session DISABLE TRIGGER neon_auth_truncate;
SELECT count(*) FROM neon_auth.add_better_auth('https://app.example.com');
SELECT * FROM bound;

-- A table that becomes another one of Better Auth keeps only the trigger that it needs.
SAVEPOINT s;
ALTER TABLE app.organization ADD "publicKey" text;
SELECT "table", relation FROM neon_auth.add_better_auth('https://app.example.com', names => '{"organization": null, "jwks": "organization"}');
SELECT * FROM bound;
ROLLBACK TO s;

-- A provider that is dropped takes its triggers with it, however it is dropped.
SAVEPOINT s;
SET LOCAL ROLE better_auth_admin;
SELECT neon_auth.drop_provider('renamed');
RESET ROLE;
SELECT (SELECT count(*) FROM bound) AS bound, (SELECT count(*) FROM neon_auth_internal.better_auth_tables) AS tables;
SELECT * FROM neon_auth.sync_source;
-- Definitions that an administrator deleted do not come back with a new provider.
SELECT count(*) FROM neon_auth.permission_definitions;
SELECT count(*) FROM neon_auth.add_better_auth('https://app.example.com');
SELECT count(*) FROM neon_auth.permission_definitions;
ROLLBACK TO s;
DELETE FROM neon_auth.providers;
SELECT (SELECT count(*) FROM bound) AS bound, (SELECT count(*) FROM neon_auth_internal.better_auth_tables) AS tables;
ROLLBACK TO s;
-- By a member of the owner too, who may not change the tables of others itself.
GRANT postgres TO better_auth_admin;
SET LOCAL ROLE better_auth_admin;
DELETE FROM neon_auth.providers;
RESET ROLE;
SELECT (SELECT count(*) FROM bound) AS bound, (SELECT count(*) FROM neon_auth_internal.better_auth_tables) AS tables;
ROLLBACK TO s;
TRUNCATE neon_auth.providers;
SELECT (SELECT count(*) FROM bound) AS bound, (SELECT count(*) FROM neon_auth_internal.better_auth_tables) AS tables;
ROLLBACK TO s;
UPDATE neon_auth.providers SET kind = 'oidc', jwks_url = 'https://app.example.com/api/auth/jwks';
SELECT (SELECT count(*) FROM bound) AS bound, (SELECT count(*) FROM neon_auth_internal.better_auth_tables) AS tables;
ROLLBACK TO s;
-- Other changes do not.
UPDATE neon_auth.providers SET issuers = '{https://new.example.com}', audiences = '{https://new.example.com}';
SELECT (SELECT count(*) FROM bound) AS bound, (SELECT count(*) FROM neon_auth_internal.better_auth_tables) AS tables;
-- What a row of this kind cannot have.
SAVEPOINT s;
UPDATE neon_auth.providers SET jwks_url = 'https://app.example.com/api/auth/jwks';
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.providers SET jwks = '{"keys": []}';
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.providers SET audiences = '{}';
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.providers SET project_id = 'p1';
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.add_provider('second', '{https://second.example.com}', '{second}', kind => 'better_auth');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.configure('{"auth_provider": "stack", "auth_provider_project_id": "p1", "pub_client_key": "pck_example", "secret_server_key": "ssk_example",
    "jwks_url": "https://api.stack-auth.com/api/v1/projects/p1/.well-known/jwks.json"}');
\echo :SQLSTATE
ROLLBACK TO s;

-- DROP EXTENSION needs no CASCADE, and leaves Better Auth's tables as they were.
DROP VIEW bound;
DROP EXTENSION neon_auth;
SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgrelid = 'app."user"'::regclass AND NOT tgisinternal;
SELECT count(*) FROM app."user";
ROLLBACK;

-- The console's response for a hosted project: pub_client_key and secret_server_key are empty.
BEGIN;
DELETE FROM neon_auth.providers;
CREATE TABLE neon_auth."user" (id uuid PRIMARY KEY, name text NOT NULL, email text NOT NULL, "emailVerified" boolean NOT NULL, "createdAt" timestamptz NOT NULL);
CREATE TABLE neon_auth.session (id uuid PRIMARY KEY, "expiresAt" timestamptz NOT NULL, token text NOT NULL UNIQUE, "createdAt" timestamptz, "userId" uuid NOT NULL);
-- As well as those of an application, which the response does not mean.
CREATE SCHEMA app
    CREATE TABLE "user" (LIKE neon_auth."user" INCLUDING ALL)
    CREATE TABLE session (LIKE neon_auth.session INCLUDING ALL);
SELECT neon_auth.configure('{"auth_provider": "better_auth", "auth_provider_project_id": "0198c111-0000-7000-8000-000000000001", "pub_client_key": "",
    "secret_server_key": "", "jwks_url": "https://ep-example.neonauth.us-east-1.aws.neon.tech/neondb/auth/.well-known/jwks.json",
    "schema_name": "neon_auth", "table_name": "users_sync", "base_url": "https://ep-example.neonauth.us-east-1.aws.neon.tech/neondb/auth"}');
SELECT name, kind, issuers, audiences, reject_deleted_users FROM neon_auth.providers;
SELECT what, relation FROM neon_auth_internal.better_auth_tables ORDER BY what;
SELECT count(*) FROM neon_auth_internal.secrets WHERE name IN ('better_auth_secret') OR value = '';
SAVEPOINT s;
-- Without the schema: in the first call, either can be meant.
DELETE FROM neon_auth.providers;
SELECT neon_auth.configure('{"auth_provider": "better_auth", "base_url": "https://ep-example.neonauth.us-east-1.aws.neon.tech/neondb/auth"}');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.configure('{"auth_provider": "better_auth", "schema_name": "neon_auth", "table_name": "users_sync"}');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.configure('{"auth_provider": "better_auth", "schema_name": "app", "table_name": "users_sync", "base_url": "https://app.example.com"}');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.configure('{"auth_provider": "mock", "base_url": "https://app.example.com"}');
\echo :SQLSTATE
ROLLBACK;

-- The issuer is the origin of the URL, as a browser has it.
CREATE FUNCTION pg_temp.origin(url text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    RETURN neon_auth_internal.better_auth_origin(url);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN format('%s: %s', sqlstate, detail);
END
$$;
SELECT url, pg_temp.origin(url) FROM unnest(ARRAY[
    'https://app.example.com', 'https://app.example.com/', 'https://app.example.com/api/auth', 'HTTPS://App.EXAMPLE.com/API',
    'https://app.example.com:443', 'https://app.example.com:8443/x', 'https://app.example.com:', 'https://app.example.com:0443',
    'http://app.example.com:80', 'http://app.example.com:443', 'http://localhost:3000', 'http://127.0.0.1:3000/api', ' https://app.example.com' || E'\n',
    'https://app.example.com?a=b', 'https://app.example.com#a', 'https://app.example.com/a@b', 'https://app.example.com.', 'https://my_app.example.com',
    'http://[::1]:3000', 'http://[0:0:0:0:0:0:0:1]', 'http://[2001:DB8::0001]/', 'https://xn--bcher-kva.example',
    'https://1.example', 'https://example.1a',
    -- Refused
    NULL, '', ' ', 'app.example.com', '//app.example.com', 'ftp://app.example.com', 'https:app.example.com', 'https://', 'https:///path',
    'https://user@app.example.com', 'https://user:password@app.example.com', 'https://@app.example.com', 'https://app.example.com:port',
    'https://app.example.com:65536', 'https://app.example.com:99999999999', 'https://app.example.com:-1', 'https://app example.com', 'https://app.example.com\evil',
    'https://bücher.example', 'https://app%2eexample.com', 'https://*.example.com', 'https://[::1', 'https://[zz]', 'https://[1::2::3]', 'https://[::ffff:127.0.0.1]',
    'http://127.1', 'http://0x7f.0.0.1', 'http://256.0.0.1', 'http://1', 'http://01.2.3.4', 'javascript:alert(1)', 'https://app.example.com' || chr(1)]) AS url;
