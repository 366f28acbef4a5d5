-- The roles that applications act as: made once, without rights of their own.
\set SHOW_CONTEXT never
SELECT rolname, rolcanlogin, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls
  FROM pg_roles WHERE rolname IN ('authenticated', 'anonymous') ORDER BY 1;
-- Neither is a member of another role.
SELECT count(*) FROM pg_auth_members WHERE member IN ('authenticated'::regrole, 'anonymous'::regrole);
SELECT has_schema_privilege('authenticated', 'public', 'USAGE') AS authenticated, has_schema_privilege('anonymous', 'public', 'USAGE') AS anonymous;
-- No table is granted by the way.
BEGIN;
CREATE TABLE public.t ();
SELECT neon_auth.setup_roles();
SELECT has_table_privilege('authenticated', 'public.t', 'SELECT') AS authenticated, has_table_privilege('anonymous', 'public.t', 'SELECT') AS anonymous;
ROLLBACK;
-- Again, and nothing is said or changed.
SELECT neon_auth.setup_roles();
SELECT count(*) FROM pg_roles WHERE rolname IN ('authenticated', 'anonymous');

-- A database without the schema public is as good; the roles are made, and what they may use is granted by hand.
BEGIN;
ALTER SCHEMA public RENAME TO elsewhere;
ALTER ROLE authenticated RENAME TO before;
SELECT neon_auth.setup_roles();
SELECT rolname, rolcanlogin FROM pg_roles WHERE rolname = 'authenticated';
ROLLBACK;

-- A role of the name that would bypass every policy is refused.
BEGIN;
ALTER ROLE authenticated BYPASSRLS;
SELECT neon_auth.setup_roles();
\echo :SQLSTATE
ROLLBACK;
BEGIN;
ALTER ROLE anonymous SUPERUSER;
SELECT neon_auth.setup_roles();
\echo :SQLSTATE
ROLLBACK;
-- Whoever calls it must be able to do it by hand.
BEGIN;
GRANT EXECUTE ON FUNCTION neon_auth.setup_roles() TO stranger;
ALTER ROLE authenticated RENAME TO before;
SET LOCAL SESSION AUTHORIZATION stranger;
\set VERBOSITY sqlstate
SELECT neon_auth.setup_roles();
\set VERBOSITY default
ROLLBACK;
