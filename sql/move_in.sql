-- A schema neon_auth that was there before keeps its owner, its grants and all that is in it; what was
-- made for it is moved in.

DO $move_in$
DECLARE
    given constant oid := nullif(current_setting('neon_auth_script.given'), '');
    aside name;
    owner name;
    taken text;
    of_users boolean;
    command text;
BEGIN
    IF given IS NULL THEN
        RETURN;
    END IF;
    SELECT pg_get_userbyid(nspowner), nspname INTO owner, aside FROM pg_namespace WHERE oid = given;

    -- A function of our name with other arguments would take calls that are meant for ours.
    SELECT string_agg(DISTINCT t.what, ', ' ORDER BY t.what), bool_or(t.what = 'table users_sync') INTO taken, of_users
      FROM (SELECT format('%s %I', CASE o.relkind WHEN 'i' THEN 'index' WHEN 'S' THEN 'sequence' WHEN 'v' THEN 'view'
                                                  WHEN 'c' THEN 'type' ELSE 'table' END, o.relname)
              FROM pg_class o JOIN pg_class c USING (relname)
             WHERE c.relnamespace = 'neon_auth'::regnamespace AND o.relnamespace = given
            UNION ALL
            SELECT format('function %I', o.proname)
              FROM pg_proc o JOIN pg_proc p USING (proname)
             WHERE p.pronamespace = 'neon_auth'::regnamespace AND o.pronamespace = given
            UNION ALL
            SELECT format('type %I', o.typname)
              FROM pg_type o JOIN pg_type t USING (typname)
             WHERE t.typnamespace = 'neon_auth'::regnamespace AND o.typnamespace = given
               AND o.typrelid = 0 AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = o.oid)
            UNION ALL
            -- f('...') is a cast if f is a type.
            SELECT format('type %I', o.typname)
              FROM pg_type o JOIN pg_proc p ON p.proname = o.typname
             WHERE p.pronamespace = 'neon_auth'::regnamespace AND o.typnamespace = given) AS t (what);
    IF taken IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'duplicate_object',
            MESSAGE = 'names that neon_auth needs are taken in schema "neon_auth"',
            DETAIL = format('The schema belongs to role %I and contains: %s.', owner, taken),
            HINT = CASE WHEN of_users
                        THEN 'To keep the users and everything that refers to them, run docs/adopt.sql '
                             '(see docs/adopt.md).'
                        ELSE 'Rename these objects or move them to another schema, see docs/adopt.md.' END
                   || ' To start empty: ALTER SCHEMA neon_auth RENAME TO neon_auth_before;';
    END IF;

    FOR command IN
        SELECT format('ALTER %s %s SET SCHEMA %I', o.kind, o.name, aside)
          FROM (SELECT 'ROUTINE' AS kind, oid::regprocedure::text AS name FROM pg_proc
                 WHERE pronamespace = 'neon_auth'::regnamespace
                UNION ALL
                -- Indexes and the sequences of columns move with their table.
                SELECT CASE relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, oid::regclass::text FROM pg_class
                 WHERE relnamespace = 'neon_auth'::regnamespace AND relkind IN ('r', 'v')) AS o
    LOOP
        EXECUTE command;
    END LOOP;
    DROP SCHEMA neon_auth;
    EXECUTE format('ALTER SCHEMA %I RENAME TO neon_auth', aside);
    ALTER EXTENSION neon_auth ADD SCHEMA neon_auth;

    IF NOT has_schema_privilege('public', given, 'USAGE') THEN
        RAISE NOTICE USING
            MESSAGE = 'schema "neon_auth" existed and keeps its grants',
            DETAIL = format('It belongs to role %I. Roles without USAGE on it cannot name what is in it.', owner),
            HINT = 'For roles that are to read neon_auth.users_sync: GRANT USAGE ON SCHEMA neon_auth TO ...;';
    END IF;
END
$move_in$;
