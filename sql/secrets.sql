-- Keys of the auth service, which no role is granted and no dump contains.

CREATE TABLE neon_auth_internal.secrets (
    name text NOT NULL,
    value text NOT NULL CONSTRAINT secrets_value_check CHECK (value <> ''),
    service text,
    CONSTRAINT secrets_pkey PRIMARY KEY (name)
);
-- ANALYZE would copy values to pg_statistic, which pg_read_all_data can read.
ALTER TABLE neon_auth_internal.secrets ALTER COLUMN value SET STATISTICS 0;
-- Without a policy only the owner, and so the functions below, can read them: pg_read_all_data grants SELECT
-- on every table, but does not bypass row-level security.
ALTER TABLE neon_auth_internal.secrets ENABLE ROW LEVEL SECURITY;
COMMENT ON TABLE neon_auth_internal.secrets IS
    'Keys of the auth service. No role is granted them and no dump contains them: set them again after a restore';
COMMENT ON COLUMN neon_auth_internal.secrets.name IS
    'publishable_client_key, secret_server_key, webhook_secret or better_auth_secret';
COMMENT ON COLUMN neon_auth_internal.secrets.value IS
    'The key; during a rotation possibly several, separated by blanks (webhook_secret) or line breaks '
    '(better_auth_secret)';
COMMENT ON COLUMN neon_auth_internal.secrets.service IS
    'Auth service and project that were configured when it was stored; secret_server_key is sent only there';

CREATE FUNCTION neon_auth_internal.webhook_secret_defect(secrets text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'webhook_secret_defect_wrapper';
COMMENT ON FUNCTION neon_auth_internal.webhook_secret_defect(text) IS
    'Returns why a webhook secret cannot verify deliveries, as a sentence; NULL if it can';

CREATE FUNCTION neon_auth_internal.set_secret(name text, value text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    reason text;
BEGIN
    IF set_secret.name IS NULL
       OR set_secret.name NOT IN ('publishable_client_key', 'secret_server_key', 'webhook_secret',
                                   'better_auth_secret') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'there is no such secret',
            DETAIL = 'The secrets are publishable_client_key, secret_server_key, webhook_secret and '
                     'better_auth_secret.',
            HINT = format('SELECT neon_auth.set_secret(%L, $1);',
                          CASE WHEN EXISTS (SELECT FROM neon_auth_internal.providers p WHERE p.kind = 'better_auth')
                               THEN 'better_auth_secret' ELSE 'secret_server_key' END);
    END IF;
    IF set_secret.value IS NULL OR set_secret.value = '' THEN
        DELETE FROM neon_auth_internal.secrets AS s WHERE s.name = set_secret.name;
        RETURN;
    END IF;
    IF set_secret.name = 'webhook_secret' THEN
        reason := neon_auth_internal.webhook_secret_defect(set_secret.value);
        IF reason IS NOT NULL THEN
            RAISE EXCEPTION USING
                ERRCODE = 'invalid_parameter_value',
                MESSAGE = 'the webhook secret cannot be used',
                DETAIL = reason,
                HINT = 'Set the signing secret of the endpoint as the auth service shows it: whsec_...';
        END IF;
    END IF;
    -- Not only blanks, which would be no secret: then no signature would be valid.
    IF set_secret.name = 'better_auth_secret' AND set_secret.value !~ '\S' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the secret of Better Auth cannot be used',
            DETAIL = 'It is empty, or consists of blanks.',
            HINT = 'Set the secret of Better Auth''s configuration (BETTER_AUTH_SECRET).';
    END IF;
    IF set_secret.name = 'better_auth_secret'
       AND EXISTS (SELECT FROM regexp_split_to_table(set_secret.value, '[\r\n]+') AS part
                    WHERE part ~ '\S' AND length(part) < 32) THEN
        RAISE NOTICE USING
            MESSAGE = 'the secret of Better Auth is short',
            DETAIL = 'It has less than 32 characters, so it may be guessed, or may not be the whole secret. A line '
                     'break separates two secrets.',
            HINT = 'Set the secret of Better Auth''s configuration (BETTER_AUTH_SECRET), with at least 32 characters.';
    END IF;
    INSERT INTO neon_auth_internal.secrets AS s (name, value, service)
    VALUES (set_secret.name, set_secret.value,
            (SELECT neon_auth_internal.service(p.jwks_url, p.project_id)
               FROM neon_auth_internal.providers p
              WHERE p.kind = 'stack' AND set_secret.name <> 'better_auth_secret'))
        ON CONFLICT (name) DO UPDATE SET value = excluded.value, service = excluded.service;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.set_secret(text, text) IS
    'The body of neon_auth.set_secret(), for other functions of the extension';

CREATE FUNCTION neon_auth.set_secret(name text, value text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM neon_auth_internal.set_secret(name, value);
END
$$;
COMMENT ON FUNCTION neon_auth.set_secret(text, text) IS
    'Stores a key of the configured auth service; NULL or an empty value deletes it. Pass the value as a '
    'parameter: statements are logged';
REVOKE ALL ON FUNCTION neon_auth.set_secret(text, text) FROM PUBLIC;
