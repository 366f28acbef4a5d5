-- Advice about policies that cost time.

CREATE FUNCTION neon_auth_internal.advise_speed() RETURNS TABLE (
    severity text, code text, object text, problem text, remedy text)
LANGUAGE sql STABLE SECURITY DEFINER ROWS 10 SET search_path = pg_catalog, pg_temp
AS $$
    -- A table that is known to be small needs no index.
    WITH conditions AS MATERIALIZED (
        SELECT c.*, format('policy %s on %s', c.name, c."table"::regclass) AS object,
               NOT t.reltuples BETWEEN 0 AND 999 AS is_large
          FROM neon_auth_internal.advised_conditions() c JOIN pg_class t ON t.oid = c."table"
    ), indexes AS MATERIALIZED (
        SELECT i.indrelid, i.indexrelid, i.indkey[0] AS number, i.indclass[0] AS class,
               i.indexprs IS NOT NULL AS has_expression
          FROM pg_index i WHERE i.indisvalid AND i.indpred IS NULL
    )
    SELECT 'info', 'column_without_index', format('column %s of %s', quote_ident(a.attname), c."table"::regclass),
           format('Policies compare it with the signed-in user (%s), but no index begins with it, so each query reads '
                  'the whole table.', string_agg(DISTINCT c.name, ', ')),
           format('CREATE INDEX ON %s (%I);', c."table"::regclass, a.attname)
      FROM conditions c
     CROSS JOIN LATERAL unnest(c.compared) AS x(number)
      JOIN pg_attribute a ON a.attrelid = c."table" AND a.attnum = x.number
     WHERE NOT c.is_check AND c.is_permissive AND c.is_large
       AND NOT EXISTS (SELECT FROM indexes i WHERE i.indrelid = c."table" AND i.number = x.number)
     GROUP BY c."table", a.attname
    UNION ALL
    SELECT 'info', 'cast_column', c.object,
           format('It casts the column %I before it compares it with the signed-in user, so no index on the column '
                  'helps.', a.attname),
           coalesce(neon_auth_internal.alter_policy(c.policy, false, c.written),
                    format('CREATE INDEX ON %s ((%I::text));', c."table"::regclass, a.attname))
      FROM conditions c
     CROSS JOIN LATERAL unnest(c.cast_columns) AS x(number)
      JOIN pg_attribute a ON a.attrelid = c."table" AND a.attnum = x.number
     WHERE NOT c.is_check
       AND NOT EXISTS (SELECT FROM indexes i
                         JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                                         AND d.refclassid = 'pg_class'::regclass AND d.refobjid = i.indrelid
                                         AND d.refobjsubid = x.number
                        WHERE i.indrelid = c."table" AND i.number = 0 AND i.has_expression)
    UNION ALL
    SELECT 'info', 'evaluated_per_row', c.object,
           CASE WHEN c.is_correlated
                THEN 'It has a sub-select that depends on the row, so PostgreSQL can execute it for each row.'
                ELSE format('%s runs for each row, because an argument is a column, and no comparison that can use an '
                            'index is beside it.', f.names) END,
           CASE WHEN NOT c.is_correlated AND f.are_of_teams AND a.attname IS NOT NULL
                THEN neon_auth_internal.alter_policy(c.policy, false, format('%I = ANY (auth.team_ids()) AND (%s)',
                         a.attname, neon_auth_internal.condition_text(c.policy, false)))
                ELSE neon_auth_internal.as_comment(
                    'Compare a column with an array: column = ANY (ARRAY(SELECT ...)), and index the column.') END
      FROM conditions c
     CROSS JOIN LATERAL (
            SELECT string_agg(DISTINCT r.oid::regproc::text, ', ') AS names,
                   bool_and(p.pronamespace = 'auth'::regnamespace) AS are_of_teams
              FROM unnest(c.row_calls) AS r(oid) JOIN pg_proc p ON p.oid = r.oid
             WHERE r.oid <> ALL (c.set_clause_calls)) AS f
      LEFT JOIN pg_attribute a ON a.attrelid = c."table" AND c.columns = ARRAY[a.attnum]
                              AND a.atttypid = 'text'::regtype
     WHERE NOT c.is_check AND c.is_large AND c.compared = '{}'
       AND (c.is_correlated OR f.names IS NOT NULL)
    UNION ALL
    -- Without its SET clause, a body that is a string would find its objects by the path of whoever queries the table.
    SELECT 'info', 'set_clause_per_row', c.object,
           format('%s has a SET clause (%s), so it is not inlined, and each call, which can be one for each row, '
                  'changes the settings.', p.oid::regprocedure, s.names),
           CASE WHEN p.prosqlbody IS NOT NULL AND NOT p.prosecdef AND s.are_paths
                THEN format('ALTER FUNCTION %s RESET search_path;', p.oid::regprocedure)
                WHEN p.oid <> ALL (c.set_clause_row_calls) AND c.called_once IS NOT NULL
                THEN neon_auth_internal.alter_policy(c.policy, false, c.called_once)
                WHEN p.prosecdef OR NOT s.are_paths THEN neon_auth_internal.as_comment(
                    'Let it return all that the user may see: column = ANY (ARRAY(SELECT function())).')
                ELSE neon_auth_internal.as_comment('Write its body as RETURN ..., which needs no search_path, and '
                    'ALTER FUNCTION ... RESET search_path.') END
      FROM conditions c
     CROSS JOIN LATERAL (SELECT DISTINCT r.oid FROM unnest(c.set_clause_calls) AS r(oid)) AS r
      JOIN pg_proc p ON p.oid = r.oid
     CROSS JOIN LATERAL (
            SELECT string_agg(split_part(x.setting, '=', 1), ', ') AS names,
                   bool_and(x.setting LIKE 'search_path=%') AS are_paths
              FROM unnest(p.proconfig) AS x(setting)) AS s
     WHERE NOT c.is_check AND c.is_large AND c.compared = '{}'
       AND (p.oid = ANY (c.set_clause_row_calls)
            OR NOT EXISTS (SELECT FROM indexes i
                            WHERE i.indrelid = c."table" AND i.number = ANY (c.set_clause_compared)))
       AND neon_auth_internal.is_advised('pg_proc'::regclass, p.oid, p.pronamespace)
    UNION ALL
    SELECT 'warning', 'volatile_function', c.object,
           format('%s is VOLATILE, so it runs for each row, no index is used, and each row may get another result.',
                  p.oid::regprocedure),
           CASE WHEN p.oid < 16384 THEN neon_auth_internal.as_comment('Write the policy without this function.')
                ELSE format('ALTER FUNCTION %s STABLE;', p.oid::regprocedure) END
      FROM conditions c
     CROSS JOIN LATERAL (SELECT DISTINCT v.oid FROM unnest(c.volatile_calls) AS v(oid)) AS v
      JOIN pg_proc p ON p.oid = v.oid
     WHERE NOT c.is_check
    UNION ALL
    -- Conditions of queries run after the policies, unless their operators are leakproof.
    SELECT 'info', 'index_not_leakproof', format('index %s', i.indexrelid::regclass),
           format('Queries of %s cannot use it: none of its operators is leakproof, so PostgreSQL evaluates them only '
                  'for rows that the policies of %s let pass.', r.names, i.indrelid::regclass),
           neon_auth_internal.as_comment('Let the policies find few rows by an index of their own.')
      FROM indexes i
      JOIN pg_opclass o ON o.oid = i.class
     CROSS JOIN LATERAL (
            SELECT string_agg(DISTINCT n.name, ', ') AS names
              FROM conditions c CROSS JOIN LATERAL unnest(c.roles) AS r(oid)
              JOIN neon_auth_internal.application_roles() n ON n.oid = r.oid
             WHERE c."table" = i.indrelid AND NOT c.is_check AND c.is_large) AS r
     WHERE r.names IS NOT NULL
       AND NOT EXISTS (SELECT FROM conditions c
                        WHERE c."table" = i.indrelid AND NOT c.is_check AND i.number = ANY (c.columns))
       AND EXISTS (SELECT FROM pg_amop m WHERE m.amopfamily = o.opcfamily AND m.amoppurpose = 's')
       AND NOT EXISTS (SELECT FROM pg_amop m JOIN pg_operator s ON s.oid = m.amopopr JOIN pg_proc p ON p.oid = s.oprcode
                        WHERE m.amopfamily = o.opcfamily AND m.amoppurpose = 's' AND p.proleakproof)
$$;
COMMENT ON FUNCTION neon_auth_internal.advise_speed() IS
    'Rows of neon_auth.advice: policies that are evaluated for each row, or without an index';
