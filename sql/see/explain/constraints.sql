-- What stops a new row that the policies let pass, above all for want of a user.

CREATE FUNCTION neon_auth_internal.explain_constraints(relation oid, command text, given jsonb, changed text,
    changed_values jsonb, defaults jsonb, json_nulls smallint[], unknown smallint[], role oid, user_id text,
    claims jsonb, path text)
RETURNS TABLE (step text, name text, kind text, expression text, result boolean, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    key text[] := neon_auth_internal.key_columns(relation);
    written text[] := CASE WHEN command = 'UPDATE' THEN ARRAY(SELECT jsonb_object_keys(given - key)) END;
    item record;
BEGIN
    step := 'column';
    kind := 'NOT NULL';
    FOR item IN
        SELECT a.attname, defaults -> a.attname::text AS of_default
          FROM pg_attribute a
         WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
           AND changed_values ->> a.attname::text IS NULL
           AND a.attnum <> ALL (unknown) AND a.attnum <> ALL (json_nulls)
           -- Of a default that raises an error there is a step of its own.
           AND defaults -> a.attname::text ->> 'failure' IS NULL
           -- A stored value may be the null of JSON.
           AND (written IS NULL OR a.attname = ANY (written) OR NOT neon_auth_internal.is_json(a.atttypid))
         ORDER BY a.attnum
    LOOP
        name := quote_ident(item.attname);
        expression := item.of_default ->> 'expression';
        result := false;
        reason := CASE WHEN expression IS NOT NULL AND user_id IS NULL
                       THEN 'the default is NULL, as nobody is signed in'
                       WHEN expression IS NOT NULL THEN 'the default is NULL'
                       ELSE 'the value is NULL' END;
        RETURN NEXT;
    END LOOP;

    step := 'constraint';
    kind := 'CHECK';
    FOR item IN
        SELECT c.conname, e.sql, e.value, e.failure, e.sqlstate, e.message
          FROM pg_constraint c
         CROSS JOIN LATERAL neon_auth_internal.evaluate_as(c.conbin::text, relation, changed, role, user_id, claims,
                                                           path, unknown) AS e
         WHERE c.conrelid = relation AND c.contype = 'c' AND e.part = 0
           AND coalesce((to_jsonb(c) ->> 'conenforced')::boolean, true)
           AND (e.failure IS NOT NULL OR NOT e.value::boolean)
         ORDER BY c.conname
    LOOP
        name := quote_ident(item.conname);
        expression := item.sql;
        result := CASE WHEN item.failure LIKE 'needs %' THEN NULL ELSE false END;
        reason := CASE WHEN item.failure IS NULL THEN 'the new row violates it'
                       WHEN item.failure = 'needs number' THEN 'depends on the number that a sequence gives'
                       WHEN item.failure = 'needs stored row' THEN 'not evaluated: it reads a system column'
                       ELSE item.sqlstate || ': ' || item.message END;
        RETURN NEXT;
    END LOOP;

    kind := 'FOREIGN KEY';
    FOR item IN
        SELECT f.* FROM neon_auth_internal.missing_references(relation, written, changed_values, unknown) AS f
         ORDER BY f.name
    LOOP
        name := quote_ident(item.name);
        expression := item.definition;
        result := CASE WHEN item.is_known THEN false END;
        reason := CASE WHEN item.is_known THEN format('no row of %s has this key', item.target::regclass)
                                               || CASE WHEN item.is_deferred
                                                       THEN ', which is checked when the transaction ends' ELSE '' END
                       ELSE 'depends on the number that a sequence gives' END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.explain_constraints(oid, text, jsonb, text, jsonb, jsonb, smallint[],
    smallint[], oid, text, jsonb, text) IS 'Steps of explain_policy: columns and constraints that refuse a new row';

-- PostgreSQL refuses such a statement before it looks at rows or at privileges on the table.
CREATE FUNCTION neon_auth_internal.explain_generated(relation oid, command text, given jsonb)
RETURNS TABLE (step text, name text, kind text, expression text, result boolean, reason text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT 'column', quote_ident(a.attname), CASE WHEN a.attgenerated <> '' THEN 'GENERATED' ELSE 'IDENTITY' END,
           CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END, false,
           'the column is GENERATED ALWAYS: leave it out'
      FROM pg_attribute a
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND given ? a.attname::text
       AND (a.attgenerated <> '' OR a.attidentity = 'a')
       AND (command LIKE 'INSERT%'
            OR command = 'UPDATE' AND a.attname <> ALL (coalesce(neon_auth_internal.key_columns(relation), '{}')))
     ORDER BY a.attnum
$$;
COMMENT ON FUNCTION neon_auth_internal.explain_generated(oid, text, jsonb) IS
    'Steps of explain_policy: columns that cannot have the given values';

-- Foreign keys are checked with the rights of the owner of the referenced table, as PostgreSQL checks them.
CREATE FUNCTION neon_auth_internal.missing_references(relation oid, written text[], new jsonb, unknown smallint[])
RETURNS TABLE (name name, target oid, definition text, is_deferred boolean, is_known boolean)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reference record;
BEGIN
    FOR reference IN
        SELECT c.conname, c.confrelid, c.condeferred, r.relkind, pg_get_constraintdef(c.oid) AS definition,
               c.conkey && unknown AS is_unknown,
               string_agg(neon_auth_internal.key_condition(quote_ident(t.attname), k.operator, a.atttypid, k.place),
                          ' AND ' ORDER BY k.place) AS condition,
               array_agg(new ->> a.attname::text ORDER BY k.place) AS key
          FROM pg_constraint c
          JOIN pg_class r ON r.oid = c.confrelid
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
         GROUP BY c.oid, r.relkind
        -- Without MATCH FULL, a key with a NULL refers to nothing.
        HAVING (c.conkey && unknown OR CASE c.confmatchtype WHEN 'f' THEN bool_or(new ->> a.attname::text IS NOT NULL)
                                    ELSE bool_and(new ->> a.attname::text IS NOT NULL) END)
           AND (written IS NULL OR bool_or(a.attname = ANY (written)))
           -- A row can refer to itself.
           AND NOT (c.confrelid = relation
                    AND bool_and(coalesce(new ->> a.attname::text = new ->> t.attname::text, false)))
    LOOP
        IF reference.is_unknown OR NOT EXISTS (SELECT FROM neon_auth_internal.read_as_owner(
               reference.confrelid, format('SELECT 1 FROM %s%s WHERE %s',
                                           -- Rows of children are not referred to, but those of partitions are.
                                           CASE reference.relkind WHEN 'r' THEN 'ONLY ' END,
                                           neon_auth_internal.qualified(reference.confrelid), reference.condition),
               reference.key)) THEN
            name := reference.conname;
            target := reference.confrelid;
            definition := reference.definition;
            is_deferred := reference.condeferred;
            is_known := NOT reference.is_unknown;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.missing_references(oid, text[], jsonb, smallint[]) IS
    'Foreign keys of a new row that refer to no row';
