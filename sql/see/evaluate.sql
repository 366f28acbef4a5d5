-- Expressions of policies, evaluated as a role with an identity.

CREATE FUNCTION neon_auth_internal.evaluate_as(expression text, relation oid, "row" text, role oid, user_id text,
    claims jsonb, path text, OUT part integer, OUT sql text, OUT value text, OUT failure text, OUT sqlstate text,
    OUT message text)
RETURNS SETOF record
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 2 AS 'MODULE_PATHNAME', 'neon_auth_evaluate_as';
COMMENT ON FUNCTION neon_auth_internal.evaluate_as(text, oid, text, oid, text, jsonb, text) IS
    'Evaluates an expression of the catalog for a row, as a role with an identity, and undoes what it wrote; then the '
    'parts that decide';
