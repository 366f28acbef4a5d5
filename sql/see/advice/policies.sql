-- Advice about policies: whom they let in, and what users may write.

CREATE FUNCTION neon_auth_internal.advise_policies() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    WITH conditions AS MATERIALIZED (
        -- Without WITH CHECK, USING applies to new rows too.
        SELECT c.*, format('policy %s on %s', c.name, c."table"::regclass) AS object,
               c.is_check OR NOT bool_or(c.is_check) OVER (PARTITION BY c.policy) AS checks_new,
               c.has_reader AND (c.columns <> '{}' OR c.is_correlated) AS binds_row
          FROM neon_auth_internal.advised_conditions() c
    ), opening AS MATERIALIZED (
        -- WITH CHECK matters here only for INSERT: an UPDATE needs a row that USING lets pass. A restrictive policy
        -- for the same commands and roles, through which nobody passes, closes what a permissive one opens.
        SELECT c.*
          FROM conditions c
         WHERE c.is_permissive AND (c.is_check = (c.command = 'a') OR c.is_check AND c.command = '*')
           AND NOT EXISTS (SELECT FROM conditions r
                            WHERE NOT r.is_permissive AND r."table" = c."table" AND r.command IN ('*', c.command)
                              AND r.roles @> c.roles AND (r.nobody = 'none' OR r.has_reader AND NOT c.has_reader)
                              AND CASE WHEN c.is_check THEN r.checks_new ELSE NOT r.is_check END)
    ), owned AS MATERIALIZED (
        SELECT DISTINCT c.policy, c."table", x.number, false AS by_list
          FROM conditions c, unnest(c.compared || c.cast_columns) AS x(number)
         WHERE NOT c.is_check AND c.is_permissive
        UNION ALL
        -- Such as a team of the user: team IN (SELECT ... WHERE user_id = auth.user_id()).
        SELECT DISTINCT c.policy, c."table", x.number, true
          FROM conditions c, unnest(c.columns) AS x(number)
         WHERE NOT c.is_check AND c.is_permissive AND c.has_reader AND c.compared || c.cast_columns = '{}'
    )
    SELECT CASE WHEN c.nobody = 'all' THEN 'error' ELSE 'warning' END,
           CASE WHEN c.nobody = 'all' THEN 'passes_without_user' ELSE 'passes_ownerless_rows' END,
           c.object,
           format(CASE WHEN c.nobody = 'all'
                       THEN 'It reads the signed-in user, but with nobody signed in %s is true for every row: '
                            '%s then reach all of them.'
                       ELSE 'With nobody signed in, %s is true for rows whose owner is NULL: %s then reach them, '
                            'because NULL is not distinct from NULL.' END,
                  CASE WHEN c.is_check THEN 'WITH CHECK' ELSE 'USING' END, c.role_names),
           neon_auth_internal.alter_policy(c.policy, c.is_check, format(
               '(%s) AND auth.user_id() IS NOT NULL', neon_auth_internal.condition_text(c.policy, c.is_check)))
      FROM opening c
     WHERE c.has_reader AND (c.nobody = 'all' OR c.ownerless = 'all')
    UNION ALL
    SELECT 'warning', 'open_writes', c.object,
           format('It is true for every row%s, so %s can %s the rows of all users.',
                  CASE WHEN c.has_reader THEN ' if anybody is signed in' END, c.role_names,
                  CASE c.command WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'change' END),
           format('DROP POLICY %s ON %s;', c.name, c."table"::regclass)
      FROM conditions c
     WHERE NOT c.is_check AND c.is_permissive AND c.command IN ('w', 'd', '*') AND c.for_everybody
       AND c.signed_in = 'all'
       AND NOT EXISTS (SELECT FROM conditions r
                        WHERE NOT r.is_permissive AND r."table" = c."table" AND r.command IN ('*', c.command)
                          AND r.roles @> c.roles AND NOT r.is_check AND r.has_reader
                          AND r.signed_in IS DISTINCT FROM 'all')
       AND (c.command <> '*' OR EXISTS (SELECT FROM unnest(c.roles) AS r(oid)
                                         WHERE has_any_column_privilege(r.oid, c."table", 'UPDATE')
                                            OR has_table_privilege(r.oid, c."table", 'DELETE')))
    UNION ALL
    SELECT 'error', 'rows_given_away', c.object,
           format('USING compares %s with the signed-in user, but WITH CHECK does not, so %s can give their rows to '
                  'other users.', o.names, c.role_names),
           neon_auth_internal.alter_policy(c.policy, true, format(
               CASE c.nobody WHEN 'all' THEN '%s' ELSE '(%s) AND (%s)' END,
               neon_auth_internal.condition_text(c.policy, false), neon_auth_internal.condition_text(c.policy, true)))
      FROM conditions c
     CROSS JOIN LATERAL (
            SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS names
              FROM owned o JOIN pg_attribute a ON a.attrelid = o."table" AND a.attnum = o.number
             WHERE o.policy = c.policy AND NOT o.number = ANY (c.columns)
               AND EXISTS (SELECT FROM unnest(c.roles) AS r(oid)
                            WHERE has_column_privilege(r.oid, o."table", o.number, 'UPDATE'))
               AND NOT EXISTS (SELECT FROM conditions t
                                WHERE NOT t.is_permissive AND t."table" = c."table" AND t.command IN ('*', 'w')
                                  AND t.checks_new AND t.binds_row AND o.number = ANY (t.columns)
                                  AND t.roles @> c.roles)) AS o
     WHERE c.is_check AND c.is_permissive AND c.command IN ('w', '*') AND NOT c.binds_row AND o.names IS NOT NULL
    UNION ALL
    SELECT 'warning', 'inserts_for_others', c.object,
           format('Other policies compare %s with the signed-in user, but WITH CHECK does not, so %s can insert rows '
                  'in the name of other users.', o.names, c.role_names),
           neon_auth_internal.alter_policy(c.policy, true, format('(%s) AND (%s)',
               neon_auth_internal.condition_text(c.policy, true),
               neon_auth_internal.condition_text(o.policy, false)))
      FROM conditions c
     CROSS JOIN LATERAL (
            SELECT string_agg(DISTINCT quote_ident(a.attname), ', ') AS names, min(o.policy) AS policy
              FROM owned o JOIN pg_attribute a ON a.attrelid = o."table" AND a.attnum = o.number
             WHERE o."table" = c."table" AND NOT o.by_list AND NOT o.number = ANY (c.columns)
               AND EXISTS (SELECT FROM unnest(c.roles) AS r(oid)
                            WHERE has_column_privilege(r.oid, o."table", o.number, 'INSERT'))
               AND NOT EXISTS (SELECT FROM conditions t
                                WHERE NOT t.is_permissive AND t."table" = c."table" AND t.command IN ('*', 'a')
                                  AND t.checks_new AND t.binds_row AND o.number = ANY (t.columns)
                                  AND t.roles @> c.roles)) AS o
     WHERE c.is_check AND c.is_permissive AND c.command = 'a' AND NOT c.binds_row AND o.names IS NOT NULL
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_policies() IS
    'Rows of neon_auth.advice: policies that pass with nobody signed in, or let users write rows of others';
