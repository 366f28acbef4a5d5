-- Advice about tables: row-level security that is missing, and policies that let nobody in.

CREATE FUNCTION neon_auth_internal.advise_tables() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE ancestors(relation, parent) AS (
        SELECT i.inhrelid, i.inhparent FROM pg_inherits i
        UNION
        SELECT a.relation, i.inhparent FROM ancestors a JOIN pg_inherits i ON i.inhrelid = a.parent
    ), protecting AS MATERIALIZED (
        SELECT a.relation, string_agg(c.oid::regclass::text, ', ' ORDER BY c.oid) AS parents
          FROM ancestors a JOIN pg_class c ON c.oid = a.parent
         WHERE c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid)
         GROUP BY a.relation
    ), reached AS MATERIALIZED (
        SELECT a.relation, c.relkind, c.relrowsecurity, format('table %s', c.oid::regclass) AS object,
               bool_or(a.selects) AS selects, bool_or(a.inserts) AS inserts, bool_or(a.updates) AS updates,
               bool_or(a.deletes) AS deletes, string_agg(a.role_name, ', ' ORDER BY a.role_name COLLATE "C") AS roles,
               EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = a.relation) AS has_policies,
               (SELECT t.parents FROM protecting t WHERE t.relation = a.relation) AS parents
          FROM neon_auth_internal.advised_relations() a JOIN pg_class c ON c.oid = a.relation
         WHERE c.relkind IN ('r', 'p', 'f')
         GROUP BY a.relation, c.oid, c.relkind, c.relrowsecurity
    ), policies AS MATERIALIZED (
        SELECT p.policy, p."table", p.command, p.is_permissive, r.role
          FROM neon_auth_internal.advised_policies() p, unnest(p.roles) AS r(role)
    )
    -- A partition needs no grant: its parent's grants and policies apply to statements that name the parent.
    SELECT CASE WHEN r.has_policies OR r.parents IS NOT NULL OR r.inserts OR r.updates OR r.deletes THEN 'error'
                ELSE 'warning' END,
           'rls_disabled', r.object,
           format('Row-level security is not enabled, so %s can %s all rows.%s%s', r.roles,
                  neon_auth_internal.privilege_names(r.selects, r.inserts, r.updates, r.deletes),
                  CASE WHEN r.has_policies THEN ' The policies of the table have no effect.' END,
                  ' The policies of ' || r.parents || ' apply only to statements that name it.'),
           coalesce(CASE WHEN r.parents IS NOT NULL AND NOT r.has_policies
                         THEN neon_auth_internal.revoke_from(r.relation) END,
                    format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY;', r.relation::regclass))
      FROM reached r
     WHERE r.relkind <> 'f' AND NOT r.relrowsecurity
    UNION ALL
    SELECT 'warning', 'rls_impossible', 'foreign ' || r.object,
           format('A foreign table cannot have policies, so %s can %s all rows.', r.roles,
                  neon_auth_internal.privilege_names(r.selects, r.inserts, r.updates, r.deletes)),
           neon_auth_internal.revoke_from(r.relation)
      FROM reached r
     WHERE r.relkind = 'f'
    UNION ALL
    SELECT 'warning', 'no_policy', r.object,
           format('%s may %s, but no policy applies to them, so they see and change no row.', r.roles,
                  neon_auth_internal.privilege_names(r.selects, r.inserts, r.updates, r.deletes)),
           coalesce(CASE WHEN r.parents IS NOT NULL THEN neon_auth_internal.revoke_from(r.relation) END,
                    neon_auth_internal.create_policy(r.relation, r.roles))
      FROM reached r
     WHERE r.relrowsecurity AND NOT EXISTS (SELECT FROM policies p WHERE p."table" = r.relation)
    UNION ALL
    SELECT 'warning', 'only_restrictive', r.object,
           format('Only restrictive policies apply to %s for %s, so no row passes: restrictive policies remove rows '
                  'from those that a permissive policy lets pass.', x.roles, x.commands),
           neon_auth_internal.create_policy(r.relation, x.roles)
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
    UNION ALL
    -- Roles with the same conditions get one policy: the conditions of another role could show them other rows. Where
    -- a condition lets users write rows that are not theirs, a policy that shows these rows is not the cure.
    SELECT 'warning', 'writes_without_select', r.object,
           format('Policies for %s apply to %s, but none for SELECT, so a statement with WHERE or RETURNING finds no '
                  'row.', x.commands, x.roles),
           CASE WHEN x.opens THEN neon_auth_internal.as_comment(
                    'These policies let users write rows that are not theirs. If they are to read these, too: ')
                ELSE '' END
           || format('CREATE POLICY %I ON %s FOR SELECT TO %s USING (%s);', neon_auth_internal.free_policy_name(
                         r.relation, CASE WHEN x.is_only THEN 'read' ELSE 'read_' || x.first_role END),
                     r.relation::regclass, x.roles, x.condition)
      FROM reached r
      JOIN (SELECT w."table", w.commands, w.condition, string_agg(w.role_name, ', ' ORDER BY w.role_name) AS roles,
                   min(w.rolname) AS first_role, bool_or(w.opens) AS opens,
                   count(*) OVER (PARTITION BY w."table") = 1 AS is_only
              FROM (SELECT p."table", a.role_name, coalesce(o.rolname, 'public') AS rolname,
                           string_agg(DISTINCT CASE p.command WHEN 'w' THEN 'UPDATE' ELSE 'DELETE' END, ', ')
                               AS commands,
                           string_agg(DISTINCT '(' || neon_auth_internal.condition_text(p.policy, false) || ')', ' OR ')
                               AS condition,
                           bool_or('all' IN (f.nobody, f.ownerless, f.signed_in) OR f.settings <> '{}'
                                   OR f.hidden <> '{}') AS opens
                      FROM policies p
                      JOIN neon_auth_internal.advised_relations() a ON a.relation = p."table" AND a.role = p.role
                                                                   AND a.selects
                      JOIN pg_policy q ON q.oid = p.policy
                      LEFT JOIN pg_roles o ON o.oid = p.role
                     CROSS JOIN LATERAL neon_auth_internal.condition_facts(
                            q.polqual, q.polrelid, nullif(p.role, 0),
                            'auth.user_id()'::regprocedure, 'auth.uid()'::regprocedure) AS f
                     WHERE p.command IN ('w', 'd') AND p.is_permissive
                       AND NOT EXISTS (SELECT FROM policies s
                                        WHERE s."table" = p."table" AND s.role = p.role AND s.command IN ('r', '*'))
                     GROUP BY p."table", a.role_name, o.rolname) AS w
             WHERE w.condition IS NOT NULL
             GROUP BY w."table", w.commands, w.condition) AS x ON x."table" = r.relation
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_tables() IS
    'Rows of neon_auth.advice: tables without row-level security, or without policies that let rows pass';
