-- Neon Auth on Stack Auth in one call.

CREATE FUNCTION neon_auth_internal.rest_base(jwks_url text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN substring(jwks_url FROM '^(https?://[^?#]+?)/api/v1/projects/[^/?#]+/[.]well-known/jwks[.]json');
COMMENT ON FUNCTION neon_auth_internal.rest_base(text) IS
    'Returns the URL of the REST API, from the URL of a Stack Auth project''s keys; NULL for another URL';

CREATE FUNCTION neon_auth_internal.service(jwks_url text, project_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN neon_auth_internal.rest_base(jwks_url) || '/api/v1/projects/' || project_id;
COMMENT ON FUNCTION neon_auth_internal.service(text, text) IS
    'Returns the URL of one project at one auth service; NULL if the URL of the keys does not contain it';

CREATE FUNCTION neon_auth_internal.configure_stack(keys jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member text;
    project text;
    parts text[];
    issuers_of_project text[];
    audiences_of_project text[];
    url text;
BEGIN
    FOREACH member IN ARRAY '{auth_provider_project_id,secret_server_key,jwks_url}'::text[] LOOP
        IF coalesce(jsonb_typeof(keys -> member), 'nothing') <> 'string' OR keys ->> member = '' THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'the response of the keys API is incomplete',
                DETAIL = format('The member %s is missing, or is not a non-empty string.', member),
                HINT = 'Pass the JSON object unchanged. For a project of your own: {"auth_provider": "stack", '
                       '"auth_provider_project_id": "...", "secret_server_key": "...", "jwks_url": "..."}.';
        END IF;
    END LOOP;

    -- A project need not have such a key.
    IF coalesce(jsonb_typeof(keys -> 'pub_client_key'), 'null') NOT IN ('string', 'null')
       OR keys ->> 'pub_client_key' = '' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the response of the keys API is incomplete',
            DETAIL = 'The member pub_client_key is neither a non-empty string nor null.',
            HINT = 'Pass the JSON object unchanged.';
    END IF;

    -- sdk_env() returns them in lines.
    IF concat(keys ->> 'auth_provider_project_id', keys ->> 'pub_client_key', keys ->> 'secret_server_key')
       ~ '[[:cntrl:]]' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the response of the keys API contains a control character',
            DETAIL = 'The project id and the keys must not contain one.',
            HINT = 'Pass the JSON object unchanged.';
    END IF;

    project := keys ->> 'auth_provider_project_id';
    parts := regexp_match(keys ->> 'jwks_url',
                          '^(https?://[^?#]+?)/api/v1/projects/([^/?#]+)/[.]well-known/jwks[.]json([?].*)?$');
    IF parts IS NULL OR parts[2] <> project THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the jwks_url is not that of the project',
            DETAIL = format('It must end in /api/v1/projects/%s/.well-known/jwks.json.', project),
            HINT = 'Pass the JSON object unchanged, or correct the project id or the URL. For other issuers: '
                   'SELECT neon_auth.add_provider(name => ..., issuers => ..., jwks_url => ...);';
    END IF;
    issuers_of_project := neon_auth_internal.stack_issuers(keys ->> 'jwks_url', project);
    IF issuers_of_project IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the host of the jwks_url cannot be that of an issuer',
            DETAIL = 'A host name in ASCII, an IPv4 address of four decimal numbers, or an IPv6 address in brackets '
                     'must follow, without user and password, then optionally a port and a path.',
            HINT = 'For other issuers: SELECT neon_auth.add_provider(name => ..., issuers => ..., jwks_url => ...);';
    END IF;
    audiences_of_project := ARRAY[project, project || ':restricted', project || ':anon'];
    url := split_part(keys ->> 'jwks_url', '?', 1) || '?include_restricted=true&include_anonymous=true';
    -- Changes no row, and waits for other writers of providers: the next statement sees what they wrote.
    UPDATE neon_auth_internal.providers AS p SET name = p.name WHERE false;
    IF NOT EXISTS (SELECT FROM neon_auth_internal.providers p
                    WHERE p.kind = 'stack' AND neon_auth_internal.service(p.jwks_url, p.project_id)
                                             = neon_auth_internal.service(url, project)) THEN
        DELETE FROM neon_auth_internal.service_limits;
        DELETE FROM neon_auth_internal.compared_teams;
    END IF;
    UPDATE neon_auth_internal.providers AS p
       SET project_id = project, issuers = issuers_of_project, audiences = audiences_of_project, jwks_url = url,
           jwks = NULL, algorithms = '{ES256}'
     WHERE p.kind = 'stack';
    IF NOT FOUND THEN
        INSERT INTO neon_auth_internal.providers (name, kind, project_id, issuers, audiences, jwks_url, algorithms)
        VALUES ('stack', 'stack', project, issuers_of_project, audiences_of_project, url, '{ES256}')
            ON CONFLICT (name) DO NOTHING;
        IF NOT FOUND THEN
            RAISE EXCEPTION USING
                ERRCODE = 'duplicate_object',
                MESSAGE = 'a provider of that name already exists',
                DETAIL = 'Provider stack is of another kind, and the new provider needs its name.',
                HINT = 'UPDATE neon_auth.providers SET name = ''stack_oidc'' WHERE name = ''stack'';';
        END IF;
        PERFORM neon_auth_internal.define_stack_permissions();
    END IF;
    PERFORM neon_auth_internal.set_secret('publishable_client_key', keys ->> 'pub_client_key');
    PERFORM neon_auth_internal.set_secret('secret_server_key', keys ->> 'secret_server_key');
END
$$;
COMMENT ON FUNCTION neon_auth_internal.configure_stack(jsonb) IS
    'Takes the response of the keys API for a project of Stack Auth';

CREATE FUNCTION neon_auth_internal.sdk_env() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    project text := (SELECT p.project_id FROM neon_auth_internal.providers p WHERE p.kind = 'stack');
    client_key text := (SELECT value FROM neon_auth_internal.secrets WHERE name = 'publishable_client_key');
    server_key text := (SELECT value FROM neon_auth_internal.secrets WHERE name = 'secret_server_key');
BEGIN
    IF project IS NULL AND EXISTS (SELECT FROM neon_auth_internal.source s WHERE s.kind = 'better_auth') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'Neon Auth on Stack Auth is not configured',
            DETAIL = 'The configured service is Better Auth, which needs none of these environment variables.',
            HINT = 'Better Auth reads BETTER_AUTH_URL and BETTER_AUTH_SECRET, which the database does not return.';
    END IF;
    IF project IS NULL OR server_key IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'Neon Auth is not configured',
            DETAIL = CASE WHEN project IS NULL THEN 'There is no provider of kind stack.'
                          ELSE 'Its secret_server_key is not stored; a dump does not contain keys.' END,
            HINT = 'SELECT neon_auth.configure(''<response of the keys API>'');';
    END IF;
    -- concat_ws() leaves out what a missing key makes NULL.
    RETURN (SELECT string_agg(concat_ws(E'\n', 'NEXT_PUBLIC_' || n.name || '_PROJECT_ID=' || project,
                                        'NEXT_PUBLIC_' || n.name || '_PUBLISHABLE_CLIENT_KEY=' || client_key,
                                        n.name || '_SECRET_SERVER_KEY=' || server_key), E'\n' ORDER BY n.number)
              FROM unnest('{STACK,HEXCLAVE}'::text[]) WITH ORDINALITY AS n(name, number));
END
$$;
COMMENT ON FUNCTION neon_auth_internal.sdk_env() IS
    'The body of neon_auth.sdk_env(), for other functions of the extension';

CREATE FUNCTION neon_auth.sdk_env() RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN neon_auth_internal.sdk_env();
END
$$;
COMMENT ON FUNCTION neon_auth.sdk_env() IS
    'Returns the environment variables that the Stack Auth SDKs read, under old and new names; secrets included';
REVOKE ALL ON FUNCTION neon_auth.sdk_env() FROM PUBLIC;
