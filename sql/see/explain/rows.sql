-- The row that explain_policy is about: a stored one by its primary key, or an imagined one.

-- Rows are passed on as record_out writes them, for evaluate_as. They are read with the rights of the table's owner,
-- so that code of that role gains nothing.
CREATE FUNCTION neon_auth_internal.key_columns(relation oid) RETURNS name[]
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN (SELECT array_agg(a.attname ORDER BY k.place)
          FROM pg_index i
         CROSS JOIN LATERAL unnest(i.indkey[:i.indnkeyatts - 1]) WITH ORDINALITY AS k(attnum, place)
          JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
         WHERE i.indrelid = relation AND i.indisprimary);
COMMENT ON FUNCTION neon_auth_internal.key_columns(oid) IS 'Columns of the primary key of a table; NULL without one';

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

CREATE FUNCTION neon_auth_internal.stored_row(relation oid, given jsonb, OUT is_stored boolean, OUT stored text,
    OUT changed text, OUT changed_values jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key name[] := neon_auth_internal.key_columns(relation);
    condition text;
    result jsonb;
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
    SELECT string_agg(format('neon_auth_stored.%I = $%s::%s', a.attname, k.place + 1,
                             format_type(a.atttypid, a.atttypmod)), ' AND ')
      INTO condition
      FROM unnest(key) WITH ORDINALITY AS k(attname, place)
      JOIN pg_attribute a ON a.attrelid = relation AND a.attname = k.attname;
    SELECT r::jsonb INTO result
      FROM neon_auth_internal.read_as_owner(relation, format(
               'SELECT pg_catalog.jsonb_build_array((neon_auth_stored.*)::text, (c.*)::text, pg_catalog.to_jsonb(c.*))'
               ' FROM %s AS neon_auth_stored, LATERAL pg_catalog.jsonb_populate_record(neon_auth_stored.*, $1::jsonb)'
               ' AS c WHERE %s', neon_auth_internal.qualified(relation), condition),
               (given - key::text[])::text || ARRAY(SELECT given ->> k FROM unnest(key) AS k)) AS r;
    is_stored := result IS NOT NULL;
    stored := result ->> 0;
    changed := result ->> 1;
    changed_values := result -> 2;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.stored_row(oid, jsonb) IS
    'Returns the row with a primary key, and as it is with the other members as new values';

CREATE FUNCTION neon_auth_internal.qualified(relation oid) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('%I.%I', n.nspname, c.relname)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation);
COMMENT ON FUNCTION neon_auth_internal.qualified(oid) IS 'The name of a relation with its schema, also in pg_catalog';

CREATE FUNCTION neon_auth_internal.imagined_row(relation oid, base text, given jsonb, OUT imagined text,
    OUT imagined_values jsonb)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    result jsonb;
BEGIN
    SELECT r::jsonb INTO STRICT result
      FROM neon_auth_internal.read_as_owner(relation, format(
               'SELECT pg_catalog.jsonb_build_array((c.*)::text, pg_catalog.to_jsonb(c.*))'
               ' FROM pg_catalog.jsonb_populate_record($1::%s, $2::jsonb) AS c',
               neon_auth_internal.qualified(relation)), ARRAY[base, given::text]) AS r;
    imagined := result ->> 0;
    imagined_values := result -> 1;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.imagined_row(oid, text, jsonb) IS
    'Returns a row with the given values, and those of another row or NULL in the other columns';

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
        SELECT i.imagined, i.imagined_values INTO imagined, imagined_values
          FROM neon_auth_internal.imagined_row(relation, imagined, given) AS i;
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.with_generated(oid, oid, text, jsonb, text, text, jsonb) IS
    'Computes the generated columns of an imagined row';
