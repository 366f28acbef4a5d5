-- access_report: what users, and nobody, can do with the rows of each table.

CREATE FUNCTION neon_auth_internal.count_as(relation oid, permissive text[], restrictive text[], role oid, user_id text,
    claims jsonb, path text, OUT rows bigint, OUT share real, OUT sqlstate text, OUT message text)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'neon_auth_count_as';
COMMENT ON FUNCTION neon_auth_internal.count_as(oid, text[], text[], oid, text, jsonb, text) IS
    'Counts the rows that a role with an identity sees and that other conditions let pass; share: of the pages read';

CREATE FUNCTION neon_auth_internal.conditions_of(relation oid, role oid, command text, what text,
    OUT permissive text[], OUT restrictive text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT array_agg(p.expression) FILTER (WHERE p.permissive), array_agg(p.expression) FILTER (WHERE NOT p.permissive)
      FROM neon_auth_internal.applying_policies(relation, role, command, what) AS p
$$;
COMMENT ON FUNCTION neon_auth_internal.conditions_of(oid, oid, text, text) IS
    'Expressions of the policies that apply to a role and a command; permissive is NULL if there is none';

CREATE FUNCTION neon_auth_internal.has_privilege_on(role oid, relation oid, privilege text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT has_schema_privilege(role, c.relnamespace, 'USAGE')
               -- has_any_column_privilege includes the privilege on the table, and knows no DELETE.
               AND CASE privilege WHEN 'DELETE' THEN has_table_privilege(role, relation, privilege)
                                  ELSE has_any_column_privilege(role, relation, privilege) END
          FROM pg_class c WHERE c.oid = relation);
COMMENT ON FUNCTION neon_auth_internal.has_privilege_on(oid, oid, text) IS
    'Whether grants let a role use a command on a relation, or on some of its columns';

-- UPDATE and DELETE find rows by a condition, and so reach only what SELECT shows.
CREATE FUNCTION neon_auth_internal.counted_access(relation oid, command text, role oid, user_id text, path text,
    OUT rows bigint, OUT note text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind text := (SELECT c.relkind::text FROM pg_class c WHERE c.oid = relation);
    bound boolean := (SELECT s.binds FROM neon_auth_internal.row_security(relation, role) AS s);
    conditions record;
    counted record;
BEGIN
    IF NOT neon_auth_internal.has_privilege_on(role, relation, command) OR kind = 'm' AND command <> 'SELECT' THEN
        rows := 0;
        RETURN;
    -- What a view lets write, its tables decide.
    ELSIF kind = 'v' AND command <> 'SELECT' THEN
        RETURN;
    END IF;
    SELECT NULL::text[] AS permissive, NULL::text[] AS restrictive INTO conditions;
    IF bound AND command <> 'SELECT' THEN
        SELECT c.* INTO conditions FROM neon_auth_internal.conditions_of(relation, role, command, 'USING') AS c;
        IF conditions.permissive IS NULL THEN
            rows := 0;
            RETURN;
        END IF;
        -- The rows are counted by a SELECT, in which policies for other commands do not refer to each other.
        SELECT format('%s raises %s: %s', command, p.sqlstate, p.message) INTO note
          FROM neon_auth_internal.prepare_as(
                   neon_auth_internal.sample_statement(relation, CASE command WHEN 'UPDATE' THEN 'SELECT FOR UPDATE'
                                                                              ELSE command END),
                   role, user_id, '{}', path) AS p
         WHERE p.sqlstate = '42P17';
        IF note IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;
    note := CASE WHEN NOT neon_auth_internal.has_privilege_on(role, relation, 'SELECT')
                 THEN 'without SELECT it reaches rows only if it names no column'
                 WHEN kind = 'f' THEN 'another server may decide'
                 WHEN kind = 'v' AND (SELECT r.rolsuper FROM pg_roles r WHERE r.oid = role)
                 THEN 'code of a view would have the rights of a superuser' END;
    IF note IS NOT NULL THEN
        note := format('%s is not counted: %s', command, note);
        RETURN;
    END IF;
    SELECT c.* INTO counted
      FROM neon_auth_internal.count_as(relation, conditions.permissive, conditions.restrictive, role, user_id, '{}',
                                       path) AS c;
    rows := counted.rows;
    note := CASE WHEN counted.sqlstate IS NOT NULL
                 THEN format('%s raises %s: %s', command, counted.sqlstate, counted.message)
                 WHEN counted.message IS NOT NULL THEN format('%s is not counted: %s', command, counted.message)
                 WHEN counted.share < 1
                 THEN format('%s is estimated from %s %% of the pages', command, round(counted.share::numeric * 100, 2))
            END;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.counted_access(oid, text, oid, text, text) IS
    'How many rows SELECT, UPDATE or DELETE reaches as a role with an identity, and what is to be said about it';

-- Large rows are left out: a hundred of them might not fit into memory.
CREATE FUNCTION neon_auth_internal.stored_rows(relation oid) RETURNS SETOF text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r
      FROM (SELECT concat_ws(' + ', '0', string_agg(
                       format('coalesce(pg_column_size(neon_auth_stored.%I), 0)', a.attname), ' + ')) AS bytes
              FROM pg_attribute a
             WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attlen < 0) AS s
     CROSS JOIN LATERAL neon_auth_internal.read_as_owner(relation, format(
                      'SELECT CASE WHEN %s < 10000 THEN (neon_auth_stored.*)::text END FROM %s AS neon_auth_stored '
                      'LIMIT 100', s.bytes, neon_auth_internal.qualified(relation)), '{}') AS r
     WHERE r IS NOT NULL
$$;
COMMENT ON FUNCTION neon_auth_internal.stored_rows(oid) IS
    'Some rows of a table, as record_out writes them';

CREATE FUNCTION neon_auth_internal.owner_columns(relation oid, role oid) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT coalesce(array_agg(DISTINCT a.attname), '{}')
          FROM pg_policy p
         CROSS JOIN LATERAL (VALUES (p.polqual), (p.polwithcheck)) AS c(condition)
         CROSS JOIN LATERAL neon_auth_internal.condition_facts(
                c.condition, relation, role, 'auth.user_id()'::regprocedure, 'auth.uid()'::regprocedure) AS f
          JOIN pg_attribute a ON a.attrelid = relation AND a.attnum = ANY (f.owner_columns)
         WHERE p.polrelid = relation);
COMMENT ON FUNCTION neon_auth_internal.owner_columns(oid, oid) IS
    'Columns that policies of a table compare with the id of the signed-in user';

-- Whether policies for INSERT let no row pass, whatever it contains: as far as that can be known without a row, and of
-- the user only whether there is one.
CREATE FUNCTION neon_auth_internal.inserts_nothing(relation oid, role oid, is_nobody boolean) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT bool_or(NOT a.permissive AND k.passes_none) OR bool_and(NOT a.permissive OR k.passes_none)
          FROM neon_auth_internal.applying_policies(relation, role, 'INSERT', 'WITH CHECK') AS a
          JOIN pg_policy p ON p.polrelid = relation AND p.polname = a.name
          LEFT JOIN LATERAL neon_auth_internal.condition_facts(
                coalesce(p.polwithcheck, p.polqual), relation, role,
                'auth.user_id()'::regprocedure, 'auth.uid()'::regprocedure) AS f ON true
         CROSS JOIN LATERAL (SELECT coalesce(CASE WHEN is_nobody THEN f.nobody ELSE f.signed_in END = 'none', false))
                            AS k(passes_none));
COMMENT ON FUNCTION neon_auth_internal.inserts_nothing(oid, oid, boolean) IS
    'Whether policies let nobody, or nobody who is signed in, insert any row; false if that is not known';

-- A row of the user's own has defaults, or the values of a stored row, and the user's id in the columns that policies
-- compare with it.
CREATE FUNCTION neon_auth_internal.insert_access(relation oid, role oid, user_id text, path text, OUT which text,
    OUT note text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    kind text := (SELECT c.relkind::text FROM pg_class c WHERE c.oid = relation);
    conditions record;
    every text[];
    owners name[];
    own jsonb;
BEGIN
    IF kind = 'm' OR NOT neon_auth_internal.has_privilege_on(role, relation, 'INSERT') THEN
        which := 'none';
        RETURN;
    ELSIF kind = 'v' THEN
        RETURN;
    ELSIF NOT (SELECT s.binds FROM neon_auth_internal.row_security(relation, role) AS s) THEN
        which := 'any';
        RETURN;
    END IF;
    SELECT c.* INTO conditions FROM neon_auth_internal.conditions_of(relation, role, 'INSERT', 'WITH CHECK') AS c;
    IF conditions.permissive IS NULL OR neon_auth_internal.inserts_nothing(relation, role, user_id IS NULL) THEN
        which := 'none';
        RETURN;
    END IF;
    every := neon_auth_internal.any_of(conditions.permissive) || coalesce(conditions.restrictive, '{}');
    SELECT CASE WHEN p.value = 't' THEN 'any' WHEN p.failure IS NULL THEN 'none' END INTO which
      FROM neon_auth_internal.passes_as(every, relation, NULL, role, user_id, '{}', path, false) AS p;
    IF which IS NOT NULL THEN
        RETURN;
    END IF;
    owners := neon_auth_internal.owner_columns(relation, role);
    own := (SELECT coalesce(jsonb_object_agg(o, user_id), '{}') FROM unnest(owners) AS o WHERE user_id IS NOT NULL);
    WITH stored AS MATERIALIZED (
        SELECT s AS "row" FROM neon_auth_internal.stored_rows(relation) AS s
    ), tried (rank, "row") AS (
        SELECT 2, g.imagined
          FROM (SELECT coalesce(jsonb_object_agg(d.name, d.value) FILTER (WHERE jsonb_typeof(d.value) <> 'null'), '{}')
                  FROM neon_auth_internal.column_defaults(relation, '{}', role, user_id, '{}', path) AS d) AS d(given)
         CROSS JOIN LATERAL neon_auth_internal.imagined_row(relation, NULL, d.given || own, role, user_id, '{}',
                                                            path) AS i
         CROSS JOIN LATERAL neon_auth_internal.with_generated(relation, role, user_id, '{}', path, '{}', '{}',
                                                              i.imagined, i.imagined_values) AS g
        UNION ALL
        SELECT 2, g.imagined
          FROM stored s
         CROSS JOIN LATERAL neon_auth_internal.imagined_row(relation, s."row", own, role, user_id, '{}', path) AS i
         CROSS JOIN LATERAL neon_auth_internal.with_generated(relation, role, user_id, '{}', path, '{}', '{}',
                                                              i.imagined, i.imagined_values) AS g
         WHERE own <> '{}'
        UNION ALL
        -- As the role: a cast of a type to json is code of the owner of the type.
        SELECT CASE WHEN EXISTS (SELECT FROM unnest(owners) AS o WHERE i.imagined_values ->> o IS DISTINCT FROM user_id)
                    THEN 3 ELSE 1 END, s."row"
          FROM stored s
         CROSS JOIN LATERAL neon_auth_internal.imagined_row(relation, s."row", '{}', role, user_id, '{}', path) AS i
    )
    SELECT (ARRAY['some', 'own', 'others'])[max(t.rank)] INTO which
      FROM tried t
     CROSS JOIN LATERAL neon_auth_internal.passes_as(every, relation, t."row", role, user_id, '{}', path, false) AS p
     WHERE p.value = 't';
    IF which IS NULL THEN
        note := 'INSERT is not known: no row that was tried passes';
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.insert_access(oid, oid, text, text) IS
    'Which rows INSERT may write: any, none, own, also rows that name other users (others), or some; NULL: not known';

CREATE FUNCTION neon_auth_internal.reported_relations(role oid, schemas name[])
RETURNS TABLE (relation oid, kind "char")
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown text := (SELECT string_agg(quote_ident(s), ', ') FROM unnest(schemas) AS s
                      WHERE NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = s));
BEGIN
    IF schemas IS NULL OR unknown IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_schema_name',
            MESSAGE = 'the schema does not exist',
            DETAIL = CASE WHEN schemas IS NULL THEN 'It is NULL.' ELSE format('There is no schema %s.', unknown) END,
            HINT = 'SELECT nspname FROM pg_namespace;';
    END IF;
    RETURN QUERY
        SELECT c.oid, c.relkind
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = ANY (schemas)
           AND (c.relkind IN ('r', 'p') AND NOT c.relispartition
                OR c.relkind IN ('r', 'p', 'v', 'm', 'f')
                   AND (SELECT bool_or(neon_auth_internal.has_privilege_on(role, c.oid, p))
                          FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) AS p))
         ORDER BY n.nspname, c.relname COLLATE "C";
END
$$;
COMMENT ON FUNCTION neon_auth_internal.reported_relations(oid, name[]) IS
    'Tables of schemas, and those of their partitions, views and foreign tables that a role has a privilege on';

CREATE FUNCTION neon_auth_internal.access_report(user_ids text[], role oid, schemas name[], path text)
RETURNS TABLE ("table" text, user_id text, selects bigint, inserts text, updates bigint, deletes bigint, policies jsonb,
    note text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
-- Rows are passed on as text.
SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET extra_float_digits = 1
AS $$
#variable_conflict use_column
DECLARE
    asked text[] := coalesce(user_ids, array(SELECT u.id FROM neon_auth_internal.users_sync u
                                              WHERE u.deleted_at IS NULL ORDER BY u.created_at, u.id LIMIT 5));
    reported record;
    bound record;
    command text;
    counted bigint;
    told text;
    notes text[];
    who text;
BEGIN
    IF '' = ANY (asked) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'a user id is empty',
            DETAIL = 'One of user_ids is the empty string.',
            HINT = 'Leave it out: nobody, who has no id, is always in the report.';
    END IF;
    FOR reported IN SELECT * FROM neon_auth_internal.reported_relations(role, schemas) LOOP
        -- It may have been dropped in the meantime.
        CONTINUE WHEN NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = reported.relation);
        SELECT s.* INTO bound FROM neon_auth_internal.row_security(reported.relation, role) AS s;
        "table" := reported.relation::regclass::text;
        policies := CASE WHEN bound.binds
                         THEN (SELECT coalesce(jsonb_agg(p.polname ORDER BY p.polname), '[]') FROM pg_policy p
                                WHERE p.polrelid = reported.relation
                                  AND neon_auth_internal.applies_to(p.polroles, role)) ELSE '[]' END;
        -- Nobody last.
        FOREACH who IN ARRAY (SELECT array_agg(DISTINCT a) FROM unnest(asked) AS a WHERE a IS NOT NULL)
                             || NULL::text LOOP
            user_id := who;
            selects := NULL;
            inserts := NULL;
            updates := NULL;
            deletes := NULL;
            notes := ARRAY[CASE WHEN reported.kind IN ('r', 'p') AND NOT bound.binds
                                THEN 'row security: ' || bound.kind END];
            FOREACH command IN ARRAY ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE'] LOOP
                -- One odd table must not end the report.
                BEGIN
                    IF command = 'INSERT' THEN
                        SELECT i.which, i.note INTO inserts, told
                          FROM neon_auth_internal.insert_access(reported.relation, role, who, path) AS i;
                    ELSE
                        SELECT c.rows, c.note INTO counted, told
                          FROM neon_auth_internal.counted_access(reported.relation, command, role, who, path) AS c;
                        selects := CASE command WHEN 'SELECT' THEN counted ELSE selects END;
                        updates := CASE command WHEN 'UPDATE' THEN counted ELSE updates END;
                        deletes := CASE command WHEN 'DELETE' THEN counted ELSE deletes END;
                    END IF;
                EXCEPTION WHEN OTHERS THEN
                    told := format('%s is not known: %s: %s', command, SQLSTATE, SQLERRM);
                END;
                notes := notes || told;
            END LOOP;
            note := nullif(array_to_string(notes, '; '), '');
            RETURN NEXT;
        END LOOP;
    END LOOP;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.access_report(text[], oid, name[], text) IS
    'The rows of neon_auth.access_report, for a caller who may become the role';

CREATE FUNCTION neon_auth.access_report(user_ids text[] DEFAULT NULL, role name DEFAULT 'authenticated',
    schemas name[] DEFAULT '{public}')
RETURNS TABLE ("table" text, user_id text, selects bigint, inserts text, updates bigint, deletes bigint,
    policies text[], note text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 100 AS 'MODULE_PATHNAME', 'neon_auth_access_report';
COMMENT ON FUNCTION neon_auth.access_report(text[], name, name[]) IS
    'How many rows of each table users, and nobody, can read, change and delete, and which they may insert; changes '
    'nothing except sequences';
REVOKE ALL ON FUNCTION neon_auth.access_report(text[], name, name[]) FROM PUBLIC;

CREATE FUNCTION neon_auth.access_map(user_ids text[] DEFAULT NULL, role name DEFAULT 'authenticated',
    schemas name[] DEFAULT '{public}') RETURNS text
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'neon_auth_access_map';
COMMENT ON FUNCTION neon_auth.access_map(text[], name, name[]) IS
    'The answer of neon_auth.access_report as an HTML page: who by what, and why on hover';
REVOKE ALL ON FUNCTION neon_auth.access_map(text[], name, name[]) FROM PUBLIC;
