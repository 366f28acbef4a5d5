-- Advice about tables: row-level security that is missing, and policies that let nobody in.

CREATE FUNCTION neon_auth_internal.advise_tables() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    WITH reached AS MATERIALIZED (
        SELECT a.relation, c.relkind, c.relrowsecurity, format('table %s', c.oid::regclass) AS object,
               bool_or(a.selects) AS selects, bool_or(a.inserts) AS inserts, bool_or(a.updates) AS updates,
               bool_or(a.deletes) AS deletes, string_agg(a.role_name, ', ' ORDER BY a.role_name COLLATE "C") AS roles,
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = a.relation) AS has_policies
          FROM neon_auth_internal.advised_relations() a JOIN pg_class c ON c.oid = a.relation
         WHERE c.relkind IN ('r', 'p', 'f')
         GROUP BY a.relation, c.oid, c.relkind, c.relrowsecurity
    ), policies AS MATERIALIZED (
        SELECT p."table", p.command, p.is_permissive, r.role
          FROM neon_auth_internal.advised_policies() p, unnest(p.roles) AS r(role)
    )
    SELECT CASE WHEN r.has_policies OR r.inserts OR r.updates OR r.deletes THEN 'error' ELSE 'warning' END,
           'rls_disabled', r.object,
           format('Row-level security is not enabled, so %s can %s all rows.%s', r.roles,
                  neon_auth_internal.privilege_names(r.selects, r.inserts, r.updates, r.deletes),
                  CASE WHEN r.has_policies THEN ' The policies of the table have no effect.' END),
           format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', r.relation::regclass)
      FROM reached r
     WHERE r.relkind <> 'f' AND NOT r.relrowsecurity
    UNION ALL
    SELECT 'warning', 'rls_impossible', 'foreign ' || r.object,
           format('A foreign table cannot have policies, so %s can %s all rows.', r.roles,
                  neon_auth_internal.privilege_names(r.selects, r.inserts, r.updates, r.deletes)),
           neon_auth_internal.revoke_all(r.relation)
      FROM reached r
     WHERE r.relkind = 'f'
    UNION ALL
    SELECT 'warning', 'no_policy', r.object,
           format('%s may %s, but no policy applies to them, so they see and change no row.', r.roles,
                  neon_auth_internal.privilege_names(r.selects, r.inserts, r.updates, r.deletes)),
           coalesce(neon_auth_internal.revoke_all(r.relation),
                    neon_auth_internal.as_comment('Write a policy: CREATE POLICY ...'))
      FROM reached r
     WHERE r.relrowsecurity AND NOT EXISTS (SELECT FROM policies p WHERE p."table" = r.relation)
    UNION ALL
    SELECT 'warning', 'only_restrictive', r.object,
           format('Only restrictive policies apply to %s for %s, so no row passes: restrictive policies remove rows '
                  'from those that a permissive policy lets pass.', x.roles, x.commands),
           coalesce(neon_auth_internal.revoke_all(r.relation),
                    neon_auth_internal.as_comment('Write a permissive policy: CREATE POLICY ...'))
      FROM reached r
      JOIN (SELECT c."table", string_agg(DISTINCT c.role_name, ', ') AS roles,
                   string_agg(DISTINCT c.name, ', ') AS commands
              FROM (SELECT p."table", a.role_name, n.name
                      FROM policies p
                      JOIN neon_auth_internal.advised_relations() a ON a.relation = p."table" AND a.role = p.role
                     CROSS JOIN LATERAL (
                            VALUES ('r'::"char", 'SELECT', a.selects), ('a', 'INSERT', a.inserts),
                                   ('w', 'UPDATE', a.updates), ('d', 'DELETE', a.deletes)) AS n(command, name, may)
                     WHERE n.may AND p.command IN ('*', n.command)
                     GROUP BY p."table", a.role_name, n.name
                    HAVING NOT bool_or(p.is_permissive)) AS c
             GROUP BY c."table") AS x ON x."table" = r.relation
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_tables() IS
    'Rows of neon_auth.advice: tables without row-level security, or without policies that let rows pass';
