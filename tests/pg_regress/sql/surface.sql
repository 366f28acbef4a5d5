-- Everything that the extension owns, so that no object, grant or setting changes unnoticed.
\pset format unaligned
\pset null '-'

SELECT extname, extrelocatable, extnamespace::regnamespace AS schema
  FROM pg_extension WHERE extname = 'neon_auth';

CREATE TEMP VIEW member AS
SELECT d.classid, d.objid, pg_describe_object(d.classid, d.objid, 0) COLLATE "C" AS description
  FROM pg_depend d
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
 WHERE e.extname = 'neon_auth' AND d.deptype = 'e'
   -- Since PostgreSQL 18 the row types of tables are members too, which their tables say already.
   AND NOT (d.classid = 'pg_type'::regclass
            AND EXISTS (SELECT FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
                         WHERE t.oid = d.objid AND (t.typcategory = 'A' OR c.relkind IN ('r', 'p', 'v', 'm'))));
-- Grants to others than the owner: what the owner may do differs by major and is no news.
CREATE FUNCTION pg_temp.granted(acl aclitem[], owner oid) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(grants, '; ' ORDER BY grants COLLATE "C")
      FROM (SELECT format('%s to %s', string_agg(lower(privilege_type), ', ' ORDER BY privilege_type COLLATE "C"),
                          CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END) AS grants
              FROM aclexplode(acl)
             WHERE grantee <> owner
             GROUP BY grantee) AS g
$$;

SELECT description FROM member ORDER BY description;

SELECT nspname AS schema, pg_temp.granted(coalesce(nspacl, acldefault('n', nspowner)), nspowner) AS granted
  FROM pg_namespace WHERE nspname IN ('auth', 'neon_auth', 'neon_auth_internal') ORDER BY nspname;

-- Functions
SELECT p.oid::regprocedure::text COLLATE "C" AS function,
       pg_get_function_arguments(p.oid) AS arguments,
       pg_get_function_result(p.oid) AS result,
       l.lanname AS language,
       CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END AS volatility,
       CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END AS parallel,
       CASE WHEN p.proisstrict THEN 'strict' END AS strict,
       CASE WHEN p.prosecdef THEN 'definer' END AS security,
       CASE WHEN p.proleakproof THEN 'leakproof' END AS leakproof,
       nullif(p.prosupport, 0)::regproc AS support,
       p.proconfig AS settings,
       pg_temp.granted(coalesce(p.proacl, acldefault('f', p.proowner)), p.proowner) AS granted
  FROM member m
  JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
  JOIN pg_language l ON l.oid = p.prolang
 ORDER BY 1;

-- Tables, sequences and views
SELECT c.oid::regclass::text COLLATE "C" AS relation, c.relkind AS kind, c.relpersistence AS persistence,
       c.relrowsecurity AS rls, c.oid = ANY (e.extconfig) AS dumped,
       pg_temp.granted(coalesce(c.relacl, acldefault('r', c.relowner)), c.relowner) AS granted
  FROM member m
  JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
 CROSS JOIN pg_extension e
 WHERE e.extname = 'neon_auth'
 ORDER BY 1;

-- Which rows of them a dump takes
SELECT config::regclass::text COLLATE "C" AS relation, condition
  FROM pg_extension, unnest(extconfig, extcondition) AS dumped(config, condition)
 WHERE extname = 'neon_auth' ORDER BY 1;

-- Columns
SELECT c.oid::regclass::text COLLATE "C" AS relation, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type,
       CASE WHEN a.attnotnull THEN 'not null' END AS nullable,
       CASE a.attgenerated WHEN 's' THEN 'generated' ELSE CASE WHEN d.adbin IS NOT NULL THEN 'default' END END AS value,
       pg_get_expr(d.adbin, d.adrelid) AS expression,
       pg_temp.granted(a.attacl, c.relowner) AS granted
  FROM member m
  JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 ORDER BY 1, a.attnum;

-- Constraints; NOT NULL is one of them since PostgreSQL 18, and shown above
SELECT c.conrelid::regclass::text COLLATE "C" AS relation, c.conname COLLATE "C" AS constraint, pg_get_constraintdef(c.oid) AS definition
  FROM member m JOIN pg_constraint c ON m.classid = 'pg_class'::regclass AND c.conrelid = m.objid
 WHERE c.contype <> 'n'
 ORDER BY 1, 2;

-- Indexes
SELECT i.indrelid::regclass::text COLLATE "C" AS relation, pg_get_indexdef(i.indexrelid) COLLATE "C" AS definition
  FROM member m JOIN pg_index i ON m.classid = 'pg_class'::regclass AND i.indrelid = m.objid
 ORDER BY 1, 2;

-- Triggers: O fires in ordinary sessions alone, A under session_replication_role = replica too
SELECT t.tgrelid::regclass::text COLLATE "C" AS relation, t.tgenabled AS enabled, pg_get_triggerdef(t.oid) COLLATE "C" AS definition
  FROM member m JOIN pg_trigger t ON m.classid = 'pg_class'::regclass AND t.tgrelid = m.objid
 WHERE NOT t.tgisinternal
 ORDER BY 1, 3;

-- Rules of the house; each answer must be empty. What is excepted is named in the query.

-- Whatever is not explained
SELECT description FROM member
 WHERE obj_description(objid, (SELECT relname FROM pg_class WHERE oid = classid)) IS NULL
UNION ALL
SELECT format('column %s of %s', a.attname, a.attrelid::regclass)
  FROM member m JOIN pg_attribute a ON m.classid = 'pg_class'::regclass AND a.attrelid = m.objid
  JOIN pg_class c ON c.oid = a.attrelid AND c.relkind IN ('r', 'p', 'v', 'm')
 WHERE a.attnum > 0 AND NOT a.attisdropped AND col_description(a.attrelid, a.attnum) IS NULL
UNION ALL
SELECT format('trigger %s on %s', t.tgname, t.tgrelid::regclass)
  FROM member m JOIN pg_trigger t ON m.classid = 'pg_class'::regclass AND t.tgrelid = m.objid
 WHERE NOT t.tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL
UNION ALL
SELECT format('index %s', i.indexrelid::regclass)
  FROM member m JOIN pg_index i ON m.classid = 'pg_class'::regclass AND i.indrelid = m.objid
 WHERE NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid)
   AND obj_description(i.indexrelid, 'pg_class') IS NULL
UNION ALL
SELECT format('schema %s', nspname)
  FROM pg_namespace WHERE nspname IN ('auth', 'neon_auth', 'neon_auth_internal') AND obj_description(oid, 'pg_namespace') IS NULL;

-- Comments of more than 160 characters
SELECT pg_describe_object(d.classoid, d.objoid, d.objsubid) AS description, length(d.description)
  FROM pg_description d
 WHERE length(d.description) > 160
   AND EXISTS (SELECT FROM member m
                LEFT JOIN pg_trigger t ON d.classoid = 'pg_trigger'::regclass AND t.oid = d.objoid
                LEFT JOIN pg_index i ON d.classoid = 'pg_class'::regclass AND i.indexrelid = d.objoid
                WHERE (m.classid, m.objid) IN ((d.classoid, d.objoid), ('pg_class'::regclass, t.tgrelid),
                                               ('pg_class'::regclass, i.indrelid)));

-- Definer functions whose search_path is not pinned, or with anything before pg_catalog
SELECT p.oid::regprocedure::text COLLATE "C" AS function, p.proconfig AS settings
  FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
 WHERE p.prosecdef AND NOT coalesce('search_path=pg_catalog, pg_temp' = ANY (p.proconfig), false)
 ORDER BY 1;

-- Functions whose body is text, looked up when they run, and names something in schema neon_auth, which can
-- belong to another role. Strings do not count, such as those of a HINT, unless cast to regclass.
SELECT p.oid::regprocedure::text COLLATE "C" AS function
  FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
  JOIN pg_language l ON l.oid = p.prolang AND l.lanname IN ('sql', 'plpgsql')
 WHERE p.prosqlbody IS NULL
   AND regexp_replace(regexp_replace(regexp_replace(p.prosrc, '--[^\n]*', '', 'g'), '''([^'']*)''::reg', '\1', 'g'),
                      '''([^'']|'''')*''', '', 'g') ~ '\mneon_auth[.]'
 ORDER BY 1;

-- Tables of schema neon_auth without the view by which those functions reach them
SELECT c.oid::regclass::text COLLATE "C" AS relation
  FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
 WHERE c.relnamespace = 'neon_auth'::regnamespace AND c.relkind = 'r'
   AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
                     JOIN pg_class v ON v.oid = r.ev_class
                    WHERE d.refobjid = c.oid AND v.relnamespace = 'neon_auth_internal'::regnamespace AND v.relname = c.relname)
 ORDER BY 1;

-- Functions of schema auth that change the identity and have a SET clause, which would undo it
SELECT p.oid::regprocedure::text COLLATE "C" AS function
  FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
 WHERE p.pronamespace = 'auth'::regnamespace AND p.provolatile = 'v' AND p.proconfig IS NOT NULL
 ORDER BY 1;

-- Readers that are not STABLE, or not PARALLEL SAFE
SELECT p.oid::regprocedure::text COLLATE "C" AS function
  FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
 WHERE p.pronamespace = 'auth'::regnamespace
   AND p.proname NOT IN ('authenticate', 'logout', 'impersonate', 'init', 'jwt_session_init', 'pre_request', 'stamp')
   AND (p.provolatile <> 's' OR p.proparallel <> 's')
 ORDER BY 1;

-- What PUBLIC may execute outside schema auth, but for verify_jwt and what the views call, whose schema
-- nobody may use
SELECT p.oid::regprocedure::text COLLATE "C" AS function
  FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
 WHERE p.pronamespace <> 'auth'::regnamespace
   AND p.pronamespace <> 'neon_auth_internal'::regnamespace AND p.proname <> 'verify_jwt'
   AND EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee = 0)
 ORDER BY 1;

-- What of schema auth PUBLIC may not execute, but for impersonate
SELECT p.oid::regprocedure::text COLLATE "C" AS function
  FROM member m JOIN pg_proc p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
 WHERE p.pronamespace = 'auth'::regnamespace
   AND p.proname <> 'impersonate'
   AND NOT EXISTS (SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) WHERE grantee = 0)
 ORDER BY 1;

-- Relations that anybody but the owner may touch
SELECT c.oid::regclass::text COLLATE "C" AS relation
  FROM member m JOIN pg_class c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
 WHERE EXISTS (SELECT FROM aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) WHERE grantee <> c.relowner)
 ORDER BY 1;

-- What stands in the extension's schemas and does not belong to it
SELECT pg_describe_object('pg_proc'::regclass, p.oid, 0) AS stray
  FROM pg_proc p WHERE p.pronamespace IN ('auth'::regnamespace, 'neon_auth'::regnamespace, 'neon_auth_internal'::regnamespace)
   AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid)
UNION ALL
SELECT pg_describe_object('pg_class'::regclass, c.oid, 0)
  FROM pg_class c WHERE c.relnamespace IN ('auth'::regnamespace, 'neon_auth'::regnamespace, 'neon_auth_internal'::regnamespace)
   AND c.relkind NOT IN ('i', 't')
   AND NOT EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid);

-- Settings, once the library is loaded
SELECT auth.user_id();
SELECT name, vartype, context, unit, boot_val, min_val, max_val
  FROM pg_settings WHERE name LIKE 'neon\_auth.%' ORDER BY name COLLATE "C";

-- The menu of administrators: \df neon_auth.*
SELECT p.oid::regprocedure::text COLLATE "C" AS function
  FROM pg_proc p WHERE p.pronamespace = 'neon_auth'::regnamespace ORDER BY 1;
-- and \dtv neon_auth.*
SELECT c.oid::regclass::text COLLATE "C" AS relation
  FROM pg_class c WHERE c.relnamespace = 'neon_auth'::regnamespace AND c.relkind IN ('r', 'v') ORDER BY 1;
