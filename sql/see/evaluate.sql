-- Expressions of policies, evaluated as a role with an identity.

CREATE FUNCTION neon_auth_internal.evaluate_as(expression text, relation oid, "row" text, role oid, user_id text,
    claims jsonb, path text, unknown smallint[] DEFAULT '{}', OUT part integer, OUT sql text, OUT value text,
    OUT failure text, OUT sqlstate text, OUT message text)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 2 AS 'MODULE_PATHNAME', 'neon_auth_evaluate_as';
COMMENT ON FUNCTION neon_auth_internal.evaluate_as(text, oid, text, oid, text, jsonb, text, smallint[]) IS
    'Evaluates an expression of the catalog for a row, as a role with an identity, and undoes what it wrote; then the '
    'parts that decide';

CREATE FUNCTION neon_auth_internal.prepare_as(statement text, role oid, user_id text, claims jsonb, path text,
    OUT sqlstate text, OUT message text)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'neon_auth_prepare_as';
COMMENT ON FUNCTION neon_auth_internal.prepare_as(text, oid, text, jsonb, text) IS
    'Prepares a statement as a role with an identity, and returns the error that this raises, such as a recursion '
    'between policies';

CREATE FUNCTION neon_auth_internal.passes_as(conditions text[], relation oid, "row" text, role oid, user_id text,
    claims jsonb, path text, are_filters boolean, unknown smallint[] DEFAULT '{}', OUT value text, OUT failure text,
    OUT sqlstate text, OUT message text)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'neon_auth_passes_as';
COMMENT ON FUNCTION neon_auth_internal.passes_as(text[], oid, text, oid, text, jsonb, text, boolean, smallint[]) IS
    'Whether conditions of the catalog are all fulfilled for a row, evaluated as evaluate_as does; filters as those of '
    'a WHERE clause';

CREATE FUNCTION neon_auth_internal.populate_as(relation oid, base text, given jsonb, role oid, user_id text,
    claims jsonb, path text, json_nulls smallint[] DEFAULT '{}', OUT imagined text, OUT imagined_values text,
    OUT sqlstate text, OUT message text)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'neon_auth_populate_as';
COMMENT ON FUNCTION neon_auth_internal.populate_as(oid, text, jsonb, oid, text, jsonb, text, smallint[]) IS
    'A row of a table with given values, those of another row or NULL in the other columns, made as evaluate_as does';
