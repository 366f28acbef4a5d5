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

CREATE FUNCTION neon_auth_internal.qualified(relation oid) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('%I.%I', n.nspname, c.relname)
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation);
COMMENT ON FUNCTION neon_auth_internal.qualified(oid) IS 'The name of a relation with its schema, also in pg_catalog';

-- The value gets the type that the operator compares, and of a domain its base type, so that nothing of the owners of
-- types runs.
CREATE FUNCTION neon_auth_internal.key_condition(compared text, comparison oid, value_type oid, place bigint,
    value_is_left boolean DEFAULT false)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format(CASE WHEN value_is_left THEN '%2$s OPERATOR(%3$I.%4$s) %1$s'
                           ELSE '%1$s OPERATOR(%3$I.%4$s) %2$s' END,
                      compared,
                      format('$%s::%s', place, format_type(CASE WHEN r.typtype <> 'p' THEN r.oid
                                                                WHEN t.typtype = 'd' THEN t.typbasetype
                                                                ELSE t.oid END, -1)),
                      n.nspname, o.oprname)
          FROM pg_operator o
          JOIN pg_namespace n ON n.oid = o.oprnamespace
          JOIN pg_type r ON r.oid = CASE WHEN value_is_left THEN o.oprleft ELSE o.oprright END
          JOIN pg_type t ON t.oid = value_type
         WHERE o.oid = comparison);
COMMENT ON FUNCTION neon_auth_internal.key_condition(text, oid, oid, bigint, boolean) IS
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

-- Keys are written by format(), which calls only the output functions of types.
CREATE FUNCTION neon_auth_internal.identified_row(relation oid, is_only boolean DEFAULT false) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format($f$SELECT jsonb_build_object(
                             'table', neon_auth_stored.tableoid,
                             'place', format('%%s %%s', neon_auth_stored.tableoid, neon_auth_stored.ctid),
                             'row', (neon_auth_stored.*)::text,
                             'keys', jsonb_object(ARRAY[%s]::text[], ARRAY[%s]::text[]))
                         FROM %s%s AS neon_auth_stored$f$,
                      string_agg(quote_literal(a.attname), ', ' ORDER BY a.attnum),
                      string_agg(format($f$CASE WHEN neon_auth_stored.%1$I IS NOT NULL
                                                THEN format('%%s', neon_auth_stored.%1$I) END$f$, a.attname), ', '
                                 ORDER BY a.attnum),
                      CASE WHEN is_only AND (SELECT c.relkind FROM pg_class c WHERE c.oid = relation) = 'r'
                           THEN 'ONLY ' END,
                      neon_auth_internal.qualified(relation))
          FROM pg_attribute a
         WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
           AND EXISTS (SELECT FROM pg_constraint c
                         JOIN pg_attribute k ON k.attrelid = c.confrelid AND k.attnum = ANY (c.confkey)
                        WHERE c.contype = 'f' AND k.attname = a.attname
                          AND c.confrelid IN (SELECT relation
                                               UNION ALL
                                              SELECT i.inhrelid FROM pg_inherits i WHERE i.inhparent = relation
                                               UNION ALL
                                              SELECT p.relid FROM pg_partition_tree(relation) AS p)));
COMMENT ON FUNCTION neon_auth_internal.identified_row(oid, boolean) IS
    'A SELECT of rows with their table and place, and of the columns that foreign keys refer to';

CREATE FUNCTION neon_auth_internal.stored_rows_of_key(relation oid, given jsonb) RETURNS jsonb[]
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
    -- The children of a table may have the same key.
    RETURN ARRAY(SELECT r::jsonb FROM neon_auth_internal.read_as_owner(
                            relation,
                            format('%s WHERE %s LIMIT 2', neon_auth_internal.identified_row(relation), condition),
                            ARRAY(SELECT given ->> k FROM unnest(key) AS k)) AS r);
EXCEPTION WHEN OTHERS THEN
    -- A type refuses the value.
    IF left(SQLSTATE, 2) NOT IN ('22', '42') OR SQLSTATE = '22023' THEN
        RAISE;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'invalid_parameter_value',
        MESSAGE = 'no row can be found by these values of the primary key',
        DETAIL = format('%s: %s.', SQLSTATE, SQLERRM),
        HINT = 'Pass values that the types of the columns accept: ''{"id": 1}''.';
END
$$;
COMMENT ON FUNCTION neon_auth_internal.stored_rows_of_key(oid, jsonb) IS
    'Returns the row with a primary key, or two if a table and its children have several';

-- The role makes the row, as in real use: the CHECK of a domain runs code of the domain's owner.
CREATE FUNCTION neon_auth_internal.imagined_row(relation oid, base text, given jsonb, role oid, user_id text,
    claims jsonb, path text, json_nulls smallint[] DEFAULT '{}', OUT imagined text, OUT imagined_values jsonb,
    OUT failure text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p.imagined, p.imagined_values::jsonb, p.sqlstate || ': ' || p.message
      FROM neon_auth_internal.populate_as(relation, base, given, role, user_id, claims, path, json_nulls) AS p
$$;
COMMENT ON FUNCTION neon_auth_internal.imagined_row(oid, text, jsonb, oid, text, jsonb, text, smallint[]) IS
    'Returns a row with the given values, and those of another row or NULL in the other columns; or why there is none';
