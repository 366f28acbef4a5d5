-- Advice about policies that do not do what their text suggests, or that do not work.

CREATE FUNCTION neon_auth_internal.advise_mistakes() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    WITH conditions AS MATERIALIZED (
        SELECT c.*, format('policy %s on %s', c.name, c."table"::regclass) AS object,
               c.is_check OR NOT bool_or(c.is_check) OVER (PARTITION BY c.policy) AS checks_new
          FROM neon_auth_internal.advised_conditions() c
    ), closing AS MATERIALIZED (
        SELECT * FROM conditions c WHERE NOT c.is_permissive AND c.has_reader
    ), granted AS MATERIALIZED (
        SELECT a.relation, a.role, a.role_name, p.command, p.name
          FROM neon_auth_internal.advised_relations() a
         CROSS JOIN LATERAL (
                VALUES ('r'::"char", 'SELECT', a.selects), ('a', 'INSERT', a.inserts), ('w', 'UPDATE', a.updates),
                       ('d', 'DELETE', a.deletes)) AS p(command, name, may)
         WHERE p.may
    ), open_policies AS MATERIALIZED (
        SELECT c."table", c.policy, c.name, c.command, c.has_reader, r.role
          FROM conditions c, unnest(c.roles) AS r(role)
         WHERE c.is_permissive AND NOT c.is_check AND c.signed_in = 'all'
    ), void AS MATERIALIZED (
        -- A policy about rows of the user, each command and role of which another one opens.
        SELECT c.object, c."table", array_agg(DISTINCT o.policy) AS openers, bool_and(o.has_reader) AS needs_user
          FROM conditions c
          JOIN granted g ON g.relation = c."table" AND g.role = ANY (c.roles)
                        AND (c.command = g.command OR c.command = '*')
          LEFT JOIN open_policies o ON o."table" = c."table" AND o.role = g.role AND o.policy <> c.policy
                                   AND o.command IN ('*', g.command)
         WHERE c.is_permissive AND NOT c.is_check AND c.has_reader AND c.signed_in IS DISTINCT FROM 'all'
           AND (c.columns <> '{}' OR c.is_correlated)
           AND EXISTS (SELECT FROM open_policies o WHERE o."table" = c."table")
           AND NOT EXISTS (SELECT FROM closing r
                            WHERE r."table" = c."table" AND r.command IN ('*', c.command) AND r.roles @> c.roles
                              AND r.signed_in IS DISTINCT FROM 'all')
         GROUP BY c.object, c."table"
        HAVING bool_and(o.policy IS NOT NULL)
    ), reading AS MATERIALIZED (
        -- Policies whose sub-selects read something to which policies may apply.
        SELECT c."table", c.command, c.roles, t.oid AS relation, t.relkind
          FROM conditions c
         CROSS JOIN LATERAL unnest(c.reads) AS r(oid)
          JOIN pg_class t ON t.oid = r.oid AND (t.relrowsecurity OR t.relkind = 'v')
    ), suspects AS MATERIALIZED (
        -- What reads only tables whose policies read none ends after one step.
        SELECT DISTINCT g.relation, g.role, g.role_name, g.name, a.attname,
               CASE g.command WHEN 'r' THEN 'SELECT FROM %s' WHEN 'a' THEN 'INSERT INTO %s DEFAULT VALUES'
                              WHEN 'w' THEN 'UPDATE %s SET %I = DEFAULT' ELSE 'DELETE FROM %s' END AS statement
          FROM reading r
          JOIN granted g ON g.relation = r."table" AND g.role = ANY (r.roles) AND r.command IN ('*', g.command)
                        AND g.role <> 0
         CROSS JOIN LATERAL (
                SELECT a.attname FROM pg_attribute a
                 WHERE a.attrelid = g.relation AND a.attnum > 0 AND NOT a.attisdropped
                 ORDER BY a.attnum LIMIT 1) AS a
         WHERE r.relation = r."table" OR r.relkind = 'v'
            OR EXISTS (SELECT FROM reading n WHERE n."table" = r.relation)
    )
    SELECT 'error', 'hidden_column', c.object,
           format('A sub-select compares %s with itself, which is true for every row: inside it this name is a column '
                  'of its own table, and not of %s.',
                  (SELECT string_agg(DISTINCT quote_ident(h.name), ', ') FROM unnest(c.hidden) AS h(name)),
                  c."table"::regclass),
           neon_auth_internal.alter_policy(c.policy, c.is_check, c.unhidden)
      FROM conditions c
     WHERE c.hidden <> '{}'
    UNION ALL
    SELECT 'warning', 'setting_as_identity', c.object,
           format('%s decides which rows pass, without a signed-in user. Every session can set it, so %s can choose '
                  'whose rows they use.', s.names, c.role_names),
           neon_auth_internal.as_comment(
               'Compare with auth.user_id() or auth.claim(...), which only a verified credential sets.')
      FROM conditions c
     CROSS JOIN LATERAL (
            SELECT string_agg(DISTINCT n.name, ', ') AS names FROM unnest(c.settings) AS n(name)
             WHERE NOT EXISTS (SELECT FROM pg_settings s WHERE s.name = lower(n.name) AND s.context <> 'user')) AS s
     WHERE c.is_permissive AND s.names IS NOT NULL
       AND NOT EXISTS (SELECT FROM closing r
                        WHERE r."table" = c."table" AND r.command IN ('*', c.command) AND r.roles @> c.roles
                          AND r.nobody = 'none' AND CASE WHEN c.is_check THEN r.checks_new ELSE NOT r.is_check END)
    UNION ALL
    -- IF EXISTS: one policy can make several void.
    SELECT 'warning', 'policy_without_effect', v.object,
           format('Permissive policies are joined with OR, and %s is true for every row%s, so this policy restricts '
                  'nothing.', string_agg(quote_ident(p.polname), ', ' ORDER BY p.polname),
                  CASE WHEN v.needs_user THEN ' if anybody is signed in' END),
           string_agg(format('DROP POLICY IF EXISTS %I ON %s;', p.polname, v."table"::regclass), ' ' ORDER BY p.polname)
      FROM void v JOIN pg_policy p ON p.oid = ANY (v.openers)
     GROUP BY v.object, v."table", v.needs_user
    UNION ALL
    SELECT 'error', 'policies_recurse', format('table %s', s.relation::regclass),
           format('%s of %s fails: %s. A policy reads its own table, or a table whose policies read this one.',
                  string_agg(DISTINCT s.name, ', '), string_agg(DISTINCT s.role_name, ', '), min(e.message)),
           neon_auth_internal.as_comment(
               'Read the table in a SECURITY DEFINER function of its owner, and call that in the policy.')
      FROM suspects s
     CROSS JOIN LATERAL neon_auth_internal.prepare_as(
            format(s.statement, s.relation::regclass, s.attname), s.role, NULL, NULL, NULL) AS e
     WHERE e.sqlstate = '42P17'
     GROUP BY s.relation
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_mistakes() IS
    'Rows of neon_auth.advice: policies that do not do what their text suggests, or that raise an error';
