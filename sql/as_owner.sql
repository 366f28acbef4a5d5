-- Statements on tables of other roles.

-- Not STRICT: a NULL fails, instead of running nothing.
CREATE FUNCTION neon_auth_internal.as_owner(relation regclass, statement text, arguments text[] DEFAULT '{}')
RETURNS SETOF text
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'neon_auth_as_owner';
COMMENT ON FUNCTION neon_auth_internal.as_owner(regclass, text, text[]) IS
    'Runs a statement with the rights of a table''s owner, so that code of that role gains nothing; returns the '
    'first column of its rows as text';

CREATE FUNCTION neon_auth_internal.read_as_owner(relation regclass, statement text, arguments text[] DEFAULT '{}')
RETURNS SETOF text
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'neon_auth_read_as_owner';
COMMENT ON FUNCTION neon_auth_internal.read_as_owner(regclass, text, text[]) IS
    'Runs a SELECT as as_owner does; the table may be partitioned, or a partition';
