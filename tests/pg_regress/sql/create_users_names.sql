-- Names of providers, by which rows that sign-ins have made belong to them: no other provider inherits the users of a
-- dropped one, or their API keys.
\set SHOW_CONTEXT never
\pset null '-'
\set jwks `"$STACK" jwks`
\set old `"$STACK" token --sub old --name Old --claim 'iss="https://idp.example.com"'`
CREATE VIEW users AS
    SELECT id, deleted_at IS NOT NULL AS deleted, raw_json ->> 'auth_provider' AS auth_provider, raw_json ->> 'auth_issuer' AS auth_issuer
      FROM neon_auth.users_sync ORDER BY id COLLATE "C";
BEGIN;
SELECT neon_auth.add_provider('idp', '{https://idp.example.com,https://second.example.com}', jwks => :'jwks');
SELECT auth.authenticate(:'old', false);
SELECT auth.logout();
SELECT neon_auth.create_api_key('old', 'k') AS key \gset
TABLE users;
SELECT neon_auth.drop_provider('idp');
SAVEPOINT s;
-- Another provider cannot be added under the name, whichever statement adds it,
SELECT neon_auth.add_provider('idp', '{https://other.example.com}', jwks => :'jwks');
\echo :SQLSTATE
ROLLBACK TO s;
INSERT INTO neon_auth.providers (name, issuers, jwks) VALUES ('idp', '{https://other.example.com}', :'jwks');
ROLLBACK TO s;
-- nor be renamed to it.
SELECT neon_auth.add_provider('third', '{https://third.example.com}', jwks => :'jwks');
SAVEPOINT third;
UPDATE neon_auth.providers SET name = 'idp' WHERE name = 'third';
ROLLBACK TO third;
-- Nor can the service that fills the mirror: its full run would delete the users.
UPDATE neon_auth.providers SET name = 'idp' WHERE name = 'stack';
ROLLBACK TO s;
-- Nor does one of that name become the service.
SELECT neon_auth.drop_provider('stack');
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks');
UPDATE neon_auth.providers SET kind = 'stack', project_id = 'p', issuers = '{https://api.stack-auth.com/api/v1/projects/p}' WHERE name = 'idp';
ROLLBACK TO s;
-- The key stays refused.
SELECT auth.authenticate(:'key');
ROLLBACK TO s;
-- With the issuer of the users it is the same provider.
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks');
SELECT auth.authenticate(:'key', false);
SELECT auth.logout();
-- Its own name, and a new one, are no other's.
UPDATE neon_auth.providers SET name = 'idp', issuers = '{https://moved.example.com}' WHERE name = 'idp';
UPDATE neon_auth.providers SET name = 'idp2' WHERE name = 'idp';
TABLE users;
SELECT auth.authenticate(:'key', false);
SELECT auth.logout();
-- A provider that is there is said to be.
SAVEPOINT there;
SELECT neon_auth.add_provider('idp2', '{https://other.example.com}', jwks => :'jwks');
ROLLBACK TO s;
-- The name is free without living users.
SELECT neon_auth.delete_user('old');
SELECT neon_auth.add_provider('idp', '{https://other.example.com}', jwks => :'jwks');
ROLLBACK TO s;
-- A row without an issuer, as an administrator may write it, belongs to nobody who comes later.
SELECT neon_auth.upsert_user('{"id": "old", "auth_provider": "idp"}');
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks');
ROLLBACK TO s;
-- A dump is loaded whatever the rows are: the issuers may have been changed since.
SET LOCAL check_function_bodies = off;
COPY neon_auth.providers (name, issuers, jwks_url) FROM STDIN;
idp	{https://moved.example.com}	https://idp.example.com/jwks
\.
ROLLBACK;
-- What the service says about providers is not what a sign-in says.
BEGIN;
SELECT deliver('user.created', '{"id": "z", "auth_provider": "google", "auth_issuer": "i"}');
SELECT raw_json FROM neon_auth.users_sync;
SELECT deliver('user.updated', '{"id": "z", "display_name": "Zoe", "auth_issuer": "i"}');
SELECT raw_json FROM neon_auth.users_sync;
SELECT deliver('user.deleted', '{"id": "z", "auth_provider": "google"}');
TABLE users;
INSERT INTO neon_auth.sync_runs (kind, source) SELECT kind, source FROM neon_auth_internal.source RETURNING id AS run \gset
SELECT neon_auth_internal.sync_page(:run, 'user', ARRAY['{"id": "x", "auth_provider": "google"}', '{"id": "y", "auth_issuer": "i"}', '{"id": "w"}'], extract(epoch FROM clock_timestamp())::bigint * 1000000 + 5000000);
SELECT raw_json FROM neon_auth.users_sync WHERE deleted_at IS NULL ORDER BY id;
SELECT neon_auth_internal.sync_page(:run, 'user', ARRAY['7', '{"id": "x", "auth_provider": "google"}'], extract(epoch FROM clock_timestamp())::bigint * 1000000 + 5000000);
SELECT neon_auth_internal.confirm_deleted(:run, 'user', 'x');
TABLE users;
ROLLBACK;
DROP VIEW users;
