-- What the listing of the surface leaves out: bodies and comments of all that the extension owns.
-- Without parentheses, as what was read back from a dump, as pg_upgrade does, has some fewer.
\pset format unaligned
SELECT pg_describe_object(d.classid, d.objid, 0) COLLATE "C" AS member,
       obj_description(d.objid, (SELECT relname FROM pg_class WHERE oid = d.classid)) AS comment,
       translate(CASE WHEN d.classid = 'pg_proc'::regclass THEN pg_get_functiondef(d.objid)
                      WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END, '()', '') AS definition
  FROM pg_depend d
  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
  LEFT JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
 WHERE e.extname = 'neon_auth' AND d.deptype = 'e'
 ORDER BY 1;
SELECT a.attrelid::regclass::text COLLATE "C" AS relation, a.attname, col_description(a.attrelid, a.attnum) AS comment
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'neon_auth'::regnamespace AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY 1, a.attnum;
SELECT c.oid::regclass::text COLLATE "C" AS object, obj_description(c.oid, 'pg_class') AS comment
  FROM pg_class c WHERE c.relnamespace = 'neon_auth'::regnamespace AND c.relkind = 'i' ORDER BY 1;
SELECT t.tgrelid::regclass::text COLLATE "C" AS relation, t.tgname, obj_description(t.oid, 'pg_trigger') AS comment
  FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
 WHERE c.relnamespace = 'neon_auth'::regnamespace AND NOT t.tgisinternal ORDER BY 1, 2;
