-- What a new row has in the columns that it does not name: defaults, and generated columns.

CREATE FUNCTION neon_auth_internal.is_json(type oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT coalesce(nullif(t.typbasetype, 0), t.oid) IN ('json'::regtype, 'jsonb'::regtype)
          FROM pg_type t WHERE t.oid = type);
COMMENT ON FUNCTION neon_auth_internal.is_json(oid) IS 'Whether values of a type are JSON';

-- A default that takes a number of a sequence is left out: no rollback would give it back. If the role may use none of
-- its sequences, it is evaluated, because nextval then fails and takes nothing.
CREATE FUNCTION neon_auth_internal.column_defaults(relation oid, given jsonb, role oid, user_id text, claims jsonb,
    path text)
RETURNS TABLE (name name, number smallint, expression text, from_sequence boolean, sequences oid[], value jsonb,
    is_json_null boolean, failure text)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.attname, a.attnum, pg_get_expr(d.adbin, d.adrelid), s.from_sequence, t.sequences,
           v.value, jsonb_typeof(v.value) = 'null' AND e.value IS NOT NULL, e.sqlstate || ': ' || e.message
      FROM pg_attribute a
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     -- nextval and setval
     CROSS JOIN LATERAL (SELECT coalesce(d.adbin::text ~ ':funcid (1574|1576|1765) ', false)) AS n(takes_number)
     CROSS JOIN LATERAL (
               SELECT ARRAY(SELECT c.oid
                              FROM pg_depend p
                              JOIN pg_class c ON c.oid = p.refobjid AND c.relkind = 'S'
                             WHERE n.takes_number AND p.classid = 'pg_attrdef'::regclass AND p.objid = d.oid
                               AND p.refclassid = 'pg_class'::regclass)) AS t(sequences)
     CROSS JOIN LATERAL (
               SELECT a.attidentity <> ''
                      OR n.takes_number
                         AND (t.sequences = '{}'
                              OR EXISTS (SELECT FROM unnest(t.sequences) AS q
                                          WHERE has_sequence_privilege(role, q, 'USAGE, UPDATE')))
               ) AS s(from_sequence)
      LEFT JOIN LATERAL neon_auth_internal.evaluate_as(d.adbin::text, relation, NULL, role, user_id, claims, path) e
           ON e.part = 0 AND NOT s.from_sequence
     CROSS JOIN LATERAL (SELECT CASE WHEN neon_auth_internal.is_json(a.atttypid) THEN e.value::jsonb
                                     ELSE to_jsonb(e.value) END) AS v(value)
     WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
       AND NOT coalesce(given ? a.attname::text, false) AND (d.adbin IS NOT NULL OR a.attidentity <> '')
     ORDER BY a.attnum
$$;
COMMENT ON FUNCTION neon_auth_internal.column_defaults(oid, jsonb, oid, text, jsonb, text) IS
    'Defaults of the columns that a new row does not name, evaluated as a role with an identity';

CREATE FUNCTION neon_auth_internal.explain_defaults(defaults jsonb, role oid)
RETURNS TABLE (step text, name text, kind text, expression text, result boolean, reason text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    item record;
    sequence oid;
BEGIN
    FOR item IN
        SELECT d.*
          FROM jsonb_each(defaults) AS e
         CROSS JOIN LATERAL jsonb_to_record(e.value)
                    AS d(name text, number int, expression text, from_sequence boolean, sequences oid[], failure text)
         ORDER BY d.number
    LOOP
        step := 'sequence';
        kind := 'USAGE';
        expression := item.expression;
        FOREACH sequence IN ARRAY item.sequences LOOP
            name := sequence::regclass::text;
            result := has_sequence_privilege(role, sequence, 'USAGE, UPDATE');
            reason := CASE WHEN NOT result
                           THEN neon_auth_internal.missing_grant('USAGE', 'SEQUENCE', sequence, role) END;
            IF NOT result AND item.failure IS NULL THEN
                result := NULL;
                reason := CASE WHEN item.from_sequence THEN 'not known whether the default uses it; '
                               ELSE 'not used for this row; ' END || reason;
            END IF;
            RETURN NEXT;
        END LOOP;
        IF item.failure IS NOT NULL THEN
            step := 'column';
            name := quote_ident(item.name);
            kind := 'DEFAULT';
            result := false;
            reason := 'the default raises ' || item.failure;
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.explain_defaults(jsonb, oid) IS
    'Steps of explain_policy: the sequences of defaults, and defaults that raise an error';

CREATE FUNCTION neon_auth_internal.with_generated(relation oid, role oid, user_id text, claims jsonb, path text,
    json_nulls smallint[], INOUT unknown smallint[], INOUT imagined text, INOUT imagined_values jsonb,
    OUT failures text[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    given jsonb;
    depending smallint[];
BEGIN
    SELECT jsonb_object_agg(a.attname, CASE WHEN neon_auth_internal.is_json(a.atttypid) THEN e.value::jsonb
                                            ELSE to_jsonb(e.value) END),
           array_agg(format('the generated column %I raises %s: %s', a.attname, e.sqlstate, e.message))
               FILTER (WHERE e.failure = 'raised'),
           array_agg(a.attnum) FILTER (WHERE e.failure = 'needs number')
      INTO given, failures, depending
      FROM pg_attribute a
      JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     CROSS JOIN LATERAL neon_auth_internal.evaluate_as(d.adbin::text, relation, imagined, role, user_id, claims,
                                                       path, unknown) AS e
     WHERE a.attrelid = relation AND a.attgenerated <> '' AND NOT a.attisdropped AND e.part = 0;
    unknown := unknown || coalesce(depending, '{}');
    IF given IS NOT NULL THEN
        SELECT i.imagined, i.imagined_values, coalesce(failures, '{}') || i.failure
          INTO imagined, imagined_values, failures
          FROM neon_auth_internal.imagined_row(relation, imagined, given, role, user_id, claims, path,
                                               json_nulls) AS i;
        failures := nullif(array_remove(failures, NULL), '{}');
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.with_generated(oid, oid, text, jsonb, text, smallint[], smallint[], text, jsonb)
    IS 'Computes the generated columns of an imagined row; unknown ones are those that need a number of a sequence';
