-- The row that explain_policy is about: a stored one by its primary key, or an imagined one.

-- Rows are passed on as record_out writes them, for evaluate_as. They are read with the rights of the table's owner,
-- so that code of that role gains nothing; only types' output functions run then, which are PostgreSQL's or a
-- superuser's.
CREATE FUNCTION neon_auth_internal.key_columns(relation oid) RETURNS name[]
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN (SELECT array_agg(a.attname ORDER BY k.place)
          FROM pg_index i
         CROSS JOIN LATERAL unnest(i.indkey[:i.indnkeyatts - 1]) WITH ORDINALITY AS k(attnum, place)
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE i.indrelid = relation AND i.indisprimary);
COMMENT ON FUNCTION neon_auth_internal.key_columns(oid) IS 'Columns of the primary key of a table; NULL without one';

-- The value gets the type that the operator compares, and of a domain its base type, so that nothing of the owners of
-- types runs.
CREATE FUNCTION neon_auth_internal.key_condition(compared text, comparison oid, column_type oid, place bigint)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('%s OPERATOR(%I.%s) $%s::%s', compared, n.nspname, o.oprname, place,
                      format_type(CASE WHEN r.typtype <> 'p' THEN r.oid WHEN t.typtype = 'd' THEN t.typbasetype
                                       ELSE t.oid END, -1))
          FROM pg_operator o
          JOIN pg_namespace n ON n.oid = o.oprnamespace
          JOIN pg_type r ON r.oid = o.oprright
          JOIN pg_type t ON t.oid = column_type
         WHERE o.oid = comparison);
COMMENT ON FUNCTION neon_auth_internal.key_condition(text, oid, oid, bigint) IS
    'A comparison of a column of a key with a parameter, by an operator of an index or a foreign key';

CREATE FUNCTION neon_auth_internal.check_members(relation oid, given jsonb) RETURNS void
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    unknown text;
BEGIN
    IF jsonb_typeof(given) <> 'object' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the row is not a JSON object',
            DETAIL = format('It is of type %s.', jsonb_typeof(given)),
            HINT = 'The members are named as the columns: ''{"id": 1}''.';
    END IF;
    SELECT string_agg(quote_ident(m), ', ' ORDER BY m) INTO unknown
      FROM jsonb_object_keys(given) AS m
     WHERE NOT EXISTS (SELECT FROM pg_attribute a
                        WHERE a.attrelid = relation AND a.attname::text = m AND a.attnum > 0 AND NOT a.attisdropped);
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'undefined_column',
            MESSAGE = 'the row has members that are not columns',
            DETAIL = format('%s has no column %s.', relation::regclass, unknown),
            HINT = 'Name the members as the columns.';
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.check_members(oid, jsonb) IS
    'Fails unless a row for explain_policy is an object whose members are columns';

CREATE FUNCTION neon_auth_internal.stored_row(relation oid, given jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key name[] := neon_auth_internal.key_columns(relation);
    condition text;
BEGIN
    IF key IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the table has no primary key by which a row is found',
            DETAIL = format('%s has no primary key.', relation::regclass),
            HINT = 'Pass "row" => NULL: what depends on the row is NULL then.';
    END IF;
    IF NOT given ?& key::text[] THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the row lacks columns of the primary key',
            DETAIL = format('The primary key of %s is (%s).', relation::regclass,
                            (SELECT string_agg(quote_ident(k), ', ') FROM unnest(key) AS k)),
            HINT = 'A stored row is found by its whole primary key; other members are its new values for UPDATE.';
    END IF;
    -- Strategy 3 of B-trees; GiST has another number.
    SELECT string_agg(neon_auth_internal.key_condition(format('neon_auth_stored.%I', a.attname), o.oid, a.atttypid,
                                                       k.place), ' AND ')
      INTO condition
      FROM pg_index i
     CROSS JOIN LATERAL unnest(i.indkey[:i.indnkeyatts - 1], i.indclass[:i.indnkeyatts - 1]) WITH ORDINALITY
                        AS k(attnum, class, place)
      JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
      JOIN pg_opclass c ON c.oid = k.class
      JOIN pg_amop m ON m.amopfamily = c.opcfamily AND m.amoppurpose = 's'
                    AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype
      JOIN pg_am t ON t.oid = c.opcmethod
      JOIN pg_operator o ON o.oid = m.amopopr
                        AND CASE t.amname WHEN 'btree' THEN m.amopstrategy = 3 ELSE o.oprname = '=' END
     WHERE i.indrelid = relation AND i.indisprimary;
    RETURN (SELECT r FROM neon_auth_internal.read_as_owner(relation, format(
                       'SELECT (neon_auth_stored.*)::text FROM %s AS neon_auth_stored WHERE %s',
                       neon_auth_internal.qualified(relation), condition),
                       ARRAY(SELECT given ->> k FROM unnest(key) AS k)) AS r
             LIMIT 1);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.stored_row(oid, jsonb) IS
    'Returns the row with a primary key; NULL if there is none';

CREATE FUNCTION neon_auth_internal.qualified(relation oid) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('%I.%I', n.nspname, c.relname)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation);
COMMENT ON FUNCTION neon_auth_internal.qualified(oid) IS 'The name of a relation with its schema, also in pg_catalog';

-- The role makes the row, as in real use: the CHECK of a domain runs code of the domain's owner.
CREATE FUNCTION neon_auth_internal.imagined_row(relation oid, base text, given jsonb, role oid, user_id text,
    claims jsonb, path text, OUT imagined text, OUT imagined_values jsonb, OUT failure text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.imagined, p.imagined_values::jsonb, p.sqlstate || ': ' || p.message
      FROM neon_auth_internal.populate_as(relation, base, given, role, user_id, claims, path) AS p
$$;
COMMENT ON FUNCTION neon_auth_internal.imagined_row(oid, text, jsonb, oid, text, jsonb, text) IS
    'Returns a row with the given values, and those of another row or NULL in the other columns; or why there is none';

-- A default that takes a number of a sequence is left out: no rollback would give it back.
CREATE FUNCTION neon_auth_internal.column_defaults(relation oid, given jsonb, role oid, user_id text, claims jsonb,
    path text)
RETURNS TABLE (name name, expression text, from_sequence boolean, value jsonb, failure text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.attname, pg_get_expr(d.adbin, d.adrelid), s.from_sequence,
           CASE WHEN a.atttypid IN ('json'::regtype, 'jsonb'::regtype) THEN e.value::jsonb ELSE to_jsonb(e.value) END,
           e.sqlstate || ': ' || e.message
      FROM pg_attribute a
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     CROSS JOIN LATERAL (
               -- 1574, 1575: nextval, setval
               SELECT a.attidentity <> '' OR coalesce(d.adbin::text ~ ':funcid 157[45] |\{NEXTVALUEEXPR ', false)
           ) AS s(from_sequence)
      LEFT JOIN LATERAL neon_auth_internal.evaluate_as(d.adbin::text, relation, NULL, role, user_id, claims, path) e
           ON e.part = 0 AND NOT s.from_sequence
     WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       AND NOT coalesce(given ? a.attname::text, false) AND (d.adbin IS NOT NULL OR a.attidentity <> '')
     ORDER BY a.attnum
$$;
COMMENT ON FUNCTION neon_auth_internal.column_defaults(oid, jsonb, oid, text, jsonb, text) IS
    'Defaults of the columns that a new row does not name, evaluated as a role with an identity';

CREATE FUNCTION neon_auth_internal.with_generated(relation oid, role oid, user_id text, claims jsonb, path text,
    INOUT imagined text, INOUT imagined_values jsonb, OUT failures text[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given jsonb;
BEGIN
    SELECT jsonb_object_agg(a.attname, CASE WHEN a.atttypid IN ('json'::regtype, 'jsonb'::regtype)
                                            THEN e.value::jsonb ELSE to_jsonb(e.value) END),
           array_agg(format('the generated column %I raises %s: %s', a.attname, e.sqlstate, e.message))
               FILTER (WHERE e.failure = 'raised')
      INTO given, failures
      FROM pg_attribute a
      JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     CROSS JOIN LATERAL neon_auth_internal.evaluate_as(d.adbin::text, relation, imagined, role, user_id, claims,
                                                       path) AS e
     WHERE a.attrelid = relation AND a.attgenerated <> '' AND NOT a.attisdropped AND e.part = 0;
    IF given IS NOT NULL THEN
        SELECT i.imagined, i.imagined_values, coalesce(failures, '{}') || i.failure
          INTO imagined, imagined_values, failures
          FROM neon_auth_internal.imagined_row(relation, imagined, given, role, user_id, claims, path) AS i;
        failures := nullif(array_remove(failures, NULL), '{}');
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.with_generated(oid, oid, text, jsonb, text, text, jsonb) IS
    'Computes the generated columns of an imagined row';
