-- Puts neon_auth in the place of a neon_auth.users_sync that belongs to no extension, as a Neon
-- project has it and as its dump brings it. Run by a superuser: psql --file adopt.sql
--
-- All or nothing. Every row comes along, and whatever names the table goes on with the new one:
-- foreign keys, policies, views, functions with an SQL body. So do policies and indexes on the table
-- itself, and who could read it still can. The old table stays, in schema neon_auth_before. What else is
-- in schema neon_auth, such as the tables of Better Auth, stays there, under its owner.
--
-- The owners of the old objects need not be trusted: nothing of theirs is executed here, whatever
-- they do meanwhile. Everything is locked before it is looked at. Their triggers would be executed by
-- neon_auth later, with a superuser's rights, so they are not taken over, but shown.
\set ON_ERROR_STOP on
BEGIN;
-- Names in what is read below are written out in full, and looked up again when the old table is away.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL row_security = off;
-- Planning looks at no CHECK, and functions are not validated.
SET LOCAL constraint_exclusion = off;
SET LOCAL check_function_bodies = off;
DO $adopt$
DECLARE
    old oid;
    held record;
    found record;
    locking text[];
    statements text[] := '{}';
    statement text;
    copied bigint;
    problem text;
BEGIN
    IF to_regclass('neon_auth.users_sync') IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = 'there is no neon_auth.users_sync to adopt', HINT = 'CREATE EXTENSION neon_auth;';
    ELSIF EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'neon_auth'
                   WHERE d.classid = 'pg_class'::regclass AND d.objid = to_regclass('neon_auth.users_sync')
                     AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e') THEN
        RAISE NOTICE 'neon_auth.users_sync belongs to the extension already; nothing to do';
        RETURN;
    END IF;

    -- Nobody may change what is checked, between the check and its use: which object a name means, what
    -- an object says, and what the planner calls for a table. This waits for whoever is at it.
    --   schema             its row is written, which a renaming waits for
    --   table, partition   ACCESS EXCLUSIVE; so there are no new indexes, statistics, policies, partitions
    --   view               ACCESS SHARE, which CREATE OR REPLACE VIEW waits for
    --   function           its row is written, which CREATE OR REPLACE FUNCTION waits for
    -- Names are looked up by each command anew, and may mean something else by then: so it is the
    -- objects that are looked at afterwards, until all of them are locked.
    LOOP
        old := 'neon_auth.users_sync'::regclass;
        WITH dependent AS (
            SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = old
        ), relation AS (
            SELECT old AS oid, 'ACCESS EXCLUSIVE' AS mode
            UNION SELECT c.conrelid, 'ACCESS EXCLUSIVE' FROM pg_constraint c WHERE c.contype = 'f' AND c.confrelid = old
            UNION SELECT t.relid, 'ACCESS EXCLUSIVE' FROM pg_constraint c, pg_partition_tree(c.conrelid) AS t
                   WHERE c.contype = 'f' AND c.confrelid = old
            UNION SELECT p.polrelid, 'ACCESS EXCLUSIVE' FROM dependent d
                    JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
            UNION SELECT r.ev_class, 'ACCESS SHARE' FROM dependent d
                    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
                    JOIN pg_class c ON c.oid = r.ev_class AND c.relkind = 'v'
        ), routine AS (
            SELECT p.oid, p.xmin, p.pronamespace, p.prosecdef
              FROM dependent d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
        ), schema AS (
            SELECT n.nspname, n.xmin
              FROM (SELECT c.relnamespace FROM relation r JOIN pg_class c USING (oid)
                    UNION SELECT f.pronamespace FROM routine f) AS s (oid)
              JOIN pg_namespace n USING (oid)
        )
        -- Schemas first: they give the names of the others their meaning.
        SELECT l.commands INTO locking
          FROM (SELECT 1, ARRAY[format('ALTER SCHEMA %I RENAME TO neon_auth_before', s.nspname),
                                format('ALTER SCHEMA neon_auth_before RENAME TO %I', s.nspname)]
                  FROM schema s
                 WHERE s.xmin <> pg_current_xact_id()::xid AND s.nspname !~ '^pg_'
                UNION ALL
                SELECT 2, ARRAY[format('LOCK TABLE %s IN %s MODE', r.oid::regclass, r.mode)]
                  FROM relation r
                 WHERE NOT EXISTS (SELECT FROM pg_locks k
                                    WHERE k.locktype = 'relation' AND k.relation = r.oid
                                      AND k.pid = pg_backend_pid() AND k.granted
                                      AND k.database = (SELECT d.oid FROM pg_database d
                                                         WHERE d.datname = current_database())
                                      AND k.mode = replace(initcap(r.mode), ' ', '') || 'Lock')
                UNION ALL
                SELECT 3, ARRAY[format('ALTER ROUTINE %s SECURITY %s', f.oid::regprocedure,
                                       CASE WHEN f.prosecdef THEN 'DEFINER' ELSE 'INVOKER' END)]
                  FROM routine f
                 WHERE f.xmin <> pg_current_xact_id()::xid) AS l (rank, commands)
         ORDER BY l.rank LIMIT 1;
        EXIT WHEN locking IS NULL;
        FOREACH statement IN ARRAY locking LOOP
            EXECUTE statement;
        END LOOP;
    END LOOP;

    SELECT c.* INTO STRICT held FROM pg_class c WHERE c.oid = old;
    SELECT concat_ws(' ',
               CASE WHEN held.relkind <> 'r' OR held.relispartition OR EXISTS (
                        SELECT FROM pg_inherits i WHERE old IN (i.inhrelid, i.inhparent))
                    THEN 'It is not an ordinary table.' END,
               CASE WHEN EXISTS (SELECT FROM pg_depend d
                                  WHERE d.classid = 'pg_class'::regclass AND d.objid = old AND d.deptype = 'e')
                    THEN 'It belongs to an extension already.' END,
               (SELECT format('It has no column %s.',
                               string_agg(needed.name || ' of type ' || needed.type, ', ' ORDER BY needed.place))
                  FROM (VALUES (1, 'id', 'text'), (2, 'raw_json', 'jsonb'), (3, 'updated_at', 'timestamptz'),
                               (4, 'deleted_at', 'timestamptz')) AS needed (place, name, type)
                 WHERE NOT EXISTS (SELECT FROM pg_attribute a
                                    WHERE a.attrelid = old AND a.attname = needed.name
                                      AND a.atttypid = needed.type::regtype AND NOT a.attisdropped)
                HAVING count(*) > 0),
               (SELECT format('It has columns of your own, which need a table of their own: %s.',
                              string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum))
                  FROM pg_attribute a
                 WHERE a.attrelid = old AND a.attnum > 0 AND NOT a.attisdropped
                   AND a.attname NOT IN ('raw_json', 'id', 'name', 'email', 'created_at', 'updated_at', 'deleted_at')
                HAVING count(*) > 0))
      INTO problem;
    -- As in a stand-in for a Neon database, made by hand with the columns that an application reads
    IF problem ~ ' raw_json of type' THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = 'neon_auth.users_sync cannot be adopted', DETAIL = problem,
            HINT = 'raw_json can be built from columns that are there: '
                   'ALTER TABLE neon_auth.users_sync ADD raw_json jsonb; '
                || 'UPDATE neon_auth.users_sync SET raw_json = jsonb_strip_nulls(jsonb_build_object('
                || (SELECT string_agg(format('%L, %s', built.member, built.value), ', ' ORDER BY built.place)
                      FROM (VALUES (1, 'id', 'id', 'id::text'), (2, 'name', 'display_name', 'name'),
                                   (3, 'email', 'primary_email', 'email'),
                                   (4, 'created_at', 'signed_up_at_millis',
                                    '(extract(epoch FROM created_at) * 1000)::bigint'))
                           AS built (place, name, member, value)
                     WHERE built.name IN (SELECT a.attname FROM pg_attribute a
                                           WHERE a.attrelid = old AND NOT a.attisdropped))
                || '));';
    ELSIF problem <> '' THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = 'neon_auth.users_sync cannot be adopted', DETAIL = problem;
    END IF;

    -- What is read back from its text calls the input functions of its literals' types, and through
    -- them the CHECKs of domains, which are functions of whoever made them.
    SELECT string_agg(DISTINCT pg_describe_object(o.classid, o.objid, 0), ', ') INTO problem
      FROM pg_depend o
      JOIN pg_depend d USING (classid, objid)
      JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid
      JOIN pg_roles r ON r.oid = t.typowner
     WHERE o.refclassid = 'pg_class'::regclass AND o.refobjid = old
       AND o.classid IN ('pg_policy'::regclass, 'pg_rewrite'::regclass, 'pg_proc'::regclass, 'pg_class'::regclass)
       AND t.typtype <> 'e' AND NOT r.rolsuper;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = 'neon_auth.users_sync cannot be adopted while others depend on it',
            DETAIL = format('These use types of a role that is not a superuser: %s.', problem),
            HINT = 'Drop them, and create them again afterwards.';
    END IF;

    -- To plan a query on a table is to call, with constants, what its indexes and statistics and the
    -- key of its partitions call: functions, operators, and the CHECKs of types; and indexes on users
    -- are kept by whoever writes users.
    WITH read AS (
        SELECT old AS relation
        UNION
        SELECT t.relid FROM pg_constraint c, pg_partition_tree(c.conrelid) AS t
         WHERE c.contype = 'f' AND c.confrelid = old
        UNION
        SELECT c.conrelid FROM pg_constraint c WHERE c.contype = 'f' AND c.confrelid = old
    ), planned AS (
        SELECT 'pg_class'::regclass AS classid, relation AS objid FROM read
        UNION ALL SELECT 'pg_class'::regclass, i.indexrelid FROM pg_index i JOIN read r ON r.relation = i.indrelid
        UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid
                    FROM pg_statistic_ext s JOIN read r ON r.relation = s.stxrelid
    )
    SELECT string_agg(DISTINCT pg_describe_object(classid, objid, 0), ', ') INTO problem
      FROM planned
      JOIN pg_depend d USING (classid, objid)
      LEFT JOIN pg_operator o ON d.refclassid = 'pg_operator'::regclass AND o.oid = d.refobjid
      LEFT JOIN pg_proc p ON p.oid IN (CASE WHEN d.refclassid = 'pg_proc'::regclass THEN d.refobjid END,
                                       o.oprcode, o.oprrest, o.oprjoin)
      -- The types of a table's columns are not called.
      LEFT JOIN pg_type t ON d.refclassid = 'pg_type'::regclass AND t.oid = d.refobjid AND d.objsubid = 0
                           AND t.typtype <> 'e'
      JOIN pg_roles r ON r.oid IN (p.proowner, o.oprowner, t.typowner)
     WHERE NOT r.rolsuper;
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = 'neon_auth.users_sync cannot be adopted while its planning calls others'' functions',
            DETAIL = format('These use functions of a role that is not a superuser: %s.', problem),
            HINT = 'Drop them, and create them again afterwards.';
    END IF;

    -- Indexes, which a foreign key may need
    FOR found IN
        SELECT pg_get_indexdef(i.indexrelid) AS definition
          FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
         WHERE i.indrelid = old AND NOT i.indisprimary AND c.relname <> 'users_sync_deleted_at_idx'
         ORDER BY i.indexrelid
    LOOP
        statements := statements || found.definition;
    END LOOP;

    -- Foreign keys. Checking one would call the cast of a type that is not PostgreSQL's own.
    FOR found IN
        SELECT c.conrelid::regclass AS relation, c.conname, pg_get_constraintdef(c.oid) AS definition,
               obj_description(c.oid, 'pg_constraint') AS comment,
               (SELECT bool_and(coalesce(nullif(t.typbasetype, 0), t.oid) IN ('text'::regtype, 'varchar'::regtype))
                  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
                 WHERE a.attrelid = c.conrelid AND a.attnum = ANY (c.conkey)) AS is_text
          FROM pg_constraint c
         WHERE c.contype = 'f' AND c.confrelid = old AND c.conparentid = 0
         ORDER BY c.oid
    LOOP
        IF NOT found.is_text THEN
            RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
                MESSAGE = format('the foreign key %I of %s cannot be carried over', found.conname, found.relation),
                DETAIL = 'Its column is neither text nor varchar.';
        END IF;
        statements := statements
            || format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %2$I %s',
                      found.relation, found.conname, found.definition);
        IF found.comment IS NOT NULL THEN
            statements := statements
                || format('COMMENT ON CONSTRAINT %I ON %s IS %L', found.conname, found.relation, found.comment);
        END IF;
    END LOOP;

    -- Policies of other tables that look into it
    FOR found IN
        SELECT p.polname, p.polrelid::regclass AS relation,
               pg_get_expr(p.polqual, p.polrelid) AS using_, pg_get_expr(p.polwithcheck, p.polrelid) AS check_
          FROM pg_policy p
         WHERE p.polrelid <> old
           AND EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_policy'::regclass AND d.objid = p.oid
                          AND d.refclassid = 'pg_class'::regclass AND d.refobjid = old)
         ORDER BY p.oid
    LOOP
        statements := statements
            || (format('ALTER POLICY %I ON %s', found.polname, found.relation)
                || coalesce(' USING (' || found.using_ || ')', '')
                || coalesce(' WITH CHECK (' || found.check_ || ')', ''));
    END LOOP;

    -- Views, and functions with an SQL body
    FOR found IN
        SELECT DISTINCT c.oid, c.oid::regclass AS relation, pg_get_viewdef(c.oid) AS definition,
               array_to_string(c.reloptions, ', ') AS options
          FROM pg_depend d
          JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
          JOIN pg_class c ON c.oid = r.ev_class
         WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = old AND c.relkind = 'v'
         ORDER BY c.oid
    LOOP
        statements := statements
            || (format('CREATE OR REPLACE VIEW %s', found.relation)
                || coalesce(' WITH (' || found.options || ')', '') || ' AS ' || found.definition);
    END LOOP;
    FOR found IN
        SELECT DISTINCT p.oid, pg_get_functiondef(p.oid) AS definition
          FROM pg_depend d
          JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
         WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = old AND p.prosqlbody IS NOT NULL
         ORDER BY p.oid
    LOOP
        statements := statements || found.definition;
    END LOOP;

    -- Row-level security of its own, before anybody is let in
    FOR found IN
        SELECT p.*, pg_get_expr(p.polqual, p.polrelid) AS using_, pg_get_expr(p.polwithcheck, p.polrelid) AS check_,
               (SELECT string_agg(CASE role WHEN 0 THEN 'PUBLIC' ELSE role::regrole::text END, ', ')
                  FROM unnest(p.polroles) AS role) AS roles
          FROM pg_policy p WHERE p.polrelid = old ORDER BY p.oid
    LOOP
        statements := statements
            || (format('CREATE POLICY %I ON neon_auth.users_sync AS %s FOR %s TO %s', found.polname,
                       CASE WHEN found.polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END,
                       CASE found.polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE'
                                         WHEN 'd' THEN 'DELETE' ELSE 'ALL' END,
                       found.roles)
                || coalesce(' USING (' || found.using_ || ')', '')
                || coalesce(' WITH CHECK (' || found.check_ || ')', ''));
    END LOOP;
    IF held.relrowsecurity THEN
        statements := statements || 'ALTER TABLE neon_auth.users_sync ENABLE ROW LEVEL SECURITY'::text;
    END IF;
    IF held.relforcerowsecurity THEN
        statements := statements || 'ALTER TABLE neon_auth.users_sync FORCE ROW LEVEL SECURITY'::text;
    END IF;

    -- Who could read it or refer to it still may, its owner included; writing is the extension's.
    -- But a dump keeps the grants on an extension's table and not its policies: what these have
    -- narrowed must not be open to all after a restoration.
    FOR found IN
        SELECT format('GRANT %s ON neon_auth.users_sync TO %s', a.privilege_type || a.columns,
                      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END) AS command,
               held.relrowsecurity AND a.privilege_type = 'SELECT'
                   AND (held.relforcerowsecurity OR a.grantee <> held.relowner) AS is_narrowed
          FROM (SELECT privilege_type, grantee, '' AS columns
                  FROM aclexplode(coalesce(held.relacl, acldefault('r', held.relowner)))
                 UNION
                SELECT acl.privilege_type, acl.grantee, format(' (%I)', attname)
                  FROM pg_attribute, aclexplode(attacl) AS acl
                 WHERE attrelid = old AND NOT attisdropped) AS a
         WHERE a.privilege_type IN ('SELECT', 'REFERENCES')
         ORDER BY 1
    LOOP
        IF found.is_narrowed THEN
            RAISE WARNING USING
                MESSAGE = 'not carried over, as a dump would keep the grant without the policies that narrow it',
                DETAIL = found.command,
                HINT = 'Grant a view of what the role may see instead.';
        ELSE
            statements := statements || found.command;
        END IF;
    END LOOP;
    IF held.relrowsecurity AND NOT held.relforcerowsecurity THEN
        statements := statements
            || format('CREATE POLICY owner_before ON neon_auth.users_sync FOR SELECT TO %s USING (true)',
                      held.relowner::regrole);
    END IF;

    IF EXISTS (SELECT FROM pg_depend d
                WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = held.relnamespace AND d.deptype = 'n'
                  AND NOT (d.classid = 'pg_class'::regclass AND d.objid = old)) THEN
        -- Whoever uses the other objects finds them by the schema's name: so only the table moves, and
        -- CREATE EXTENSION puts its own into the schema, or lists the names that are taken there.
        EXECUTE format('CREATE SCHEMA neon_auth_before AUTHORIZATION %s', held.relowner::regrole);
        ALTER TABLE neon_auth.users_sync SET SCHEMA neon_auth_before;
    ELSE
        ALTER SCHEMA neon_auth RENAME TO neon_auth_before;
    END IF;
    CREATE EXTENSION neon_auth;
    INSERT INTO neon_auth.users_sync (raw_json, updated_at, deleted_at)
    SELECT raw_json, updated_at, deleted_at FROM ONLY neon_auth_before.users_sync;
    GET DIAGNOSTICS copied = ROW_COUNT;
    IF EXISTS (SELECT id FROM ONLY neon_auth_before.users_sync EXCEPT SELECT id FROM neon_auth.users_sync) THEN
        RAISE EXCEPTION USING ERRCODE = 'integrity_constraint_violation',
            MESSAGE = 'neon_auth.users_sync cannot be adopted',
            DETAIL = 'The id of a user is another than the "id" in its raw_json.';
    END IF;
    FOREACH statement IN ARRAY statements LOOP
        EXECUTE statement;
    END LOOP;

    -- Whatever is left that names the old table: nothing is forgotten in silence.
    SELECT string_agg(DISTINCT pg_describe_object(d.classid, d.objid, 0), ', ') INTO problem
      FROM pg_depend d
     WHERE ((d.refclassid = 'pg_class'::regclass AND d.refobjid = old)
            OR (d.refclassid = 'pg_type'::regclass
                AND d.refobjid IN (SELECT t.oid FROM pg_type t WHERE t.typrelid = old
                                   UNION ALL SELECT t.typarray FROM pg_type t WHERE t.typrelid = old)))
       AND d.deptype = 'n'
       AND NOT (d.classid = 'pg_attrdef'::regclass
                AND EXISTS (SELECT FROM pg_attrdef a WHERE a.oid = d.objid AND a.adrelid = old))
       AND NOT (d.classid = 'pg_constraint'::regclass
                AND EXISTS (SELECT FROM pg_constraint c WHERE c.oid = d.objid AND c.conrelid = old))
       AND NOT (d.classid = 'pg_policy'::regclass
                AND EXISTS (SELECT FROM pg_policy p WHERE p.oid = d.objid AND p.polrelid = old))
       AND NOT (d.classid = 'pg_trigger'::regclass
                AND EXISTS (SELECT FROM pg_trigger t WHERE t.oid = d.objid AND t.tgrelid = old));
    IF problem IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = 'neon_auth.users_sync cannot be adopted while others depend on it',
            DETAIL = format('These cannot be carried over: %s.', problem),
            HINT = 'Drop them, and create them again afterwards.';
    END IF;

    FOR found IN
        SELECT pg_get_triggerdef(t.oid) AS definition FROM pg_trigger t WHERE t.tgrelid = old AND NOT t.tgisinternal
    LOOP
        RAISE NOTICE USING MESSAGE = 'not carried over, as it would run with the rights of neon_auth''s owner',
            DETAIL = replace(found.definition, 'neon_auth_before.users_sync', 'neon_auth.users_sync'),
            HINT = 'Read what it calls, then run it.';
    END LOOP;
    RAISE NOTICE 'neon_auth.users_sync is adopted; users: %', copied;
END
$adopt$;
COMMIT;
