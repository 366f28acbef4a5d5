-- The providers' keys as last fetched, and the functions that verify with them.

CREATE TABLE neon_auth.jwks_cache (
    provider text NOT NULL
        CONSTRAINT jwks_cache_provider_fkey
        REFERENCES neon_auth.providers (name) ON UPDATE CASCADE ON DELETE CASCADE,
    jwks_url text NOT NULL,
    jwks jsonb,
    etag text,
    fetched_at timestamptz,
    fresh_until timestamptz,
    attempted_at timestamptz NOT NULL,
    last_error text,
    CONSTRAINT jwks_cache_pkey PRIMARY KEY (provider)
);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.jwks_cache', '');
COMMENT ON TABLE neon_auth.jwks_cache IS 'The keys of each provider as last fetched; kept by neon_auth';
COMMENT ON COLUMN neon_auth.jwks_cache.provider IS 'Name of the provider';
COMMENT ON COLUMN neon_auth.jwks_cache.jwks_url IS 'Where the keys come from; they count while it is the provider''s jwks_url';
COMMENT ON COLUMN neon_auth.jwks_cache.jwks IS 'The last good JWKS';
COMMENT ON COLUMN neon_auth.jwks_cache.etag IS 'The ETag that came with it';
COMMENT ON COLUMN neon_auth.jwks_cache.fetched_at IS 'When the key server last sent or confirmed it';
COMMENT ON COLUMN neon_auth.jwks_cache.fresh_until IS 'Until when it is used without asking again';
COMMENT ON COLUMN neon_auth.jwks_cache.attempted_at IS 'When the key server was last asked, with success or not';
COMMENT ON COLUMN neon_auth.jwks_cache.last_error IS 'Why the last attempt failed; NULL if it did not';

CREATE TRIGGER guard_trust BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON neon_auth.jwks_cache
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth.guard_trust();
COMMENT ON TRIGGER guard_trust ON neon_auth.jwks_cache IS 'Refuses to write what is trusted to all but the owner';

CREATE TRIGGER trust_changed AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON neon_auth.jwks_cache
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth.trust_changed();
ALTER TABLE neon_auth.jwks_cache ENABLE ALWAYS TRIGGER trust_changed;
COMMENT ON TRIGGER trust_changed ON neon_auth.jwks_cache IS 'Tells every session to read the keys again';

CREATE FUNCTION neon_auth.verify_jwt(token text) RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'verify_jwt_wrapper';
COMMENT ON FUNCTION neon_auth.verify_jwt(text) IS
    'Verifies a token as auth.authenticate() does and answers its claims; the session''s identity stays as it is';

CREATE FUNCTION neon_auth.refresh_jwks(provider text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'refresh_jwks_wrapper';
COMMENT ON FUNCTION neon_auth.refresh_jwks(text) IS
    'Fetches a provider''s keys now, or those of all providers; an error says why a fetch failed';
REVOKE ALL ON FUNCTION neon_auth.refresh_jwks(text) FROM PUBLIC;

CREATE FUNCTION neon_auth.inspect_jwt(token text)
RETURNS TABLE (step text, ok boolean, detail text)
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'inspect_jwt_wrapper';
COMMENT ON FUNCTION neon_auth.inspect_jwt(text) IS
    'Every check that a token has to pass, in order, with what was found and what was expected; raises no error for a bad token';
REVOKE ALL ON FUNCTION neon_auth.inspect_jwt(text) FROM PUBLIC;

CREATE VIEW neon_auth.status AS
    SELECT 'providers' AS concern,
           count(*) > 0 AS ok,
           CASE WHEN count(*) > 0 THEN string_agg(name, ', ' ORDER BY name)
                ELSE 'No provider is configured, so every token is refused.' END AS detail,
           NULL::timestamptz AS since
      FROM neon_auth.providers
    UNION ALL
    SELECT format('keys of %s', p.name),
           p.jwks IS NOT NULL OR (c.jwks IS NOT NULL AND c.last_error IS NULL
                                  AND (c.fresh_until > now() OR c.fetched_at >= c.attempted_at)),
           CASE WHEN p.jwks IS NOT NULL THEN 'Pinned in neon_auth.providers.'
                WHEN c.provider IS NULL THEN 'Not fetched yet; the first token will.'
                WHEN c.last_error IS NOT NULL AND c.jwks IS NULL THEN 'None. ' || c.last_error
                WHEN c.last_error IS NOT NULL
                    THEN format('%s. Those fetched at %s serve as long as neon_auth.jwks_max_stale lets them.',
                                rtrim(c.last_error, '.'), c.fetched_at)
                WHEN c.jwks IS NULL AND c.attempted_at > now() - interval '1 minute' THEN 'A fetch is under way.'
                WHEN c.jwks IS NULL THEN 'None. The last fetch was broken off.'
                ELSE format('Fresh until %s; number of keys: %s.', c.fresh_until, jsonb_array_length(c.jwks -> 'keys')) END,
           coalesce(CASE WHEN c.last_error IS NOT NULL THEN c.attempted_at END, c.fetched_at)
      FROM neon_auth.providers p
      LEFT JOIN neon_auth.jwks_cache c ON c.provider = p.name AND c.jwks_url = p.jwks_url;
COMMENT ON VIEW neon_auth.status IS 'How things stand: one row for each concern, with health and the reason';
COMMENT ON COLUMN neon_auth.status.concern IS 'What the row is about';
COMMENT ON COLUMN neon_auth.status.ok IS 'Whether it is as it should be';
COMMENT ON COLUMN neon_auth.status.detail IS 'How it is, and why';
COMMENT ON COLUMN neon_auth.status.since IS 'Since when, where that is known';
