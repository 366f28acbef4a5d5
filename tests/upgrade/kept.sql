-- Everything that fill.sql has made, so that two listings can be compared.
\set ON_ERROR_STOP on
\pset format unaligned
SET timezone = 'UTC';
-- Rows with their columns by name, whatever the order of these. A table without rows, which a version may add, shows nothing.
\pset tuples_only on
SELECT format('SELECT %L AS relation, to_jsonb(t) AS row FROM %s t ORDER BY 2', c.relname, c.oid::regclass)
  FROM pg_class c
 WHERE (c.relnamespace = 'neon_auth'::regnamespace
        OR c.oid IN ('todos'::regclass, 'neon_auth_internal.better_auth_tables'::regclass)) AND c.relkind = 'r'
 ORDER BY c.relname COLLATE "C" \gexec
\pset tuples_only off
SELECT conrelid::regclass, conname, pg_get_constraintdef(oid), convalidated FROM pg_constraint WHERE contype = 'f' ORDER BY 1, 2;
SELECT tablename, policyname, permissive, roles, cmd, qual, with_check FROM pg_policies ORDER BY 1, 2;
SELECT * FROM living ORDER BY id;
SELECT has_table_privilege('app', 'living', 'SELECT'), has_column_privilege('authenticated', 'neon_auth.users_sync', 'name', 'SELECT'),
       has_column_privilege('authenticated', 'neon_auth.users_sync', 'raw_json', 'SELECT'),
       has_function_privilege('app', 'auth.impersonate(text, jsonb, boolean)', 'EXECUTE'),
       has_function_privilege('anonymous', 'auth.impersonate(text, jsonb, boolean)', 'EXECUTE');
