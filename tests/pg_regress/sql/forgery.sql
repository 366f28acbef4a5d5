-- Nobody forges an identity, by any way in which PostgreSQL lets a setting be set.
\set SHOW_CONTEXT never
\pset null '-'
\set alice `"$STACK" token --sub alice`
\set unguarded `"$LIBRARIES/build" unguarded`
-- An identity as text, as the setting holds it. That is no secret,
CREATE FUNCTION pg_temp.unguarded_get(text) RETURNS text LANGUAGE c STRICT AS :'unguarded';
SELECT auth.impersonate('mallory', is_local => false);
SELECT pg_temp.unguarded_get('neon_auth.identity') AS forged \gset
-- and would make anybody Mallory if it came past the guard.
\c - postgres
CREATE FUNCTION pg_temp.unguarded_set(text, text) RETURNS void LANGUAGE c STRICT AS :'unguarded';
SELECT auth.user_id();
SELECT pg_temp.unguarded_set('neon_auth.identity', :'forged');
SELECT auth.user_id();
-- The same among start-up options, where blanks are escaped twice; \c takes double quotes away.
SELECT quote_ident(format($$dbname=neon_auth_regress user=app options='-c neon_auth.identity=%s'$$, escaped)) AS forged_by_app,
       quote_ident(format($$dbname=neon_auth_regress user=postgres options='-c neon_auth.identity=%s'$$, escaped)) AS forged_by_postgres
  FROM replace(:'forged', ' ', $$\\ $$) AS escaped \gset
SELECT current_setting('server_version_num')::int >= 150000 AS parameters_have_privileges \gset

-- An ordinary user
\c - app
SELECT auth.user_id();
SET neon_auth.identity = :'forged';
\echo :SQLSTATE
SET SESSION neon_auth.identity = '';
\echo :SQLSTATE
BEGIN;
SET LOCAL neon_auth.identity = :'forged';
\echo :SQLSTATE
ROLLBACK;
SELECT set_config('neon_auth.identity', :'forged', false);
\echo :SQLSTATE
SELECT set_config('neon_auth.identity', :'forged', true);
\echo :SQLSTATE
\set VERBOSITY sqlstate
SELECT set_config('NEON_AUTH.Identity', :'forged', false);
\set VERBOSITY default
RESET neon_auth.identity;
\echo :SQLSTATE
SET neon_auth.identity TO DEFAULT;
\echo :SQLSTATE
CREATE FUNCTION pg_temp.mallory() RETURNS text LANGUAGE sql SET neon_auth.identity = :'forged' AS 'SELECT auth.user_id()';
\echo :SQLSTATE
UPDATE pg_settings SET setting = :'forged' WHERE name = 'neon_auth.identity';
SELECT auth.user_id();
\set VERBOSITY sqlstate
ALTER ROLE app SET neon_auth.identity = :'forged';
ALTER DATABASE neon_auth_regress SET neon_auth.identity = :'forged';
ALTER SYSTEM SET neon_auth.identity = :'forged';
\set VERBOSITY default

-- Nor does anything show it: it holds the claims.
SELECT auth.authenticate(:'alice', false);
\set VERBOSITY sqlstate
SHOW neon_auth.identity;
SELECT current_setting('neon_auth.identity');
SELECT current_setting('neon_auth.identity', true);
\set VERBOSITY default
SELECT name FROM pg_settings WHERE name = 'neon_auth.identity';
SELECT count(*) FROM pg_show_all_settings() AS s WHERE s.setting LIKE '%alice%';

-- A superuser cannot make one up either, only forget the one that is there.
\c - postgres
SELECT auth.authenticate(:'alice', false);
SHOW neon_auth.identity;
SELECT current_setting('neon_auth.identity');
SET neon_auth.identity = :'forged';
\echo :SQLSTATE
SELECT set_config('neon_auth.identity', :'forged', true);
\echo :SQLSTATE
SET neon_auth.identity = '(set)';
\echo :SQLSTATE
SELECT auth.user_id();
-- Copies of the current value are copies of what is shown, and refused as such.
CREATE FUNCTION pg_temp.later() RETURNS text LANGUAGE sql SET neon_auth.identity FROM CURRENT AS 'SELECT auth.user_id()';
\echo :SQLSTATE
ALTER ROLE app SET neon_auth.identity FROM CURRENT;
\echo :SQLSTATE
ALTER ROLE app SET neon_auth.identity = :'forged';
\echo :SQLSTATE
ALTER DATABASE neon_auth_regress SET neon_auth.identity = :'forged';
\echo :SQLSTATE
\set VERBOSITY sqlstate
ALTER SYSTEM SET neon_auth.identity = :'forged';
\set VERBOSITY default
CREATE FUNCTION pg_temp.mallory() RETURNS text LANGUAGE sql SET neon_auth.identity = :'forged' AS 'SELECT auth.user_id()';
\echo :SQLSTATE
SELECT auth.user_id();
RESET neon_auth.identity;
SELECT auth.user_id();

-- The right to set the parameter, where there is such a right, is no right to make one up.
\if :parameters_have_privileges
GRANT SET, ALTER SYSTEM ON PARAMETER neon_auth.identity TO app;
\endif
\c - app
SELECT auth.user_id();
\set VERBOSITY sqlstate
SET neon_auth.identity = :'forged';
\set VERBOSITY default
SELECT auth.user_id();
\c - postgres
\if :parameters_have_privileges
REVOKE SET, ALTER SYSTEM ON PARAMETER neon_auth.identity FROM app;
\endif

-- Before the library is loaded the name belongs to nobody, and a placeholder of it can be made.
-- It is dropped as the library is loaded. From the client's options:
\c :forged_by_app
SELECT current_setting('neon_auth.identity') = :'forged' AS is_there;
SELECT auth.user_id();
SELECT auth.jwt();
SELECT auth.authenticate(:'alice', false);
SELECT auth.user_id();
DISCARD ALL;
SELECT auth.user_id();
\c :forged_by_postgres
SELECT current_setting('neon_auth.identity') = :'forged' AS is_there;
SELECT auth.user_id();
-- by SET, of a session and of a transaction,
\c 'dbname=neon_auth_regress user=app'
SET neon_auth.identity = :'forged';
SELECT auth.user_id();
\c - app
BEGIN;
SET LOCAL neon_auth.identity = :'forged';
SELECT auth.user_id();
SAVEPOINT s;
SELECT auth.user_id();
COMMIT;
SELECT auth.user_id();
\c - app
BEGIN;
SET neon_auth.identity = :'forged';
SAVEPOINT s;
SELECT auth.user_id();
ROLLBACK TO s;
SELECT auth.user_id();
ROLLBACK;
SELECT auth.user_id();
-- in a function's SET clause, which only a superuser can give a placeholder,
\c - app
CREATE FUNCTION pg_temp.mallory() RETURNS text LANGUAGE plpgsql SET neon_auth.identity = 'x' AS 'BEGIN RETURN auth.user_id(); END';
\echo :SQLSTATE
\c - postgres
CREATE SCHEMA forgery;
GRANT USAGE ON SCHEMA forgery TO app;
CREATE FUNCTION forgery.mallory() RETURNS text LANGUAGE plpgsql SET neon_auth.identity = :'forged' AS 'BEGIN RETURN auth.user_id(); END';
\c - app
SELECT forgery.mallory();
SELECT auth.user_id();
SELECT forgery.mallory();
\echo :SQLSTATE
SELECT auth.user_id();
\c - postgres
DROP FUNCTION forgery.mallory();
DROP SCHEMA forgery;
-- as superuser,
\c - postgres
SET neon_auth.identity = :'forged';
SELECT auth.user_id();
-- and in the catalog, for a role and for the database, where only a superuser can put it.
\c - postgres
ALTER ROLE app SET neon_auth.identity = :'forged';
\c - app
SELECT auth.user_id();
-- Parallel workers read the catalog too, before they load libraries and before they take over
-- the leader's settings.
\c - app
SELECT count(set_config(name, 'on', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
-- A function keeps the reader inside the worker, whatever the planner makes of the reader.
CREATE FUNCTION pg_temp.who() RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS 'BEGIN RETURN auth.user_id(); END';
-- Here the library is first loaded inside a worker; each major has words of its own for it.
SET client_min_messages = error;
SELECT count(*) FROM pg_class WHERE pg_temp.who() IS NOT NULL;
RESET client_min_messages;
SELECT auth.authenticate(:'alice', false);
SELECT count(*) FROM pg_namespace WHERE pg_temp.who() IS DISTINCT FROM 'alice';
SELECT auth.logout();
SELECT count(*) FROM pg_class WHERE pg_temp.who() IS NOT NULL;
-- The leader has refused the forged value and so has nothing to hand on.
\c - app
SELECT auth.user_id();
SELECT count(set_config(name, 'on', false)) AS forced FROM pg_settings WHERE name IN ('force_parallel_mode', 'debug_parallel_query');
CREATE FUNCTION pg_temp.who() RETURNS text LANGUAGE plpgsql STABLE PARALLEL SAFE AS 'BEGIN RETURN auth.user_id(); END';
SELECT count(*) FROM pg_class WHERE pg_temp.who() IS NOT NULL;
\c - postgres
ALTER ROLE app RESET neon_auth.identity;
ALTER DATABASE neon_auth_regress SET neon_auth.identity = :'forged';
\c - app
SELECT auth.user_id();
\c - postgres
ALTER DATABASE neon_auth_regress RESET neon_auth.identity;
SELECT count(*) FROM pg_db_role_setting WHERE setconfig::text LIKE '%neon_auth%';
