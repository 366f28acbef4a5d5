-- What a session knows of the mirror's tables follows them, whoever replaces them, and back again.
CREATE DATABASE neon_auth_reinstalled TEMPLATE template0;
\c neon_auth_reinstalled
\set fill 'DO $$BEGIN PERFORM neon_auth_internal.define_stack_permissions(); END$$; INSERT INTO neon_auth.team_members_sync VALUES (''t1'', ''u1''); INSERT INTO neon_auth.team_permissions_sync VALUES (''t1'', ''u1'', ''team_admin'');'
CREATE EXTENSION neon_auth;
:fill
PREPARE ask AS SELECT auth.has_permission('$update_team', 't1') AS has;
SELECT auth.impersonate('u1', is_local => false);
EXECUTE ask;
-- An index under another OID
REINDEX TABLE CONCURRENTLY neon_auth.team_members_sync;
EXECUTE ask;
-- Other tables, for as long as the transaction or the savepoint lasts
BEGIN;
DROP EXTENSION neon_auth;
CREATE EXTENSION neon_auth;
SELECT auth.has_permission('$update_team', 't1') AS empty;
SAVEPOINT s;
:fill
SELECT auth.has_permission('$update_team', 't1') AS filled;
ROLLBACK TO s;
SELECT auth.has_permission('$update_team', 't1') AS empty;
ROLLBACK;
EXECUTE ask;
BEGIN;
SAVEPOINT s;
DROP EXTENSION neon_auth;
ROLLBACK TO s;
EXECUTE ask;
COMMIT;
-- Other tables, for good
DROP EXTENSION neon_auth;
CREATE EXTENSION neon_auth;
SELECT auth.has_permission('$update_team', 't1') AS empty;
:fill
SELECT auth.has_permission('$update_team', 't1') AS filled;
-- and made by another session
\! psql --no-psqlrc --quiet --dbname neon_auth_reinstalled --command "SET client_min_messages = warning; DROP EXTENSION neon_auth; CREATE EXTENSION neon_auth"
SELECT auth.has_permission('$update_team', 't1') AS empty;
:fill
SELECT auth.has_permission('$update_team', 't1') AS filled;
-- Tables that are gone are named.
\set VERBOSITY default
ALTER EXTENSION neon_auth DROP TABLE neon_auth_internal.permission_closure;
DROP TABLE neon_auth_internal.permission_closure;
SELECT auth.has_permission('$update_team', 't1');
\echo :SQLSTATE
\c neon_auth_regress
DROP DATABASE neon_auth_reinstalled;
