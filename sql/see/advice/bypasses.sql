-- Advice about what passes policies by: roles, owners, views and functions.

CREATE FUNCTION neon_auth_internal.advise_roles() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    WITH logins AS MATERIALIZED (SELECT * FROM neon_auth_internal.application_logins())
    SELECT 'error', 'role_bypasses_policies', format('role %s', quote_ident(r.rolname)),
           format('Provider %s lets tokens name this role, to which no policy applies, so sign-ins with it fail.',
                  p.names),
           format('ALTER ROLE %I NOSUPERUSER NOBYPASSRLS;', r.rolname)
      FROM pg_roles r
     CROSS JOIN LATERAL (
            SELECT string_agg(p.name, ', ' ORDER BY p.name) AS names FROM neon_auth_internal.providers p
             WHERE r.rolname = p.default_role OR r.rolname = ANY (p.allowed_roles)) AS p
     WHERE r.rolsuper AND p.names IS NOT NULL
    UNION ALL
    SELECT 'error', 'role_bypasses_policies', format('role %s', l.name),
           CASE WHEN l.is_application THEN 'Users act as this role, and BYPASSRLS lets it pass all policies by.'
                ELSE 'This role can set a role that users act as, and BYPASSRLS lets it pass all policies by.' END,
           format('ALTER ROLE %s NOBYPASSRLS;', l.name)
      FROM logins l JOIN pg_roles r ON r.oid = l.oid
     WHERE r.rolbypassrls
    UNION ALL
    SELECT 'error', 'role_bypasses_policies', format('role %s', l.name),
           format('It can set the role %I, to which no policy applies.', r.rolname),
           -- Since PostgreSQL 16 each grantor has a grant of its own; 10 is whom a superuser revokes for.
           format('REVOKE %I FROM %I%s;', r.rolname, pg_get_userbyid(m.member),
                  CASE WHEN m.grantor <> 10 AND current_setting('server_version_num')::integer >= 160000
                       THEN format(' GRANTED BY %I', pg_get_userbyid(m.grantor)) END)
      FROM logins l
      JOIN pg_roles r ON (r.rolsuper OR r.rolbypassrls) AND r.oid <> l.oid
                     AND neon_auth_internal.can_act_as(l.oid, r.oid)
      JOIN pg_auth_members m ON m.roleid = r.oid
                            AND (m.member = l.oid OR neon_auth_internal.can_act_as(l.oid, m.member))
    UNION ALL
    SELECT CASE WHEN bool_or(l.is_application) THEN 'error' ELSE 'warning' END,
           'owner_bypasses_policies', format('table %s', c.oid::regclass),
           format('%s can act as the owner, %I, to whom the policies do not apply.',
                  string_agg(l.name, ', ' ORDER BY l.name COLLATE "C"), pg_get_userbyid(c.relowner)),
           format('ALTER TABLE %s FORCE ROW LEVEL SECURITY;', c.oid::regclass)
      FROM pg_class c
      JOIN logins l ON neon_auth_internal.can_act_as(l.oid, c.relowner)
     WHERE c.relkind IN ('r', 'p') AND c.relrowsecurity AND NOT c.relforcerowsecurity
       AND neon_auth_internal.is_advised('pg_class'::regclass, c.oid, c.relnamespace)
     GROUP BY c.oid, c.relowner
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_roles() IS
    'Rows of neon_auth.advice: roles of applications, and owners of tables, to whom policies do not apply';

-- A view reads its tables with the rights of its owner, unless it is security_invoker; a materialized view contains
-- what its owner saw. A view that reads the signed-in user itself is taken as restricting its rows on purpose.
CREATE FUNCTION neon_auth_internal.advise_views() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE views AS MATERIALIZED (
        SELECT c.oid, c.relkind, c.relowner, r.oid AS rule,
               coalesce((SELECT o.option_value::boolean FROM pg_options_to_table(c.reloptions) AS o
                          WHERE o.option_name = 'security_invoker'), false) AS is_invoker,
               EXISTS (SELECT FROM pg_depend d JOIN pg_proc p ON d.refobjid = p.oid
                        WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
                          AND d.refclassid = 'pg_proc'::regclass
                          AND p.prosupport = 'neon_auth_internal.once_per_query'::regproc) AS has_reader
          FROM pg_class c JOIN pg_rewrite r ON r.ev_class = c.oid AND r.ev_type = '1'
         WHERE c.relkind IN ('v', 'm')
           AND neon_auth_internal.is_advised('pg_class'::regclass, c.oid, c.relnamespace)
    ), reads AS MATERIALIZED (
        SELECT DISTINCT v.oid AS view, d.refobjid AS relation
          FROM views v
          JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = v.rule
                          AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
    ), grants AS MATERIALIZED (
        SELECT a.relation, a.role, a.role_name, a.selects FROM neon_auth_internal.advised_relations() a
    ), reached(role, role_name, granted, view) AS (
        SELECT g.role, g.role_name, v.oid, v.oid FROM grants g JOIN views v ON v.oid = g.relation WHERE NOT v.has_reader
        UNION
        SELECT n.role, n.role_name, n.granted, v.oid
          FROM reached n JOIN reads r ON r.view = n.view JOIN views v ON v.oid = r.relation
         WHERE NOT v.has_reader
    )
    SELECT CASE WHEN bool_or(d.selects IS TRUE) THEN 'error' ELSE 'warning' END, 'view_bypasses_policies',
           format('%s %s', CASE v.relkind WHEN 'm' THEN 'materialized view' ELSE 'view' END, v.oid::regclass),
           format('It reads %s with the rights of %I, to whom the policies do not apply, for %s.',
                  string_agg(DISTINCT t.oid::regclass::text, ', '), pg_get_userbyid(v.relowner),
                  string_agg(DISTINCT n.role_name, ', ')),
           coalesce(CASE WHEN v.relkind = 'v' AND current_setting('server_version_num')::integer >= 150000
                         THEN format('ALTER VIEW %s SET (security_invoker = true);', v.oid::regclass)
                         ELSE string_agg(DISTINCT neon_auth_internal.revoke_from(n.granted), ' ') END,
                    neon_auth_internal.as_comment('Let another role own it than the one that users act as.'))
      FROM reached n
      JOIN views v ON v.oid = n.view AND NOT v.is_invoker
      JOIN reads r ON r.view = v.oid
      JOIN pg_class t ON t.oid = r.relation AND t.relkind IN ('r', 'p') AND t.relrowsecurity
                     AND neon_auth_internal.passes_by(v.relowner, t.oid)
      LEFT JOIN grants d ON d.relation = t.oid AND d.role = n.role
     GROUP BY v.oid, v.relkind, v.relowner
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_views() IS
    'Rows of neon_auth.advice: views that read tables with policies as a role to which these do not apply';

-- A trigger cannot be called. A function in a policy is how one policy reads a table with another. What a body does
-- is not read, so a function is not an error.
CREATE FUNCTION neon_auth_internal.advise_functions() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    WITH definers AS MATERIALIZED (
        SELECT p.oid, p.prosqlbody IS NOT NULL AS is_parsed, n.nspname, pg_get_userbyid(p.proowner) AS owner,
               a.roles, a.have_temp,
               (SELECT substr(s.setting, length('search_path=') + 1) FROM unnest(p.proconfig) AS s(setting)
                 WHERE s.setting LIKE 'search_path=%') AS path,
               format('%s %s', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,
                      p.oid::regprocedure) AS name
          FROM pg_proc p
          JOIN pg_namespace n ON n.oid = p.pronamespace
          JOIN pg_roles o ON o.oid = p.proowner
         CROSS JOIN LATERAL (
                SELECT string_agg(a.name, ', ' ORDER BY a.name COLLATE "C") AS roles,
                       bool_or(has_database_privilege(a.oid, t.oid, 'TEMP')) AS have_temp
                  FROM neon_auth_internal.application_roles() a
                  JOIN pg_database t ON t.datname = current_database()
                 WHERE has_function_privilege(a.oid, p.oid, 'EXECUTE')
                   AND has_schema_privilege(a.oid, p.pronamespace, 'USAGE')) AS a
         WHERE p.prosecdef AND p.prokind IN ('f', 'p') AND a.roles IS NOT NULL
           AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
           AND neon_auth_internal.is_advised('pg_proc'::regclass, p.oid, p.pronamespace)
           AND (o.rolsuper OR o.rolbypassrls
                OR EXISTS (SELECT FROM pg_class c
                            WHERE c.relowner = o.oid AND c.relrowsecurity AND NOT c.relforcerowsecurity))
    )
    SELECT 'info', 'definer_function', lower(split_part(d.name, ' ', 1)) || ' ' || d.oid::regprocedure,
           format('%s can call it, and it runs as %I, to whom policies do not apply.', d.roles, d.owner),
           format('ALTER %s SECURITY INVOKER;', d.name)
      FROM definers d
     WHERE NOT EXISTS (SELECT FROM pg_depend u
                        WHERE u.classid = 'pg_policy'::regclass AND u.refclassid = 'pg_proc'::regclass
                          AND u.refobjid = d.oid)
    UNION ALL
    SELECT 'warning', 'definer_search_path', lower(split_part(d.name, ' ', 1)) || ' ' || d.oid::regprocedure,
           format(CASE WHEN d.path IS NULL
                       THEN 'It runs as %s with the search_path of its caller, who can let it use other objects than '
                            'it means.'
                       ELSE 'It runs as %s, and its search_path does not end with pg_temp, so temporary tables of its '
                            'caller are found before the tables that it means.' END, d.owner),
           format('ALTER %s SET search_path = %s, pg_temp;', d.name,
                  coalesce(s.schemas, format('pg_catalog, %I', d.nspname)))
      FROM definers d
     CROSS JOIN LATERAL (
            SELECT string_agg(quote_ident(e.schema), ', ' ORDER BY e.place) FILTER (WHERE e.schema <> 'pg_temp')
                       AS schemas,
                   bool_or(e.schema NOT IN ('pg_temp', 'pg_catalog', '')) AS has_tables,
                   min(e.place) FILTER (WHERE e.schema = 'pg_temp') = max(e.place) AS ends_with_temp
              FROM (SELECT coalesce(replace(m.parts[1], '""', '"'), m.parts[2]) AS schema, m.place
                      FROM regexp_matches(d.path, '"((?:[^"]|"")*)"|([^", ]+)', 'g') WITH ORDINALITY AS m(parts, place)
                   ) AS e) AS s
     WHERE NOT d.is_parsed AND (d.path IS NULL OR s.has_tables AND s.ends_with_temp IS NOT TRUE AND d.have_temp)
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_functions() IS
    'Rows of neon_auth.advice: definer functions of roles to which policies do not apply';
