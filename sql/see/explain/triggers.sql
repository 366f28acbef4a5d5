-- Triggers and rules, which are not run, and may change what a command does.

-- Triggers for each row are those of the table that has the row; partitions have copies of those of their parents.
CREATE FUNCTION neon_auth_internal.explain_triggers(relation oid, row_table oid, command text, written text[])
RETURNS TABLE (step text, name text, kind text, expression text, result boolean, reason text, changes_rows boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'trigger', quote_ident(t.tgname),
           concat_ws(' ', CASE WHEN t.tgtype & 64 <> 0 THEN 'INSTEAD OF' WHEN t.tgtype & 2 <> 0 THEN 'BEFORE'
                               ELSE 'AFTER' END,
                          CASE WHEN t.tgtype & 1 = 0 THEN 'STATEMENT' END),
           NULL, NULL::boolean,
           CASE WHEN t.tgtype & 64 <> 0 THEN 'not run: it does what the command does'
                WHEN t.tgtype & 3 = 3 THEN 'not run: it may change the row or refuse it'
                ELSE 'not run: it may refuse the command' END,
           t.tgtype & 3 = 3
      FROM pg_trigger t
     WHERE (NOT t.tgisinternal OR t.tgparentid <> 0 AND t.tgconstraint = 0)
       -- Those that fire in a session which does not apply a replica's changes.
       AND t.tgenabled IN ('O', 'A')
       AND t.tgrelid = CASE WHEN t.tgtype & 1 = 0 THEN relation ELSE coalesce(row_table, relation) END
       AND t.tgtype & CASE WHEN command LIKE 'INSERT%' THEN 4 WHEN command = 'UPDATE' THEN 16
                           WHEN command = 'DELETE' THEN 8 ELSE 0 END <> 0
       AND (t.tgattr = '' OR written IS NULL
            OR EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = t.tgrelid AND a.attnum = ANY (t.tgattr) AND a.attname = ANY (written)))
    UNION ALL
    SELECT 'rule', quote_ident(r.rulename), CASE WHEN r.is_instead THEN 'INSTEAD' ELSE 'ALSO' END, NULL, NULL,
           CASE WHEN r.is_instead THEN 'not run: it replaces the command' ELSE 'not run: it may refuse the command' END,
           r.is_instead
      FROM pg_rewrite r
     WHERE r.ev_class = relation AND r.ev_enabled IN ('O', 'A')
       AND r.ev_type = CASE WHEN command LIKE 'INSERT%' THEN '3' WHEN command = 'UPDATE' THEN '2'
                            WHEN command = 'DELETE' THEN '4' END
     ORDER BY 1 DESC, 3, 2
$$;
COMMENT ON FUNCTION neon_auth_internal.explain_triggers(oid, oid, text, text[]) IS
    'Steps of explain_policy: triggers and rules of a command';
