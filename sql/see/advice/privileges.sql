-- Advice about privileges that no policy restricts.

CREATE FUNCTION neon_auth_internal.advise_privileges() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    WITH protected AS MATERIALIZED (
        SELECT c.oid, c.relowner, c.relnamespace, c.relforcerowsecurity, format('table %s', c.oid::regclass) AS object
          FROM pg_class c
         WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity
           AND neon_auth_internal.is_advised('pg_class'::regclass, c.oid, c.relnamespace)
    )
    SELECT CASE WHEN g.truncates OR g.triggers THEN 'error' ELSE 'warning' END, 'grant_bypasses_policies', t.object,
           format('No policy restricts what %s may do: %s.', g.roles, concat_ws(', ',
                  CASE WHEN g.truncates THEN 'TRUNCATE removes the rows of all users' END,
                  CASE WHEN g.triggers THEN 'TRIGGER runs own code with rows and rights of others' END,
                  CASE WHEN g.refers THEN 'REFERENCES tells which values exist' END)),
           r.statement
      FROM protected t
     CROSS JOIN LATERAL (
            SELECT string_agg(a.name, ', ' ORDER BY a.name COLLATE "C") AS roles, bool_or(p.truncates) AS truncates,
                   bool_or(p.triggers) AS triggers, bool_or(p.refers) AS refers
              FROM neon_auth_internal.application_roles() a
             CROSS JOIN LATERAL (
                    SELECT has_table_privilege(a.oid, t.oid, 'TRUNCATE') AS truncates,
                           has_table_privilege(a.oid, t.oid, 'TRIGGER') AS triggers,
                           has_any_column_privilege(a.oid, t.oid, 'REFERENCES') AS refers) AS p
             WHERE (p.truncates OR p.triggers OR p.refers) AND has_schema_privilege(a.oid, t.relnamespace, 'USAGE')
           ) AS g
     -- NULL for an owner, who can do so anyway.
     CROSS JOIN LATERAL neon_auth_internal.revoke_from(t.oid, '{TRUNCATE,TRIGGER,REFERENCES}') AS r(statement)
     WHERE g.roles IS NOT NULL AND r.statement IS NOT NULL
    UNION ALL
    -- Policies for users that apply to nobody: then the application can only be the owner, to whom they do not apply.
    SELECT 'warning', 'only_owner_has_access', t.object,
           format('Its policies read the signed-in user, but restrict nobody: only its owner, %I, has privileges, and '
                  'policies do not apply to an owner.', o.rolname),
           CASE WHEN o.rolbypassrls
                THEN neon_auth_internal.as_comment(
                    'Let the application log in as another role, without BYPASSRLS, and grant that role the table.')
                ELSE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', t.oid::regclass) END
      FROM protected t
      JOIN pg_roles o ON o.oid = t.relowner AND NOT o.rolsuper
     WHERE (NOT t.relforcerowsecurity OR o.rolbypassrls)
       AND (o.rolcanlogin OR EXISTS (SELECT FROM pg_roles l WHERE l.rolcanlogin AND NOT l.rolsuper AND l.oid <> o.oid
                                        AND neon_auth_internal.can_act_as(l.oid, o.oid)))
       AND EXISTS (SELECT FROM pg_policy p
                     JOIN pg_depend d ON d.classid = 'pg_policy'::regclass AND d.objid = p.oid
                                     AND d.refclassid = 'pg_proc'::regclass
                     JOIN pg_proc f ON f.oid = d.refobjid
                                   AND f.prosupport = 'neon_auth_internal.once_per_query'::regproc
                    WHERE p.polrelid = t.oid)
       AND NOT EXISTS (SELECT FROM unnest(neon_auth_internal.relation_acl(t.oid)) AS a(item),
                                   aclexplode(ARRAY[a.item]) AS x
                        WHERE x.grantee <> t.relowner)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.application_logins() l
                        WHERE neon_auth_internal.can_act_as(l.oid, t.relowner))
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_privileges() IS
    'Rows of neon_auth.advice: privileges that no policy restricts, and tables that only their owner may use';
