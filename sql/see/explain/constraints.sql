-- What stops a new row that the policies let pass, above all for want of a user.

CREATE FUNCTION neon_auth_internal.explain_constraints(relation oid, command text, given jsonb, changed text,
    changed_values jsonb, defaults jsonb, role oid, user_id text, claims jsonb, path text)
RETURNS TABLE (step text, name text, kind text, expression text, result boolean, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text[] := neon_auth_internal.key_columns(relation);
    written text[] := CASE WHEN command = 'UPDATE' THEN ARRAY(SELECT jsonb_object_keys(given - key)) END;
    item record;
BEGIN
    step := 'column';
    FOR item IN
        SELECT a.attname, a.attgenerated <> '' AS generated,
               CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END AS expression
          FROM pg_attribute a
          LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
         WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND given ? a.attname::text
           AND (a.attgenerated <> '' OR a.attidentity = 'a')
           AND (written IS NULL OR a.attname = ANY (written))
         ORDER BY a.attnum
    LOOP
        name := quote_ident(item.attname);
        kind := CASE WHEN item.generated THEN 'GENERATED' ELSE 'IDENTITY' END;
        expression := item.expression;
        result := false;
        reason := 'the column is GENERATED ALWAYS: leave it out';
        RETURN NEXT;
    END LOOP;

    kind := 'NOT NULL';
    FOR item IN
        SELECT a.attname, defaults -> a.attname::text AS of_default
          FROM pg_attribute a
         WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
           AND changed_values ->> a.attname::text IS NULL
           AND NOT coalesce((defaults #>> ARRAY[a.attname, 'from_sequence'])::boolean, false)
           -- A stored value may be the null of JSON.
           AND (a.atttypid NOT IN ('json'::regtype, 'jsonb'::regtype) OR written IS NULL OR a.attname = ANY (written))
         ORDER BY a.attnum
    LOOP
        name := quote_ident(item.attname);
        expression := item.of_default ->> 'expression';
        result := false;
        reason := CASE WHEN item.of_default ->> 'failure' IS NOT NULL
                       THEN 'the default raises ' || (item.of_default ->> 'failure')
                       WHEN expression IS NOT NULL AND user_id IS NULL
                       THEN 'the default is NULL, as nobody is signed in'
                       WHEN expression IS NOT NULL THEN 'the default is NULL'
                       ELSE 'the value is NULL' END;
        RETURN NEXT;
    END LOOP;

    kind := 'DEFAULT';
    FOR item IN
        SELECT d.key, d.value FROM jsonb_each(defaults) AS d
         WHERE d.value ->> 'failure' IS NOT NULL
           AND NOT EXISTS (SELECT FROM pg_attribute a
                            WHERE a.attrelid = relation AND a.attname::text = d.key AND a.attnotnull)
         ORDER BY d.key
    LOOP
        name := quote_ident(item.key);
        expression := item.value ->> 'expression';
        result := false;
        reason := 'the default raises ' || (item.value ->> 'failure');
        RETURN NEXT;
    END LOOP;

    step := 'constraint';
    kind := 'CHECK';
    FOR item IN
        SELECT c.conname, e.sql, e.value, e.failure, e.sqlstate, e.message
          FROM pg_constraint c
         CROSS JOIN LATERAL neon_auth_internal.evaluate_as(c.conbin::text, relation, changed, role, user_id, claims,
                                                           path) AS e
         WHERE c.conrelid = relation AND c.contype = 'c' AND e.part = 0
           AND coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
           AND (e.failure = 'raised' OR NOT e.value::boolean)
         ORDER BY c.conname
    LOOP
        name := quote_ident(item.conname);
        expression := item.sql;
        result := false;
        reason := CASE WHEN item.failure IS NULL THEN 'the new row violates it'
                       ELSE item.sqlstate || ': ' || item.message END;
        RETURN NEXT;
    END LOOP;

    kind := 'FOREIGN KEY';
    FOR item IN
        SELECT f.* FROM neon_auth_internal.missing_references(relation, written, changed_values) AS f ORDER BY f.name
    LOOP
        name := quote_ident(item.name);
        expression := item.definition;
        result := false;
        reason := format('no row of %s has this key', item.target::regclass);
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.explain_constraints(oid, text, jsonb, text, jsonb, jsonb, oid, text, jsonb,
    text) IS 'Steps of explain_policy: columns and constraints that refuse a new row';

-- Foreign keys are checked with the rights of the owner of the referenced table, as PostgreSQL checks them.
CREATE FUNCTION neon_auth_internal.missing_references(relation oid, written text[], new jsonb)
RETURNS TABLE (name name, target oid, definition text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reference record;
BEGIN
    FOR reference IN
        SELECT c.conname, c.confrelid, pg_get_constraintdef(c.oid) AS definition,
               string_agg(neon_auth_internal.key_condition(quote_ident(t.attname), k.operator, a.atttypid, k.place),
                          ' AND ' ORDER BY k.place) AS condition,
               array_agg(new ->> a.attname::text ORDER BY k.place) AS key
          FROM pg_constraint c
         CROSS JOIN LATERAL unnest(c.conkey, c.confkey, c.conpfeqop) WITH ORDINALITY AS k(own, other, operator, place)
          JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.own
          JOIN pg_attribute t ON t.attrelid = c.confrelid AND t.attnum = k.other
         WHERE c.conrelid = relation AND c.contype = 'f'
           AND coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
           AND NOT coalesce((to_jsonb(c) ->> 'conperiod')::boolean, false)
           -- A key that refers to a partitioned table has a constraint for each of its partitions, too.
           AND NOT (c.conparentid <> 0
                    AND EXISTS (SELECT FROM pg_constraint w
                                 WHERE w.conrelid = c.conrelid AND w.contype = 'f' AND w.conkey = c.conkey
                                   AND w.confrelid <> c.confrelid
                                   AND w.confrelid IN (SELECT p.relid
                                                         FROM pg_partition_ancestors(c.confrelid) AS p(relid))))
         GROUP BY c.oid, c.conname, c.confrelid, c.confmatchtype
        -- Without MATCH FULL, a key with a NULL refers to nothing.
        HAVING CASE c.confmatchtype WHEN 'f' THEN bool_or(new ->> a.attname::text IS NOT NULL)
                                    ELSE bool_and(new ->> a.attname::text IS NOT NULL) END
           AND (written IS NULL OR bool_or(a.attname = ANY (written)))
           -- A row can refer to itself.
           AND NOT (c.confrelid = relation
                    AND bool_and(coalesce(new ->> a.attname::text = new ->> t.attname::text, false)))
    LOOP
        IF NOT EXISTS (SELECT FROM neon_auth_internal.read_as_owner(
               reference.confrelid, format('SELECT 1 FROM %s WHERE %s',
                                           neon_auth_internal.qualified(reference.confrelid), reference.condition),
               reference.key)) THEN
            name := reference.conname;
            target := reference.confrelid;
            definition := reference.definition;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.missing_references(oid, text[], jsonb) IS
    'Foreign keys of a new row that refer to no row';
