-- The permissions that every project of Stack Auth has are defined with the provider, and once.
\set SHOW_CONTEXT never
CREATE DATABASE neon_auth_defaults TEMPLATE template0;
\c neon_auth_defaults
\set jwks `"$STACK" jwks`
\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
CREATE EXTENSION neon_auth;
CREATE TEMP VIEW defined AS SELECT count(*), count(*) FILTER (WHERE id = 'team_member') AS members FROM neon_auth.permission_definitions;
SELECT * FROM defined;
-- Another kind has none.
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks => :'jwks');
SELECT * FROM defined;
BEGIN;
SELECT neon_auth.add_provider('neon', '{https://neon.example.com}', '{neon}', jwks => :'jwks', kind => 'stack', project_id => 'neon');
SELECT * FROM defined;
ROLLBACK;
-- A provider that becomes one of Stack Auth.
BEGIN;
UPDATE neon_auth.providers SET kind = 'stack', project_id = 'idp';
SELECT * FROM defined;
ROLLBACK;
-- One of the administrator's own is kept.
BEGIN;
INSERT INTO neon_auth.permission_definitions (id, contained_permission_ids) VALUES ('team_admin', '{mine}');
SELECT neon_auth.configure(:'keys');
SELECT id, contained_permission_ids FROM neon_auth.permission_definitions;
ROLLBACK;
SELECT neon_auth.configure(:'keys');
SELECT scope, id COLLATE "C" AS id, contained_permission_ids, retired FROM neon_auth.permission_definitions ORDER BY 2;
SELECT id COLLATE "C" AS id, granted_by FROM neon_auth_internal.permission_closure ORDER BY 1;
-- What was deleted or changed does not come back: not by configuring again, nor with another provider.
DELETE FROM neon_auth.permission_definitions WHERE id = '$invite_members';
UPDATE neon_auth.permission_definitions SET contained_permission_ids = '{$read_members}' WHERE id = 'team_member';
SELECT neon_auth.configure(:'keys');
SELECT * FROM defined;
SELECT neon_auth.drop_provider('stack');
SELECT neon_auth.configure(:'keys');
SELECT * FROM defined;
SELECT contained_permission_ids FROM neon_auth.permission_definitions WHERE id = 'team_member';
-- Nor by a restore.
CREATE TEMP TABLE before AS SELECT * FROM neon_auth.permission_definitions;
\! pg_dump --no-sync --file neon_auth_defaults.dump --format custom neon_auth_defaults
\c neon_auth_regress
CREATE DATABASE neon_auth_defaults_restored TEMPLATE template0;
\! pg_restore --exit-on-error --dbname neon_auth_defaults_restored neon_auth_defaults.dump && rm neon_auth_defaults.dump
\c neon_auth_defaults_restored
SELECT count(*), count(*) FILTER (WHERE id = '$invite_members') AS invited,
       min(contained_permission_ids::text) FILTER (WHERE id = 'team_member') AS members FROM neon_auth.permission_definitions;
SELECT granted_by FROM neon_auth_internal.permission_closure WHERE id = '$read_members';
\c neon_auth_regress
DROP DATABASE neon_auth_defaults;
DROP DATABASE neon_auth_defaults_restored;
