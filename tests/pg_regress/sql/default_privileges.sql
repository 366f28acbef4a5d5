-- What ALTER DEFAULT PRIVILEGES does to whatever is made does not reach the extension, and no more
-- does a setting of the database that changes what a literal is.
\set VERBOSITY terse
\set keys `"$STACK" keys --base-url https://api.stack-auth.com`
CREATE DATABASE neon_auth_defaults TEMPLATE template0;
ALTER DATABASE neon_auth_defaults SET standard_conforming_strings = off;
ALTER DATABASE neon_auth_defaults SET escape_string_warning = off;
\c neon_auth_defaults
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO app, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO app, PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO app WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO app, PUBLIC;
CREATE EXTENSION neon_auth;

SELECT what, privilege_type, grantee::regrole
  FROM (SELECT p.oid::regprocedure::text, proowner, proacl FROM pg_proc p
         WHERE pronamespace IN ('auth'::regnamespace, 'neon_auth'::regnamespace, 'neon_auth_internal'::regnamespace)
        UNION ALL
        SELECT c.oid::regclass::text, relowner, relacl FROM pg_class c
         WHERE relnamespace IN ('auth'::regnamespace, 'neon_auth'::regnamespace, 'neon_auth_internal'::regnamespace) AND relkind IN ('r', 'v', 'S')
        UNION ALL
        SELECT nspname, nspowner, nspacl FROM pg_namespace WHERE nspname IN ('auth', 'neon_auth', 'neon_auth_internal')) AS o(what, owner, acl),
       aclexplode(acl)
 WHERE grantee <> owner AND (grantee <> 0 OR what NOT LIKE '%(%')
 ORDER BY 1, 2;
SELECT count(*) FILTER (WHERE has_function_privilege('stranger', oid, 'EXECUTE')) AS for_everybody,
       string_agg(proname, ', ') FILTER (WHERE NOT has_function_privilege('stranger', oid, 'EXECUTE')) AS not_for_everybody
  FROM pg_proc WHERE pronamespace = 'auth'::regnamespace;
SELECT proname AS for_everybody FROM pg_proc
 WHERE pronamespace = 'neon_auth'::regnamespace AND has_function_privilege('stranger', oid, 'EXECUTE') ORDER BY 1;

-- Backslashes in patterns would mean something else.
SELECT neon_auth.configure(:'keys');
SELECT neon_auth.add_provider('idp', '{https://idp.example.com}', jwks_url => 'http://127.0.0.1:8080/keys');
SELECT neon_auth.add_provider('other', '{https://other.example.com}', jwks_url => 'http://127x0.0.1/keys');
INSERT INTO neon_auth.permission_definitions (id) VALUES ('a:b'), ('$own');
SELECT neon_auth_internal.service(jwks_url, project_id) = s.service AS bound
  FROM neon_auth.providers p, neon_auth_internal.secrets s WHERE p.name = 'stack' AND s.name = 'secret_server_key';
SET SESSION AUTHORIZATION app;
SELECT auth.user_id() IS NULL AS nobody;
SELECT auth.impersonate('alice');
SELECT neon_auth.sdk_env();
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('board', 'app');
CREATE FUNCTION auth.mine() RETURNS int LANGUAGE sql AS 'SELECT 1';
RESET SESSION AUTHORIZATION;
\c neon_auth_regress
DROP DATABASE neon_auth_defaults;
