-- The tables of schema neon_auth, under the same names in neon_auth_internal. Somebody else may own the
-- schema neon_auth, put functions beside ours, rename it, and make another one of that name. So the
-- extension's functions name nothing in it: they reach its tables through these views, which PostgreSQL
-- has resolved for good. Each view is made right after its table.

DO $$
DECLARE
    known record;
BEGIN
    FOR known IN
        SELECT t.relname, t.oid, v.oid AS view_oid
          FROM pg_class t
          LEFT JOIN pg_class v ON v.relnamespace = 'neon_auth_internal'::regnamespace AND v.relname = t.relname
         WHERE t.relnamespace = 'neon_auth'::regnamespace AND t.relkind = 'r'
    LOOP
        EXECUTE format('COMMENT ON VIEW neon_auth_internal.%I IS %L', known.relname,
                       format('The table neon_auth.%s, for the extension''s own functions', known.relname));
        EXECUTE (
            SELECT string_agg(format('COMMENT ON COLUMN neon_auth_internal.%I.%I IS %L', known.relname, a.attname,
                                     col_description(known.oid, a.attnum)), '; ')
              FROM pg_attribute a
             WHERE a.attrelid = known.view_oid AND a.attnum > 0);
    END LOOP;
END
$$;
