-- The Neon console, for projects whose auth it manages.

CREATE FUNCTION neon_auth_internal.call_console(call text, neon_api_key text, neon_project_id text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'call_console_wrapper';
COMMENT ON FUNCTION neon_auth_internal.call_console(text, text, text) IS
    'Requests a project''s auth from the Neon console and returns the JSON; call: keys or transfer_ownership';

CREATE FUNCTION neon_auth_internal.console_answer(call text, neon_api_key text, neon_project_id text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text;
BEGIN
    IF neon_api_key IS NULL OR neon_api_key = '' OR neon_project_id IS NULL OR neon_project_id = '' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'a Neon API key and the id of a Neon project are needed',
            DETAIL = 'One of the arguments is NULL or empty.',
            HINT = 'Create both in the Neon console. Pass the key as a parameter, so that it is not logged.';
    END IF;
    answer := neon_auth_internal.call_console(call, neon_api_key, neon_project_id);
    BEGIN
        RETURN answer::jsonb;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        -- The context of the original error quotes the response, which contains keys.
        RAISE EXCEPTION USING
            ERRCODE = 'protocol_violation',
            MESSAGE = 'the Neon console''s response is not JSON',
            DETAIL = 'Its text is not shown, because it can contain keys.',
            HINT = 'Check the setting neon_auth.neon_api_url.';
    END;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.console_answer(text, text, text) IS
    'Returns the Neon console''s response to a call';

CREATE FUNCTION neon_auth.create_keys(neon_api_key text, neon_project_id text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM neon_auth_internal.configure(neon_auth_internal.console_answer('keys', neon_api_key, neon_project_id));
    RETURN neon_auth_internal.sdk_env();
END
$$;
COMMENT ON FUNCTION neon_auth.create_keys(text, text) IS
    'Creates keys at the Neon console for a project, configures with them, returns the SDKs'' variables. Pass the '
    'API key as a parameter';
REVOKE ALL ON FUNCTION neon_auth.create_keys(text, text) FROM PUBLIC;

CREATE FUNCTION neon_auth.claim_url(neon_api_key text, neon_project_id text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    url text := neon_auth_internal.console_answer('transfer_ownership', neon_api_key, neon_project_id) ->> 'url';
BEGIN
    IF url IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'protocol_violation',
            MESSAGE = 'the Neon console''s response contains no URL',
            DETAIL = 'The JSON object has no member url.',
            HINT = 'Check the setting neon_auth.neon_api_url.';
    END IF;
    RETURN url;
END
$$;
COMMENT ON FUNCTION neon_auth.claim_url(text, text) IS
    'Returns a secret URL: its holder can claim the Stack Auth project of a Neon project in a browser, once, within '
    'an hour, for a new team';
REVOKE ALL ON FUNCTION neon_auth.claim_url(text, text) FROM PUBLIC;
