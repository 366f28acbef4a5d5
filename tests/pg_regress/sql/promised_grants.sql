-- Who may use what is as README.md promises: what it does not name is for nobody.
\pset format unaligned
\set readme `cat "$DOCS/../README.md"`
CREATE TEMP TABLE promise AS
SELECT 'auth' AS schema, named[1] AS name
  FROM regexp_split_to_table(substring(:'readme' FROM '\n### Schema `auth`.*?\n#'), '\n') AS line,
       regexp_matches(split_part(line, '|', 2), '([a-z_]+)\(', 'g') AS named
 WHERE named[1] <> ALL (SELECT excepted[1] FROM regexp_matches(substring(:'readme' FROM 'Every role may call these functions, except [^.]*'), '`([a-z_]+)`', 'g') AS excepted)
UNION
SELECT 'neon_auth', substring(:'readme' FROM 'Only roles that you grant them to may use these, except `([a-z_]+)`, which every role may call');
SELECT count(*) > 20 AS readers_are_named, count(*) FILTER (WHERE name = 'verify_jwt') AS verify_jwt,
       count(*) FILTER (WHERE name = 'impersonate') AS impersonate FROM promise;
CREATE TEMP VIEW member AS
SELECT d.classid, d.objid
  FROM pg_depend d
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
 WHERE d.deptype = 'e' AND e.extname = 'neon_auth';
CREATE TEMP VIEW routine AS
SELECT p.oid, n.nspname AS schema, p.proname AS name,
       has_schema_privilege('stranger', n.oid, 'USAGE') AND has_function_privilege('stranger', p.oid, 'EXECUTE') AS is_for_everybody
  FROM member m
  JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
  JOIN pg_namespace n ON n.oid = p.pronamespace;
SELECT count(*) > 100 AS routines_are_found FROM routine;

-- A function that README.md does not decide about, or decides otherwise
SELECT r.oid::regprocedure AS function, r.is_for_everybody FROM routine r
 WHERE r.is_for_everybody IS DISTINCT FROM ((r.schema, r.name) IN (SELECT p.schema, p.name FROM promise p));
-- One of schema auth that README.md does not name at all
SELECT r.oid::regprocedure AS function FROM routine r
 WHERE r.schema = 'auth' AND strpos(:'readme', format('%s(', r.name)) = 0;
-- One that it promises and that is not there
SELECT p.* FROM promise p WHERE NOT EXISTS (SELECT FROM routine r WHERE (r.schema, r.name) = (p.schema, p.name));
-- A relation, a column, a function or a schema that is for anybody in particular
SELECT pg_describe_object(o.classid, o.oid, 0) AS object, a.privilege_type, a.grantee::regrole
  FROM (SELECT 'pg_class'::regclass AS classid, oid, relowner AS owner, relacl AS acl FROM pg_class
        UNION ALL SELECT 'pg_class'::regclass, c.oid, relowner, attacl FROM pg_class c JOIN pg_attribute ON attrelid = c.oid WHERE attacl IS NOT NULL
        UNION ALL SELECT 'pg_proc'::regclass, oid, proowner, proacl FROM pg_proc
        UNION ALL SELECT 'pg_type'::regclass, oid, typowner, typacl FROM pg_type
        UNION ALL SELECT 'pg_namespace'::regclass, oid, nspowner, nspacl FROM pg_namespace) AS o
  JOIN member m ON m.classid = o.classid AND m.objid = o.oid,
       aclexplode(o.acl) AS a
 WHERE a.grantee NOT IN (o.owner, 0) OR (a.grantee = 0 AND o.classid = 'pg_class'::regclass);
-- Schemas: their use, and nothing else
SELECT n.nspname, has_schema_privilege('stranger', n.oid, 'USAGE') AS use, has_schema_privilege('stranger', n.oid, 'CREATE') AS make
  FROM member m JOIN pg_namespace n ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid ORDER BY 1;

-- What only views call cannot be called otherwise,
SET SESSION AUTHORIZATION stranger;
\set VERBOSITY terse
SELECT * FROM neon_auth_internal.counters();
SELECT * FROM neon_auth_internal.worker_state();
SELECT * FROM neon_auth.stats;
RESET SESSION AUTHORIZATION;
-- and whoever is granted a view, or a view of it, sees all of it.
BEGIN;
GRANT SELECT ON neon_auth.status, neon_auth.stats, neon_auth.sync_progress TO stranger;
CREATE SCHEMA watching;
CREATE VIEW watching.status AS SELECT * FROM neon_auth.status;
CREATE VIEW watching.stats AS SELECT * FROM neon_auth.stats;
GRANT USAGE ON SCHEMA watching TO app;
GRANT SELECT ON watching.status, watching.stats TO app;
SET LOCAL SESSION AUTHORIZATION stranger;
SELECT count(*) > 4 AS has_concerns FROM neon_auth.status;
SELECT count(*) AS without_preloading FROM neon_auth.stats;
SELECT count(*) AS runs FROM neon_auth.sync_progress;
SET LOCAL SESSION AUTHORIZATION app;
SELECT count(*) > 4 AS has_concerns FROM watching.status;
SELECT count(*) AS without_preloading FROM watching.stats;
ROLLBACK;
