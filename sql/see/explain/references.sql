-- Rows of other tables that refer to a row which is deleted, or whose key changes.

-- Foreign keys on a table, in the order in which PostgreSQL applies them. Those on a partitioned table are also on each
-- of its partitions.
CREATE FUNCTION neon_auth_internal.referring_keys(target oid, key jsonb, written text[])
RETURNS TABLE ("constraint" oid, referring oid, action "char", is_deferred boolean, set_columns text[],
    key_columns text[], condition text, arguments text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT c.oid, c.conrelid, CASE WHEN written IS NULL THEN c.confdeltype ELSE c.confupdtype END, c.condeferred,
           CASE WHEN written IS NULL AND to_jsonb(c) -> 'confdelsetcols' <> 'null'
                THEN ARRAY(SELECT a.attname::text
                             FROM jsonb_array_elements_text(to_jsonb(c) -> 'confdelsetcols') AS n
                             JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = n::int)
                ELSE array_agg(r.attname::text ORDER BY k.place) END,
           array_agg(t.attname::text ORDER BY k.place),
           string_agg(neon_auth_internal.key_condition(format('neon_auth_stored.%I', r.attname), k.operator, t.atttypid,
                                                       k.place, true), ' AND ' ORDER BY k.place),
           array_agg(key ->> t.attname::text ORDER BY k.place)
      FROM pg_constraint c
     CROSS JOIN LATERAL unnest(c.conkey, c.confkey, c.conpfeqop) WITH ORDINALITY AS k(own, other, operator, place)
      JOIN pg_attribute r ON r.attrelid = c.conrelid AND r.attnum = k.own
      JOIN pg_attribute t ON t.attrelid = c.confrelid AND t.attnum = k.other
     WHERE c.confrelid = target AND c.contype = 'f'
       AND coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
       AND NOT coalesce((to_jsonb(c) ->> 'conperiod')::boolean, false)
       AND NOT EXISTS (SELECT FROM pg_constraint w
                        WHERE w.contype = 'f' AND w.confrelid = c.confrelid AND w.confkey = c.confkey
                          AND w.conrelid <> c.conrelid AND c.conparentid <> 0
                          AND w.conrelid IN (SELECT p.relid FROM pg_partition_ancestors(c.conrelid) AS p(relid)))
     GROUP BY c.oid
    HAVING bool_and(key ->> t.attname::text IS NOT NULL)
       AND (written IS NULL OR bool_or(t.attname = ANY (written)))
     ORDER BY c.oid
$$;
COMMENT ON FUNCTION neon_auth_internal.referring_keys(oid, jsonb, text[]) IS
    'Foreign keys that refer to a row with this key, and the condition on rows that do; written is NULL for DELETE';

-- The rows are read with the rights of their table's owner, with which PostgreSQL itself changes them. What it does to
-- them is followed, up to 100 rows: a row that is deleted as well may be one that others refer to.
CREATE FUNCTION neon_auth_internal.explain_references(target oid, place text, key jsonb, written text[], new jsonb)
RETURNS TABLE (step text, name text, kind text, expression text, result boolean, reason text, is_certain boolean)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    most CONSTANT int := 100;
    tables oid[] := ARRAY[target];
    keys jsonb[] := ARRAY[key];
    -- Of each row that changes: the changed columns, and NULL if it is deleted.
    changes jsonb[] := ARRAY[to_jsonb(written)];
    -- Which of the changed columns become NULL.
    nulls jsonb[] := ARRAY[to_jsonb(ARRAY(SELECT w FROM unnest(written) AS w WHERE new ->> w IS NULL))];
    deleted text[] := CASE WHEN written IS NULL THEN ARRAY[place] ELSE '{}' END;
    turn int := 1;
    changed text[];
    other record;
    referring_rows jsonb[];
    null_columns text[];
    no_null text;
    has_default boolean;
BEGIN
    step := 'reference';
    WHILE turn <= cardinality(tables) LOOP
        changed := CASE WHEN jsonb_typeof(changes[turn]) = 'array'
                        THEN ARRAY(SELECT jsonb_array_elements_text(changes[turn])) END;
        FOR other IN SELECT * FROM neon_auth_internal.referring_keys(tables[turn], keys[turn], changed) LOOP
            referring_rows := ARRAY(SELECT r::jsonb FROM neon_auth_internal.read_as_owner(
                other.referring,
                format('%s WHERE %s LIMIT %s', neon_auth_internal.identified_row(other.referring, true),
                       other.condition, most + 1), other.arguments) AS r);
            referring_rows := ARRAY(SELECT f FROM unnest(referring_rows) AS f
                            WHERE f ->> 'place' <> ALL (deleted)
                              -- The new version of the row itself may refer to another row.
                              AND NOT (turn = 1 AND f ->> 'place' = place AND other.set_columns && written));
            CONTINUE WHEN referring_rows = '{}';
            name := (SELECT quote_ident(c.conname) FROM pg_constraint c WHERE c.oid = other."constraint");
            expression := pg_get_constraintdef(other."constraint");
            kind := format('ON %s %s', CASE WHEN changed IS NULL THEN 'DELETE' ELSE 'UPDATE' END,
                           CASE other.action WHEN 'a' THEN 'NO ACTION' WHEN 'r' THEN 'RESTRICT' WHEN 'c' THEN 'CASCADE'
                                             WHEN 'n' THEN 'SET NULL' ELSE 'SET DEFAULT' END);
            result := NULL;
            is_certain := true;
            IF other.action IN ('a', 'r') THEN
                result := false;
                reason := format('a row of %s refers to the row%s', other.referring::regclass,
                                 CASE WHEN turn > 1 THEN format(' of %s', tables[turn]::regclass) END)
                          || CASE WHEN other.is_deferred AND other.action = 'a'
                                  THEN ', which is checked when the transaction ends' ELSE '' END;
                RETURN NEXT;
                CONTINUE;
            END IF;
            reason := format('%s of %s that refer to it, with the rights of the owner %I and without its policies',
                             CASE WHEN other.action = 'c' AND changed IS NULL THEN 'also deletes rows'
                                  ELSE 'also changes rows' END,
                             other.referring::regclass,
                             (SELECT pg_get_userbyid(c.relowner) FROM pg_class c WHERE c.oid = other.referring));
            -- CASCADE copies the new key.
            null_columns := CASE WHEN other.action <> 'c' THEN other.set_columns
                                 ELSE ARRAY(SELECT s.name
                                              FROM unnest(other.set_columns, other.key_columns) AS s(name, key)
                                             WHERE nulls[turn] ? s.key) END;
            SELECT string_agg(quote_ident(a.attname), ', ') FILTER (WHERE a.attnotnull),
                   coalesce(bool_or(a.atthasdef), false)
              INTO no_null, has_default
              FROM pg_attribute a WHERE a.attrelid = other.referring AND a.attname = ANY (null_columns);
            IF other.action = 'd' AND has_default THEN
                is_certain := false;
                reason := reason || '; the default is not looked at';
            ELSIF no_null IS NOT NULL THEN
                result := false;
                reason := format('would set a column of %s to NULL that is NOT NULL: %s', other.referring::regclass,
                                 no_null);
            ELSIF cardinality(tables) + cardinality(referring_rows) > most THEN
                is_certain := false;
                reason := reason || '; there are too many to look at';
            ELSE
                tables := tables || ARRAY(SELECT (f ->> 'table')::oid FROM unnest(referring_rows) AS f);
                nulls := nulls || array_fill(to_jsonb(null_columns), ARRAY[cardinality(referring_rows)]);
                keys := keys || ARRAY(SELECT f -> 'keys' FROM unnest(referring_rows) AS f);
                IF other.action = 'c' AND changed IS NULL THEN
                    deleted := deleted || ARRAY(SELECT f ->> 'place' FROM unnest(referring_rows) AS f);
                    changes := changes || array_fill(NULL::jsonb, ARRAY[cardinality(referring_rows)]);
                ELSE
                    changes := changes || array_fill(to_jsonb(other.set_columns), ARRAY[cardinality(referring_rows)]);
                END IF;
            END IF;
            RETURN NEXT;
        END LOOP;
        turn := turn + 1;
    END LOOP;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.explain_references(oid, text, jsonb, text[], jsonb) IS
    'Steps of explain_policy: rows that refer to one that is deleted or changed, and what becomes of them';
