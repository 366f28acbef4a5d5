-- explain_policy: why may, or may not, a user do something with a row?

CREATE FUNCTION neon_auth_internal.relations_behind(relation oid, role oid)
RETURNS TABLE (name text, kind text, result boolean, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    WITH RECURSIVE behind (relation, role, path) AS (
        SELECT relation, role, ARRAY[relation]
        UNION ALL
        SELECT d.refobjid, i.role, b.path || d.refobjid
          FROM behind b
          JOIN pg_class v ON v.oid = b.relation AND v.relkind = 'v'
         CROSS JOIN LATERAL (
               SELECT CASE WHEN EXISTS (SELECT FROM pg_options_to_table(v.reloptions) AS o
                                         WHERE o.option_name = 'security_invoker' AND o.option_value::boolean)
                           THEN relations_behind.role ELSE v.relowner END) AS i(role)
          JOIN pg_rewrite r ON r.ev_class = v.oid
         CROSS JOIN LATERAL (
               SELECT DISTINCT d.refobjid FROM pg_depend d
                WHERE d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid AND d.refclassid = 'pg_class'::regclass
                  AND d.refobjid <> ALL (b.path)) AS d
          JOIN pg_class c ON c.oid = d.refobjid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    )
    SELECT b.relation::regclass::text, format('as %I', pg_get_userbyid(b.role)),
           has_table_privilege(b.role, b.relation, 'SELECT') OR has_any_column_privilege(b.role, b.relation, 'SELECT'),
           CASE WHEN c.relkind = 'v' THEN 'a view' ELSE 'row security: ' || s.reason END
      FROM behind b
      JOIN pg_class c ON c.oid = b.relation
     CROSS JOIN LATERAL neon_auth_internal.row_security(b.relation, b.role) AS s
     WHERE cardinality(b.path) > 1
     ORDER BY b.path, 1
$$;
COMMENT ON FUNCTION neon_auth_internal.relations_behind(oid, oid) IS
    'Relations behind a view, with the role whose rights count for each, and whether row security binds it';

CREATE FUNCTION neon_auth_internal.explained_command(command text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    plain text := upper(btrim(regexp_replace(command, '\s+', ' ', 'g')));
BEGIN
    IF plain IS NULL OR neon_auth_internal.needed_privileges(plain) IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the command cannot be explained',
            DETAIL = format('It is %s.', coalesce(left(plain, 100), 'NULL')),
            HINT = 'SELECT, SELECT FOR UPDATE, INSERT, INSERT RETURNING, UPDATE or DELETE.';
    END IF;
    RETURN plain;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.explained_command(text) IS 'A command of explain_policy in capitals';

CREATE FUNCTION neon_auth_internal.explained_kind(relation oid) RETURNS text
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    found text := (SELECT c.relkind::text FROM pg_class c WHERE c.oid = relation);
BEGIN
    IF found IS NULL OR found NOT IN ('r', 'p', 'v', 'm', 'f') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'wrong_object_type',
            MESSAGE = 'the relation is neither a table nor a view',
            DETAIL = CASE WHEN relation IS NULL THEN 'It is NULL.'
                          WHEN found IS NULL THEN format('No relation has the OID %s.', relation)
                          ELSE format('%s is of another kind.', relation::regclass) END,
            HINT = 'Pass a table or a view, such as ''public.todos''.';
    END IF;
    RETURN found;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.explained_kind(oid) IS 'relkind of a table or view; fails for other relations';

-- Only what is raised before any row is read, above all a recursion between policies.
CREATE FUNCTION neon_auth_internal.sample_statement(relation oid, command text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format(CASE command WHEN 'SELECT' THEN 'SELECT %1$I FROM %2$s'
                                   WHEN 'SELECT FOR UPDATE' THEN 'SELECT %1$I FROM %2$s FOR UPDATE'
                                   WHEN 'INSERT' THEN 'INSERT INTO %2$s DEFAULT VALUES'
                                   WHEN 'INSERT RETURNING' THEN 'INSERT INTO %2$s DEFAULT VALUES RETURNING %1$I'
                                   WHEN 'UPDATE' THEN 'UPDATE %2$s SET %1$I = DEFAULT WHERE %1$I IS NULL'
                                   ELSE 'DELETE FROM %2$s WHERE %1$I IS NULL' END,
                      a.attname, neon_auth_internal.qualified(relation))
          FROM pg_attribute a
         WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY a.attnum LIMIT 1);
COMMENT ON FUNCTION neon_auth_internal.sample_statement(oid, text) IS
    'A statement that reads and writes a table as a command does';

CREATE FUNCTION neon_auth_internal.explain_policy(relation oid, asked text, given jsonb, user_id text, role oid,
    claims jsonb, path text)
RETURNS TABLE (step text, name text, kind text, expression text, result boolean, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
-- Rows are passed on as text.
SET DateStyle = 'ISO' SET IntervalStyle = 'postgres' SET extra_float_digits = 1
AS $$
DECLARE
    relkind text := neon_auth_internal.explained_kind(relation);
    command text := neon_auth_internal.explained_command(asked);
    bound record;
    -- The rows with the key, and the only one.
    alike jsonb[];
    found jsonb;
    stored text;
    stored_values jsonb;
    given_values jsonb;
    written text[];
    changed text;
    changed_values jsonb;
    defaults jsonb;
    -- Columns of the new row with the null of JSON, and those whose values are not known.
    json_nulls smallint[] := '{}'::smallint[];
    unknown_columns smallint[] := '{}'::smallint[];
    is_certain boolean;
    changes_rows boolean;
    failures text[];
    failure text;
    -- Of the first step that refuses, and whether it is about the new row, which a BEFORE trigger can change.
    refusal text;
    is_late boolean := false;
    -- False if a step before it, whose result is not known, may be the one that refuses.
    is_first boolean := true;
    has_trigger boolean := false;
    -- Why nothing is known of the whole command, and why the user cannot sign in.
    replaced text;
    several text;
    no_identity text;
    no_schema text;
    misplaced text;
    -- What stops a statement before it reads a row: recursion, privileges that policies lack, no policy at all.
    recursion text;
    denied text;
    closed text;
    refused text;
    unknown boolean := relkind = 'v';
    verdict_name text := format('%s %s', command, relation::regclass);
BEGIN
    step := 'user';
    name := user_id;
    kind := CASE WHEN user_id IS NULL THEN 'nobody' ELSE 'signed in' END;
    IF user_id IS NOT NULL THEN
        SELECT s.result, s.reason INTO result, reason FROM neon_auth_internal.explain_user(user_id) AS s;
        no_identity := CASE WHEN NOT result THEN 'the user cannot sign in: ' || reason END;
    END IF;
    RETURN NEXT;

    IF given IS NOT NULL AND relkind IN ('r', 'p') THEN
        PERFORM neon_auth_internal.check_members(relation, given);
    END IF;

    FOR step, name, kind, expression, result, reason IN
        SELECT * FROM neon_auth_internal.explain_privileges(
            relation, command, CASE WHEN relkind IN ('r', 'p') THEN given END, role)
    LOOP
        IF NOT result THEN
            refusal := coalesce(refusal, format('42501: no privilege %s on %s %s', kind, step, name));
            IF step = 'schema' THEN
                no_schema := refusal;
            END IF;
        END IF;
        RETURN NEXT;
    END LOOP;

    SELECT s.* INTO bound FROM neon_auth_internal.row_security(relation, role) AS s;
    IF relkind = 'm' AND command <> 'SELECT' THEN
        refusal := coalesce(refusal, 'rows of a materialized view cannot be changed or locked');
    END IF;
    step := 'row security';
    name := relation::regclass::text;
    kind := bound.kind;
    expression := NULL;
    result := CASE WHEN NOT bound.binds THEN true END;
    reason := bound.reason;
    IF relkind <> 'v' THEN
        RETURN NEXT;
    END IF;

    IF relkind = 'v' THEN
        step := 'behind';
        FOR name, kind, result, reason IN SELECT * FROM neon_auth_internal.relations_behind(relation, role) LOOP
            IF NOT result AND command NOT LIKE 'INSERT%' THEN
                refusal := coalesce(refusal, format('42501: no privilege SELECT on %s, %s', name, kind));
            END IF;
            RETURN NEXT;
        END LOOP;
    ELSIF relkind IN ('r', 'p') THEN
        IF EXISTS (SELECT FROM pg_inherits i WHERE relation IN (i.inhparent, i.inhrelid)) THEN
            step := 'inheritance';
            kind := CASE WHEN EXISTS (SELECT FROM pg_inherits i WHERE i.inhparent = relation)
                         THEN 'parent' ELSE 'child' END;
            result := NULL;
            reason := 'the privileges and policies of the table that a statement names count, not those of its '
                      'parents, children or partitions';
            RETURN NEXT;
        END IF;
        IF given IS NOT NULL THEN
            step := 'row';
            name := NULL;
            expression := NULL;
            IF command LIKE 'INSERT%' THEN
                kind := 'imagined';
                SELECT jsonb_object_agg(d.name, to_jsonb(d)),
                       coalesce(array_agg(d.number) FILTER (WHERE d.is_json_null), '{}'),
                       coalesce(array_agg(d.number) FILTER (WHERE d.from_sequence), '{}')
                  INTO defaults, json_nulls, unknown_columns
                  FROM neon_auth_internal.column_defaults(relation, given, role, user_id, claims, path) AS d;
                SELECT i.* INTO changed, changed_values, failure
                  FROM neon_auth_internal.imagined_row(
                           relation, NULL,
                           coalesce((SELECT jsonb_object_agg(d.key, d.value -> 'value') FROM jsonb_each(defaults) AS d
                                      WHERE jsonb_typeof(d.value -> 'value') <> 'null'), '{}') || given,
                           role, user_id, claims, path, json_nulls) AS i;
                result := true;
                reason := (SELECT 'without the values of a sequence: ' || string_agg(quote_ident(d.key), ', ')
                             FROM jsonb_each(defaults) AS d WHERE (d.value ->> 'from_sequence')::boolean);
            ELSE
                kind := 'stored';
                alike := neon_auth_internal.stored_rows_of_key(relation, given);
                result := cardinality(alike) > 0;
                reason := CASE WHEN NOT result THEN 'no row has this key' END;
                IF cardinality(alike) = 1 THEN
                    found := alike[1];
                    stored := found ->> 'row';
                END IF;
                IF NOT result THEN
                    refusal := coalesce(refusal, reason);
                ELSIF cardinality(alike) > 1 THEN
                    several := format('several rows have this key, in %s and %s',
                                      (alike[1] ->> 'table')::oid::regclass, (alike[2] ->> 'table')::oid::regclass);
                    reason := several;
                    unknown := true;
                ELSIF command = 'UPDATE' THEN
                    given_values := given - neon_auth_internal.key_columns(relation)::text[];
                    written := ARRAY(SELECT jsonb_object_keys(given_values));
                    SELECT i.* INTO changed, changed_values, failure
                      FROM neon_auth_internal.imagined_row(relation, stored, given_values, role, user_id, claims,
                                                           path) AS i;
                END IF;
            END IF;
            -- A trigger can only change what a row of the types has.
            is_certain := failure IS NOT NULL;
            IF changed IS NOT NULL THEN
                SELECT g.* INTO unknown_columns, changed, changed_values, failures
                  FROM neon_auth_internal.with_generated(relation, role, user_id, claims, path, json_nulls,
                                                         unknown_columns, changed, changed_values) AS g;
                failure := array_to_string(failures, '; ');
            END IF;
            IF failure LIKE '23502: %' AND EXISTS (
                   SELECT FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid AND t.typtype = 'd'
                    WHERE a.attrelid = relation AND (a.attgenerated <> '' OR a.attnum = ANY (unknown_columns))) THEN
                result := NULL;
                reason := 'not made, as a value that is not known yet cannot be NULL: ' || failure;
                unknown := true;
            ELSIF failure IS NOT NULL THEN
                result := false;
                reason := failure;
                is_late := refusal IS NULL AND NOT is_certain;
                refusal := coalesce(refusal, reason);
            END IF;
            RETURN NEXT;
            FOR step, name, kind, expression, result, reason IN
                SELECT * FROM neon_auth_internal.explain_generated(relation, command, given)
            LOOP
                misplaced := coalesce(misplaced, format('428C9: %s is %s: %s', name, kind, reason));
                RETURN NEXT;
            END LOOP;
            FOR step, name, kind, expression, result, reason IN
                SELECT * FROM neon_auth_internal.explain_defaults(defaults, role)
            LOOP
                IF NOT result THEN
                    -- Before triggers, and before the new row is checked.
                    IF refusal IS NULL OR is_late THEN
                        refusal := CASE step WHEN 'sequence'
                                             THEN format('42501: no privilege %s on sequence %s', kind, name)
                                             ELSE format('%s %s: %s', kind, name, reason) END;
                        is_late := false;
                    END IF;
                ELSIF result IS NULL AND reason LIKE 'not known%' THEN
                    unknown := true;
                END IF;
                RETURN NEXT;
            END LOOP;
        END IF;

        IF bound.binds THEN
            step := 'statement';
            kind := 'recursion';
            name := NULL;
            expression := neon_auth_internal.sample_statement(relation, command);
            reason := NULL;
            SELECT p.sqlstate || ': ' || p.message INTO reason
              FROM neon_auth_internal.prepare_as(expression, role, user_id, claims, path) AS p
             WHERE p.sqlstate = '42P17';
            IF reason IS NOT NULL THEN
                result := false;
                recursion := reason;
                RETURN NEXT;
            END IF;
        END IF;
        IF bound.binds AND refusal IS DISTINCT FROM 'no row has this key' THEN
            FOR step, name, kind, expression, result, reason IN
                SELECT * FROM neon_auth_internal.explain_policies(relation, command, stored, changed, unknown_columns,
                                                                  role, user_id, claims, path)
            LOOP
                IF step = 'policies' THEN
                    unknown := unknown OR result IS NULL;
                    IF NOT result THEN
                        denied := coalesce(denied, CASE WHEN reason LIKE '% raises 42501: %' THEN reason END);
                        refused := CASE
                            WHEN reason ~ ' raises [0-9A-Z]{5}: ' THEN reason
                            WHEN kind LIKE '%: USING' THEN format('the row is not found, without an error: %s', reason)
                            ELSE format('42501: new row violates row-level security policy for table %I: %s',
                                        (SELECT c.relname FROM pg_class c WHERE c.oid = relation), reason) END;
                        IF refusal IS NULL OR is_late AND kind LIKE '%: USING' THEN
                            refusal := refused;
                            is_late := kind NOT LIKE '%: USING';
                        END IF;
                        IF reason LIKE 'default deny%' AND kind LIKE '%: USING' THEN
                            closed := coalesce(closed, refused);
                        END IF;
                    END IF;
                END IF;
                RETURN NEXT;
            END LOOP;
        END IF;

        IF changed IS NOT NULL AND command IN ('INSERT', 'INSERT RETURNING', 'UPDATE') THEN
            FOR step, name, kind, expression, result, reason IN
                SELECT * FROM neon_auth_internal.explain_constraints(relation, command, given, changed, changed_values,
                                                                     defaults, json_nulls, unknown_columns, role,
                                                                     user_id, claims, path)
            LOOP
                IF result IS NULL THEN
                    unknown := true;
                ELSIF NOT result THEN
                    is_first := is_first AND (refusal IS NOT NULL OR NOT unknown);
                    is_late := is_late OR refusal IS NULL;
                    refusal := coalesce(refusal, format('%s %s: %s', kind, name, reason));
                END IF;
                RETURN NEXT;
            END LOOP;
        END IF;

        IF found IS NOT NULL AND (command = 'DELETE' OR changed IS NOT NULL) AND found -> 'keys' <> '{}' THEN
            IF command = 'UPDATE' THEN
                SELECT i.imagined_values INTO stored_values
                  FROM neon_auth_internal.imagined_row(relation, stored, '{}', role, user_id, claims, path) AS i;
            END IF;
            FOR step, name, kind, expression, result, reason, is_certain IN
                SELECT * FROM neon_auth_internal.explain_references(
                    (found ->> 'table')::oid, found ->> 'place', found -> 'keys',
                    -- A key that gets the same value does not change.
                    CASE command WHEN 'UPDATE'
                                 THEN ARRAY(SELECT k FROM jsonb_object_keys(found -> 'keys') AS k
                                             WHERE changed_values ->> k IS DISTINCT FROM stored_values ->> k) END,
                    changed_values)
            LOOP
                unknown := unknown OR NOT is_certain;
                IF NOT result THEN
                    is_first := is_first AND (refusal IS NOT NULL OR NOT unknown);
                    is_late := is_late OR refusal IS NULL;
                    refusal := coalesce(refusal, format('%s %s: %s', CASE WHEN reason LIKE 'a row of %'
                                                                          THEN 'FOREIGN KEY' ELSE kind END,
                                                        name, reason));
                END IF;
                RETURN NEXT;
            END LOOP;
        END IF;
    END IF;

    FOR step, name, kind, expression, result, reason, changes_rows IN
        SELECT * FROM neon_auth_internal.explain_triggers(relation, (found ->> 'table')::oid, command, written)
    LOOP
        has_trigger := has_trigger OR changes_rows;
        replaced := CASE WHEN kind = 'INSTEAD' THEN 'a rule replaces the command' ELSE replaced END;
        RETURN NEXT;
    END LOOP;

    IF coalesce(misplaced, recursion) IS NOT NULL AND no_schema IS NULL THEN
        refusal := coalesce(misplaced, recursion);
        is_late := false;
    ELSIF denied IS NOT NULL AND refusal NOT LIKE '42501: no privilege %' THEN
        refusal := denied;
        is_late := false;
    ELSIF closed IS NOT NULL AND refusal LIKE '% raises %' THEN
        refusal := closed;
        is_late := false;
    END IF;
    step := 'verdict';
    name := verdict_name;
    kind := 'as ' || quote_ident(pg_get_userbyid(role));
    expression := NULL;
    result := CASE WHEN no_identity IS NOT NULL THEN false
                   WHEN replaced IS NOT NULL AND coalesce(refusal, '') NOT LIKE '42501: no privilege %' THEN NULL
                   WHEN is_late AND has_trigger THEN NULL WHEN refusal IS NOT NULL THEN false
                   WHEN NOT unknown THEN true END;
    reason := CASE WHEN no_identity IS NOT NULL THEN no_identity
                   WHEN replaced IS NOT NULL AND coalesce(refusal, '') NOT LIKE '42501: no privilege %' THEN replaced
                   WHEN is_late AND has_trigger
                   THEN 'refused, unless a BEFORE trigger changes the row: ' || refusal
                   WHEN refusal IS NOT NULL
                   THEN refusal || CASE WHEN is_late AND NOT is_first
                                        THEN '; or a step that is not known refuses first' ELSE '' END
                   WHEN relkind = 'v' THEN 'the relations behind the view decide: explain each as its role'
                   WHEN unknown AND given IS NULL THEN 'depends on the row'
                   WHEN unknown AND several IS NOT NULL THEN several
                   WHEN unknown AND unknown_columns <> '{}'
                   THEN 'depends on the number that a sequence gives: to know, give the column a value in "row"'
                   WHEN unknown THEN 'cannot be decided: see the steps'
                   WHEN relkind = 'f' THEN 'as far as this server decides'
                   WHEN NOT bound.binds THEN 'no policy binds the role'
                   ELSE 'allowed' END;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.explain_policy(oid, text, jsonb, text, oid, jsonb, text) IS
    'The steps of neon_auth.explain_policy, for a caller who may become the role';

CREATE FUNCTION neon_auth.explain_policy("table" regclass, command text DEFAULT 'SELECT', "row" jsonb DEFAULT NULL,
    user_id text DEFAULT NULL, role name DEFAULT 'authenticated', claims jsonb DEFAULT '{}')
RETURNS TABLE (step text, name text, kind text, expression text, result boolean, reason text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 10 AS 'MODULE_PATHNAME', 'neon_auth_explain_policy';
COMMENT ON FUNCTION neon_auth.explain_policy(regclass, text, jsonb, text, name, jsonb) IS
    'Explains why a user may, or may not, do something with a row: privileges, policies, constraints, and the verdict; '
    'changes nothing except sequences';
REVOKE ALL ON FUNCTION neon_auth.explain_policy(regclass, text, jsonb, text, name, jsonb) FROM PUBLIC;
