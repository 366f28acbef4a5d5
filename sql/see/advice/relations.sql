-- The relations that advice is about, and what applications may do with them.

-- Without those of extensions, which grant what they mean to grant.
CREATE FUNCTION neon_auth_internal.is_advised(class oid, object oid, namespace oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
       AND NOT EXISTS (SELECT FROM pg_depend d
                        WHERE d.classid = is_advised.class AND d.objid = is_advised.object AND d.deptype = 'e')
      FROM pg_namespace n WHERE n.oid = is_advised.namespace
$$;
COMMENT ON FUNCTION neon_auth_internal.is_advised(oid, oid, oid) IS
    'Whether an object belongs neither to PostgreSQL nor to an extension';

-- One row for each relation and each role that may do anything with its rows.
CREATE FUNCTION neon_auth_internal.advised_relations() RETURNS TABLE (
    relation oid, role oid, role_name text, is_everybody boolean,
    selects boolean, inserts boolean, updates boolean, deletes boolean)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1000 SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.*
      FROM pg_class c
     CROSS JOIN neon_auth_internal.application_roles() a
     CROSS JOIN LATERAL (
            SELECT c.oid, a.oid, a.name, a.is_everybody,
                   has_any_column_privilege(a.oid, c.oid, 'SELECT') AS selects,
                   has_any_column_privilege(a.oid, c.oid, 'INSERT') AS inserts,
                   has_any_column_privilege(a.oid, c.oid, 'UPDATE') AS updates,
                   has_table_privilege(a.oid, c.oid, 'DELETE') AS deletes) AS p
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND (p.selects OR p.inserts OR p.updates OR p.deletes)
       AND has_schema_privilege(a.oid, c.relnamespace, 'USAGE')
       AND neon_auth_internal.is_advised('pg_class'::regclass, c.oid, c.relnamespace)
$$;
COMMENT ON FUNCTION neon_auth_internal.advised_relations() IS
    'What each role of applications may do with each relation: one row for each pair with a privilege';

CREATE FUNCTION neon_auth_internal.privilege_names(
    selects boolean, inserts boolean, updates boolean, deletes boolean) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT concat_ws(', ', CASE WHEN selects THEN 'SELECT' END, CASE WHEN inserts THEN 'INSERT' END,
                     CASE WHEN updates THEN 'UPDATE' END, CASE WHEN deletes THEN 'DELETE' END)
$$;
COMMENT ON FUNCTION neon_auth_internal.privilege_names(boolean, boolean, boolean, boolean) IS
    'The names of privileges, for messages';

-- For REVOKE: a role of an application may have a privilege through PUBLIC or a role that it inherits from.
-- aclexplode() raises an error for an empty list.
CREATE FUNCTION neon_auth_internal.grantees(acl aclitem[], owner oid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(g.name, ', ' ORDER BY g.name COLLATE "C")
      FROM (SELECT DISTINCT CASE x.grantee WHEN 0 THEN 'PUBLIC'
                                 ELSE quote_ident(pg_get_userbyid(x.grantee)) END AS name
              FROM aclexplode(CASE WHEN cardinality(acl) > 0 THEN acl END) AS x
             WHERE x.grantee <> owner
               AND EXISTS (SELECT FROM neon_auth_internal.application_roles() a
                            WHERE x.grantee = 0 OR a.oid <> 0 AND pg_has_role(a.oid, x.grantee, 'USAGE'))) AS g
$$;
COMMENT ON FUNCTION neon_auth_internal.grantees(aclitem[], oid) IS
    'The grantees of an object from whom roles of applications have a privilege, for REVOKE; NULL if there are none';

-- NULL if no privilege is granted, as for an owner. REVOKE on a relation revokes those on its columns too.
CREATE FUNCTION neon_auth_internal.revoke_all(relation oid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT format('REVOKE ALL ON %s FROM %s;', c.oid::regclass, g.grantees)
      FROM pg_class c
     CROSS JOIN LATERAL (
            SELECT neon_auth_internal.grantees(
                       c.relacl || ARRAY(SELECT x FROM pg_attribute a, unnest(a.attacl) AS x
                                          WHERE a.attrelid = c.oid AND NOT a.attisdropped), c.relowner)) AS g(grantees)
     WHERE c.oid = revoke_all.relation AND g.grantees IS NOT NULL
$$;
COMMENT ON FUNCTION neon_auth_internal.revoke_all(oid) IS
    'A statement that revokes what roles of applications may do with a relation; NULL if nothing is granted';

-- What is no statement, because a person has to decide.
CREATE FUNCTION neon_auth_internal.as_comment(advice text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT repeat('-', 2) || ' ' || advice $$;
COMMENT ON FUNCTION neon_auth_internal.as_comment(text) IS 'A text as a comment of SQL';
