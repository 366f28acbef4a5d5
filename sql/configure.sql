-- Neon Auth in one call.

CREATE FUNCTION neon_auth_internal.configure(keys jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF keys IS NULL OR jsonb_typeof(keys) <> 'object' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'configure needs the response of the keys API',
            DETAIL = format('The argument is %s.', coalesce('a JSON ' || jsonb_typeof(keys), 'NULL')),
            HINT = 'Pass the JSON object unchanged, with auth_provider, and the URLs and keys in it.';
    END IF;
    IF keys ->> 'schema_name' <> 'neon_auth' OR keys ->> 'table_name' <> 'users_sync' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'feature_not_supported',
            MESSAGE = 'users are stored only in neon_auth.users_sync',
            DETAIL = format('The response names %I.%I.', keys ->> 'schema_name', keys ->> 'table_name'),
            HINT = 'For another name, make a view: CREATE VIEW name AS SELECT * FROM neon_auth.users_sync;';
    END IF;
    CASE keys ->> 'auth_provider'
        WHEN 'stack' THEN PERFORM neon_auth_internal.configure_stack(keys);
        WHEN 'better_auth' THEN PERFORM neon_auth_internal.configure_better_auth(keys);
        ELSE
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'configure supports only the auth_provider "stack" and "better_auth"',
                DETAIL = format('The member auth_provider is %s.', coalesce(keys ->> 'auth_provider', 'missing')),
                HINT = 'For other issuers: '
                       'SELECT neon_auth.add_provider(name => ..., issuers => ..., jwks_url => ...);';
    END CASE;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.configure(jsonb) IS
    'The body of neon_auth.configure(), for other functions of the extension';

CREATE FUNCTION neon_auth.configure(keys jsonb) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM neon_auth_internal.configure(keys);
END
$$;
COMMENT ON FUNCTION neon_auth.configure(jsonb) IS
    'Takes the unchanged response of Neon''s keys API, for Stack Auth or Better Auth: trusts the tokens. Can be '
    'repeated; other columns stay';
REVOKE ALL ON FUNCTION neon_auth.configure(jsonb) FROM PUBLIC;
