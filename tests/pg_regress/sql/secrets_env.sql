-- The keys of the auth service: stored, handed out as SDKs want them, shown to nobody else.
\set SHOW_CONTEXT never
BEGIN;
-- What setup configured, with all values there and none of them printed.
SELECT regexp_replace(line, '=.+', '=...') AS line
  FROM regexp_split_to_table(neon_auth.sdk_env(), '\n') WITH ORDINALITY AS l(line, n) ORDER BY n;
SELECT neon_auth.set_secret('publishable_client_key', 'pck_example');
SELECT neon_auth.set_secret('secret_server_key', 'ssk_example');
SELECT neon_auth.set_secret('webhook_secret', 'whsec_ZXhhbXBsZSBvZiBhIHNlY3JldCBrZXk=');
UPDATE neon_auth.providers SET project_id = 'project-id-123';
SELECT neon_auth.sdk_env();
-- Set again to change it; NULL and nothing forget it.
SELECT neon_auth.set_secret('webhook_secret', 'whsec_YW5vdGhlciBleGFtcGxlIG9mIGE=');
SELECT name, value FROM neon_auth_internal.secrets ORDER BY name;
SELECT neon_auth.set_secret('webhook_secret', NULL), neon_auth.set_secret('secret_server_key', '');
SELECT name FROM neon_auth_internal.secrets ORDER BY name;
SAVEPOINT s;
SELECT neon_auth.sdk_env();
\echo :SQLSTATE
ROLLBACK TO s;
DELETE FROM neon_auth.providers;
SELECT neon_auth.sdk_env();
\echo :SQLSTATE
ROLLBACK TO s;
-- A webhook secret that could verify nothing, such as another secret
SELECT neon_auth.set_secret('webhook_secret', 'ssk_example');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.set_secret('webhook_secret', ' ');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.set_secret('password', 'ssk_example');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.set_secret(NULL, 'ssk_example');
\echo :SQLSTATE
ROLLBACK TO s;
ROLLBACK;

-- Statistics are shown to those who may read every table.
ANALYZE neon_auth_internal.secrets;
SELECT a.attname FROM pg_statistic s JOIN pg_attribute a ON a.attrelid = s.starelid AND a.attnum = s.staattnum
 WHERE s.starelid = 'neon_auth_internal.secrets'::regclass AND a.attname IN ('name', 'value') ORDER BY 1;

-- No dump carries them.
SELECT 'neon_auth_internal.secrets'::regclass = ANY (extconfig) AS dumped FROM pg_extension WHERE extname = 'neon_auth';

-- Nobody but the administrator sees or changes them.
SET SESSION AUTHORIZATION app;
SELECT * FROM neon_auth_internal.secrets;
\echo :SQLSTATE
SELECT neon_auth.sdk_env();
\echo :SQLSTATE
SELECT neon_auth.set_secret('secret_server_key', 'ssk_example');
\echo :SQLSTATE
RESET SESSION AUTHORIZATION;
SELECT a.grantee::regrole, a.privilege_type FROM pg_class c, aclexplode(c.relacl) AS a
 WHERE c.oid = 'neon_auth_internal.secrets'::regclass AND a.grantee <> c.relowner;
