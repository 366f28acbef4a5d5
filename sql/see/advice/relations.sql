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

-- What is no statement, because a person has to decide.
CREATE FUNCTION neon_auth_internal.as_comment(advice text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT repeat('-', 2) || ' ' || advice $$;
COMMENT ON FUNCTION neon_auth_internal.as_comment(text) IS 'A text as a comment of SQL';

CREATE FUNCTION neon_auth_internal.relation_acl(relation oid) RETURNS aclitem[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.relacl || ARRAY(SELECT x FROM pg_attribute a, unnest(a.attacl) AS x
                              WHERE a.attrelid = c.oid AND NOT a.attisdropped)
      FROM pg_class c WHERE c.oid = relation_acl.relation
$$;
COMMENT ON FUNCTION neon_auth_internal.relation_acl(oid) IS
    'What is granted on a relation and on its columns; NULL or empty if nothing is';

-- A superuser's REVOKE revokes what the owner granted. What another role granted, only this role can revoke. CASCADE
-- revokes what a grantee granted in turn.
CREATE FUNCTION neon_auth_internal.revoke(privileges text[], object text, acl aclitem[], owner oid) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT string_agg(
               CASE WHEN g.grantor = owner THEN g.statement
                    ELSE format('SET ROLE %I; %s RESET ROLE;', pg_get_userbyid(g.grantor), g.statement) END,
               ' ' ORDER BY g.grantor = owner DESC, pg_get_userbyid(g.grantor))
      FROM (SELECT x.grantor,
                   format('REVOKE %s ON %s FROM %s%s;', array_to_string(coalesce(
                              (SELECT array_agg(p.name ORDER BY p.place)
                                 FROM unnest(privileges) WITH ORDINALITY AS p(name, place)
                                WHERE p.name = ANY (array_agg(x.privilege_type))), '{ALL}'), ', '),
                          object, neon_auth_internal.grantees(array_agg(x.item), owner),
                          CASE WHEN bool_or(x.is_grantable) THEN ' CASCADE' END) AS statement
              FROM (SELECT a.item, x.* FROM unnest(acl) AS a(item), aclexplode(ARRAY[a.item]) AS x) AS x
             WHERE (privileges IS NULL OR x.privilege_type = ANY (privileges))
               AND neon_auth_internal.grantees(ARRAY[x.item], owner) IS NOT NULL
               AND NOT EXISTS (SELECT FROM unnest(acl) AS b(item), aclexplode(ARRAY[b.item]) AS y
                                WHERE y.grantee = x.grantor AND y.privilege_type = x.privilege_type
                                  AND neon_auth_internal.grantees(ARRAY[b.item], owner) IS NOT NULL)
             GROUP BY x.grantor) AS g
$$;
COMMENT ON FUNCTION neon_auth_internal.revoke(text[], text, aclitem[], oid) IS
    'Statements that revoke privileges, or all, on an object from roles of applications; NULL if nothing is granted';

-- NULL if no privilege is granted, as for an owner. REVOKE on a relation revokes those on its columns too.
CREATE FUNCTION neon_auth_internal.revoke_from(relation oid, privileges text[] DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT neon_auth_internal.revoke(revoke_from.privileges, c.oid::regclass::text,
                                     neon_auth_internal.relation_acl(c.oid), c.relowner)
      FROM pg_class c WHERE c.oid = revoke_from.relation
$$;
COMMENT ON FUNCTION neon_auth_internal.revoke_from(oid, text[]) IS
    'Statements that revoke what roles of applications may do with a relation; NULL if nothing is granted';

CREATE FUNCTION neon_auth_internal.free_policy_name(relation oid, base text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH policies AS (SELECT p.polname FROM pg_policy p WHERE p.polrelid = free_policy_name.relation)
    SELECT n.name
      FROM generate_series(1, 1 + (SELECT count(*) FROM policies)) AS i
     CROSS JOIN LATERAL (SELECT base || CASE WHEN i > 1 THEN i::text ELSE '' END) AS n(name)
     WHERE n.name NOT IN (SELECT p.polname FROM policies p)
     ORDER BY i LIMIT 1
$$;
COMMENT ON FUNCTION neon_auth_internal.free_policy_name(oid, text) IS
    'A name that no policy of the table has';

-- A column belongs to a user if it references users_sync, or is filled by auth.user_id().
CREATE FUNCTION neon_auth_internal.create_policy(relation oid, roles text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT coalesce((
        SELECT format('CREATE POLICY %I ON %s TO %s USING (%I = auth.user_id());',
                      neon_auth_internal.free_policy_name(a.attrelid, 'own'), a.attrelid::regclass, roles, a.attname)
          FROM pg_attribute a
         WHERE a.attrelid = create_policy.relation AND a.attnum > 0 AND NOT a.attisdropped
           AND a.atttypid IN ('text'::regtype, 'varchar'::regtype)
           AND (EXISTS (SELECT FROM pg_constraint k
                          JOIN pg_class u ON u.oid = k.confrelid AND u.relname = 'users_sync'
                          JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = u.oid
                          JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                         WHERE k.contype = 'f' AND k.conrelid = a.attrelid AND k.conkey = ARRAY[a.attnum]
                           AND e.extname = 'neon_auth' AND d.deptype = 'e')
                OR EXISTS (SELECT FROM pg_attrdef f
                             JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = f.oid
                                             AND d.refclassid = 'pg_proc'::regclass
                                             AND d.refobjid = 'auth.user_id()'::regprocedure
                            WHERE f.adrelid = a.attrelid AND f.adnum = a.attnum))
         ORDER BY a.attnum LIMIT 1),
        neon_auth_internal.as_comment(format(
            'Write a policy, such as CREATE POLICY %I ON %s TO %s USING (user_id = auth.user_id());%s',
            neon_auth_internal.free_policy_name(relation, 'own'), relation::regclass, roles,
            ' or, if nobody is to use the table: ' || neon_auth_internal.revoke_from(relation))))
$$;
COMMENT ON FUNCTION neon_auth_internal.create_policy(oid, text) IS
    'A policy for the rows of the user, if a column says whose they are; otherwise a comment with such a policy';
