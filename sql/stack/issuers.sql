-- The issuers in the tokens of a Stack Auth project, from the URL of its keys.

-- The server makes them with new URL('/api/v1/projects/...', base), the WHATWG URL Standard: the host in lower case,
-- an IPv6 address in its shortest form, without the default port and the path of the base. A host for which that
-- standard does more has no origin here: one that is not ASCII or has %, and an IPv4 address that is not written as
-- four decimal numbers. COLLATE "C", because lower() of some languages makes another letter of I.
CREATE FUNCTION neon_auth_internal.url_origin(url text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    parts constant text[] := regexp_match(
        url, '^(https?)://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?(?:[/?#]|$)');
    host text := lower(parts[2] COLLATE "C");
    port constant text := ltrim(parts[3], ':0');
    address inet;
    number text[];
BEGIN
    IF host ^@ '[' THEN
        BEGIN
            address := btrim(host, '[]')::inet;
        EXCEPTION WHEN data_exception THEN
            RETURN NULL;
        END;
        IF family(address) <> 6 THEN
            RETURN NULL;
        END IF;
        host := host(address);
        -- The last four bytes may be in decimal.
        number := regexp_match(host, '([0-9]+)[.]([0-9]+)[.]([0-9]+)[.]([0-9]+)$');
        IF number IS NOT NULL THEN
            host := regexp_replace(host, '[0-9.]+$', to_hex(number[1]::integer * 256 + number[2]::integer) || ':'
                                                     || to_hex(number[3]::integer * 256 + number[4]::integer));
        END IF;
        host := '[' || host || ']';
    -- A host whose last label is a number is an IPv4 address.
    ELSIF host ~ '(^|[.])([0-9]+|0x[0-9a-f]*)[.]?$'
          AND host !~ '^((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])([.](?!$)|$)){4}$' THEN
        RETURN NULL;
    END IF;
    IF length(port) > 5 OR port > '65535' AND length(port) = 5 THEN
        RETURN NULL;
    END IF;
    RETURN parts[1] || '://' || host
        || CASE WHEN coalesce(parts[3], ':') = ':' OR port = CASE parts[1] WHEN 'https' THEN '443' ELSE '80' END THEN ''
                ELSE ':' || coalesce(nullif(port, ''), '0') END;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.url_origin(text) IS
    'Returns scheme, host and port of an http or https URL as the WHATWG URL Standard writes them; NULL for odd hosts';

-- The two names of a cloud are one service: the SDK decides which is in iss. Requests to the fallback hosts get the
-- issuer of the first.
CREATE FUNCTION neon_auth_internal.stack_issuers(jwks_url text, project_id text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    origin constant text := neon_auth_internal.url_origin(jwks_url);
    cloud constant text := regexp_replace(
        substring(origin FROM '^https://(.+)[.](?:stack-auth|hexclave)[.]com$'), '^(api[123]|r)$', 'api');
    origins constant text[] := CASE WHEN cloud IN ('api', 'api.dev', 'api.staging')
                                    THEN ARRAY['https://' || cloud || '.stack-auth.com',
                                               'https://' || cloud || '.hexclave.com']
                                    ELSE ARRAY[origin] END;
BEGIN
    RETURN (SELECT array_agg(o.origin || p.path || project_id ORDER BY o.number, p.number)
              FROM unnest(origins) WITH ORDINALITY AS o(origin, number),
                   unnest(ARRAY['/api/v1/projects/', '/api/v1/projects-restricted-users/',
                                '/api/v1/projects-anonymous-users/']) WITH ORDINALITY AS p(path, number)
             WHERE o.origin IS NOT NULL);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.stack_issuers(text, text) IS
    'Returns the issuers of a project''s tokens, from the URL of its keys; NULL if its host cannot be an issuer''s';
