-- Users for tests.

CREATE FUNCTION neon_auth_internal.is_test_database() RETURNS boolean
LANGUAGE c STABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'is_test_database_wrapper';
COMMENT ON FUNCTION neon_auth_internal.is_test_database() IS
    'Returns neon_auth.test_database, also if the session had not loaded the library';

CREATE FUNCTION neon_auth.make_test_users(number integer) RETURNS TABLE (id text, name text, email text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    ids text[];
BEGIN
    IF NOT neon_auth_internal.is_test_database() THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'the database is not marked for tests',
            DETAIL = 'neon_auth.test_database is off.',
            HINT = format('If nobody else uses it: ALTER DATABASE %I SET neon_auth.test_database = on; reconnect.',
                          current_database());
    END IF;
    IF number IS NULL OR number NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the number of test users must be between 1 and 10000',
            DETAIL = format('It is %s.', coalesce(number::text, 'NULL')),
            HINT = 'For example: SELECT * FROM neon_auth.make_test_users(2);';
    END IF;
    -- UUIDs, so that they are also found by auth.uid().
    ids := array(SELECT format('00000000-0000-4000-8000-%s', lpad(n::text, 12, '0'))
                   FROM generate_series(1, number) AS n);
    PERFORM neon_auth_internal.write_objects('user', (
        SELECT jsonb_agg(jsonb_build_object(
                   'id', i.id, 'display_name', format('Test User %s', i.n),
                   'primary_email', format('test-user-%s@example.com', i.n), 'primary_email_verified', true,
                   -- 2026-01-01, and a second later for each.
                   'signed_up_at_millis', 1767225600000 + 1000 * i.n))
          FROM unnest(ids) WITH ORDINALITY AS i(id, n)));
    RETURN QUERY
        SELECT u.id, u.name, u.email FROM neon_auth_internal.users_sync u
         WHERE u.id = ANY (ids) AND u.deleted_at IS NULL
         ORDER BY u.created_at;
END
$$;
COMMENT ON FUNCTION neon_auth.make_test_users(integer) IS
    'Writes so many users into users_sync, the same at each call, and returns those that are not deleted. Needs '
    'neon_auth.test_database';
REVOKE ALL ON FUNCTION neon_auth.make_test_users(integer) FROM PUBLIC;
