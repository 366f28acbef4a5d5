-- The provider that fills the mirror is known by its kind; its name is the administrator's.
\set SHOW_CONTEXT never
\pset null '-'
CREATE FUNCTION pg_temp.keys(project text) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_build_object(
        'auth_provider', 'stack', 'auth_provider_project_id', project, 'pub_client_key', 'pck_example',
        'secret_server_key', 'ssk_example',
        'jwks_url', format('https://api.stack-auth.com/api/v1/projects/%s/.well-known/jwks.json', project))
$$;
CREATE TEMP VIEW state AS
    SELECT (SELECT string_agg(concat_ws(' ', provider, kind, source), ', ') FROM neon_auth_internal.source) AS source,
           (SELECT string_agg(concat_ws(' ', kind, source), ', ') FROM neon_auth.sync_source) AS mirrored,
           (SELECT string_agg(concat_ws(' ', kind, source), ', ') FROM neon_auth_internal.other_source) AS other_source,
           (SELECT s.service FROM neon_auth_internal.secrets s WHERE s.name = 'secret_server_key') AS secret_for,
           neon_auth_internal.sync_access() ->> 'project' AS asked;
BEGIN;
DELETE FROM neon_auth.providers;
DELETE FROM neon_auth_internal.secrets;
SELECT * FROM state;

-- A provider of kind stack under another name, which configure() changes and leaves its name.
SELECT neon_auth.add_provider('neon', '{https://api.stack-auth.com/api/v1/projects/p0}', '{p0}', kind => 'stack',
    project_id => 'p0', jwks_url => 'https://api.stack-auth.com/api/v1/projects/p0/.well-known/jwks.json');
SELECT neon_auth.set_secret('secret_server_key', 'ssk_0');
SELECT * FROM state;
SELECT neon_auth.configure(pg_temp.keys('p1'));
SELECT name, kind, project_id, audiences FROM neon_auth.providers;
SELECT * FROM state;
SELECT regexp_replace(line, '=ssk.+', '=...') AS line
  FROM regexp_split_to_table(neon_auth.sdk_env(), '\n') WITH ORDINALITY AS l(line, n) ORDER BY n;

-- A second provider that fills the mirror is refused, however it would come about.
SAVEPOINT s;
SELECT neon_auth.add_provider('second', '{https://second.example.com}', '{second}', kind => 'stack',
    project_id => 'p2', jwks_url => 'https://second.example.com/api/v1/projects/p2/.well-known/jwks.json');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.add_provider('second', '{https://second.example.com}', '{second}', jwks_url => 'https://second.example.com/keys');
SAVEPOINT added;
UPDATE neon_auth.providers SET kind = 'stack', project_id = 'p2' WHERE name = 'second';
\echo :SQLSTATE
ROLLBACK TO added;
-- Without triggers, the index refuses it.
SET LOCAL session_replication_role = replica;
UPDATE neon_auth.providers SET kind = 'stack', project_id = 'p2' WHERE name = 'second';
\echo :SQLSTATE
ROLLBACK TO s;

-- A new name changes nothing. Another kind, project or none: the mirror is remembered as the former one's.
SELECT neon_auth.upsert_user('{"id": "u1"}');
UPDATE neon_auth.providers SET name = 'renamed';
SELECT * FROM state;
SAVEPOINT s;
UPDATE neon_auth.providers SET project_id = 'p2';
SELECT * FROM state;
SELECT component, ok, detail FROM neon_auth.status WHERE component = 'synchronisation';
ROLLBACK TO s;
UPDATE neon_auth.providers SET kind = 'oidc', project_id = NULL;
SELECT * FROM state;
SELECT neon_auth.configure(pg_temp.keys('p2'));
\echo :SQLSTATE
ROLLBACK TO s;
DELETE FROM neon_auth.providers;
SELECT * FROM state;
SELECT neon_auth.configure(pg_temp.keys('p1'));
SELECT * FROM state;
ROLLBACK TO s;
TRUNCATE neon_auth.providers;
SELECT neon_auth.configure(pg_temp.keys('p2'));
SELECT * FROM state;
-- A source of another kind is another source, whatever its name is.
UPDATE neon_auth.sync_source SET kind = 'other', source = 'p2';
SELECT * FROM state;
ROLLBACK TO s;

-- A provider "stack" of another kind is not asked and has no secrets.
DELETE FROM neon_auth.providers;
DELETE FROM neon_auth.sync_source;
SELECT neon_auth.add_provider('stack', '{https://idp.example.com}', jwks_url => 'https://api.stack-auth.com/api/v1/projects/p1/.well-known/jwks.json');
SELECT neon_auth.set_secret('secret_server_key', 'ssk_example'), neon_auth.set_secret('publishable_client_key', 'pck_example');
SELECT * FROM state;
SELECT component, ok FROM neon_auth.status WHERE NOT ok OR component IN ('webhooks', 'sync queue', 'synchronisation') ORDER BY component COLLATE "C";
SAVEPOINT s;
SELECT neon_auth.sdk_env();
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.configure(pg_temp.keys('p1'));
\echo :SQLSTATE
ROLLBACK TO s;
UPDATE neon_auth.providers SET name = 'stack_oidc', jwks_url = 'https://idp.example.com/keys' WHERE name = 'stack';
SELECT neon_auth.configure(pg_temp.keys('p1'));
SELECT name, kind FROM neon_auth.providers ORDER BY name;
ROLLBACK;
