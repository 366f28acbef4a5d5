-- Tables and administration are for nobody but the administrator; schema auth is for everybody.
\set alice `"$STACK" token --sub 11111111-1111-4111-8111-111111111111`

-- Answers what becomes of a statement, as a subtransaction that leaves nothing.
CREATE SCHEMA privileges;
GRANT USAGE ON SCHEMA privileges TO PUBLIC;
CREATE FUNCTION privileges.attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RAISE SQLSTATE '99999';
EXCEPTION
    WHEN SQLSTATE '99999' THEN RETURN 'allowed';
    WHEN OTHERS THEN RETURN sqlstate || ' ' || sqlerrm;
END
$$;
CREATE VIEW privileges.on_tables AS
SELECT c.relname COLLATE "C" AS relation, action, privileges.attempt(format(statement, c.oid::regclass)) AS outcome
  FROM pg_depend d
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
  JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
 CROSS JOIN (VALUES ('select', 'SELECT FROM %s'), ('insert', 'INSERT INTO %s DEFAULT VALUES'),
                    ('delete', 'DELETE FROM %s'), ('truncate', 'TRUNCATE %s CASCADE'),
                    ('lock', 'LOCK TABLE %s'), ('drop', 'DROP TABLE %s')) AS a(action, statement)
 WHERE e.extname = 'neon_auth' AND (c.relkind = 'r' OR action = 'select');
GRANT SELECT ON privileges.on_tables TO PUBLIC;
-- Called with empty arguments: what is refused, is refused before they are looked at. A NULL
-- would not do, since PostgreSQL answers a strict function's NULL without asking for privileges.
CREATE VIEW privileges.on_functions AS
SELECT p.oid::regprocedure::text COLLATE "C" AS function,
       privileges.attempt(format('SELECT %s(%s)', p.oid::regproc,
                                 (SELECT string_agg(format(CASE argument WHEN 'pg_node_tree'::regtype THEN '(SELECT adbin FROM pg_attrdef LIMIT 1)'
                                                                       ELSE '%s%L::%s' END,
                                                           CASE WHEN p.provariadic <> 0 THEN 'VARIADIC ' END,
                                                           CASE argument::regtype::text WHEN 'boolean' THEN 'f' WHEN 'interval' THEN '0' WHEN 'bigint' THEN '0' WHEN 'integer' THEN '0' WHEN 'oid' THEN '0' WHEN 'smallint' THEN '0' WHEN 'oid' THEN '0'
                                                                WHEN 'text' THEN '' WHEN 'timestamp with time zone' THEN 'now' WHEN 'regclass' THEN 'pg_class'
                                                                WHEN 'neon_auth.providers' THEN (SELECT format('(%s)', repeat(',', max(attnum) - 1))
                                                                                                   FROM pg_attribute WHERE attrelid = 'neon_auth.providers'::regclass)
                                                                ELSE '{}' END,
                                                           argument::regtype), ', ' ORDER BY n)
                                    FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a(argument, n)))) AS outcome
  FROM pg_depend d
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.deptype = 'e'
  JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
 WHERE e.extname = 'neon_auth' AND p.prokind = 'f'
   -- neither of which can be called at all
   AND p.prorettype <> 'trigger'::regtype AND NOT 'internal'::regtype = ANY (p.proargtypes);
GRANT SELECT ON privileges.on_functions TO PUBLIC;
-- A view checks its functions as its reader, who is the one we ask about.

SET SESSION AUTHORIZATION stranger;
SELECT * FROM privileges.on_tables WHERE action = 'select' ORDER BY relation, outcome;
SELECT action, bool_and(outcome ~ '^42501 ') AS "refused on all tables"
  FROM privileges.on_tables GROUP BY 1 ORDER BY 1;
SELECT * FROM privileges.on_functions WHERE function NOT LIKE 'auth.%' ORDER BY function;
SELECT * FROM privileges.on_functions WHERE function LIKE 'auth.%' ORDER BY function;
-- Nor may anything be put into the extension's schemas.
SELECT privileges.attempt('CREATE TABLE auth.t ()'), privileges.attempt('CREATE TABLE neon_auth.t ()');

-- An application acts as authenticated, which can do no more.
\c - app
SELECT bool_and(outcome ~ '^42501 ') AS "all refused on all tables" FROM privileges.on_tables;
SELECT function FROM privileges.on_functions WHERE outcome !~ '^42501 ' AND function NOT LIKE 'auth.%';
SELECT function FROM privileges.on_functions WHERE outcome ~ '^42501 ' AND function LIKE 'auth.%';
SET ROLE authenticated;
SELECT bool_and(outcome ~ '^42501 ') AS "all refused on all tables" FROM privileges.on_tables;
SELECT function FROM privileges.on_functions WHERE outcome !~ '^42501 ' AND function NOT LIKE 'auth.%';
SELECT function FROM privileges.on_functions WHERE outcome ~ '^42501 ' AND function LIKE 'auth.%';
-- Being signed in changes nothing about it.
BEGIN;
SELECT auth.authenticate(:'alice');
SELECT bool_and(outcome ~ '^42501 ') AS "all refused on all tables" FROM privileges.on_tables;
ROLLBACK;

-- What the administrator grants works, without anything beside it.
\c - postgres
BEGIN;
GRANT SELECT (id, name, email), REFERENCES (id) ON neon_auth.users_sync TO authenticated;
GRANT EXECUTE ON FUNCTION auth.impersonate(text, jsonb, boolean) TO app;
GRANT EXECUTE ON FUNCTION neon_auth.upsert_user(jsonb) TO app;
SET LOCAL SESSION AUTHORIZATION app;
SELECT neon_auth.upsert_user('{"id": "u1", "display_name": "Alice Example"}');
SELECT auth.impersonate('u1');
SELECT auth.user_id();
SELECT id, name FROM neon_auth.users_sync;
SAVEPOINT s;
SELECT raw_json FROM neon_auth.users_sync;
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.upsert_users('[]');
\echo :SQLSTATE
ROLLBACK;

SET client_min_messages = warning;
DROP SCHEMA privileges CASCADE;
