-- The providers' keys as last fetched, and the functions that verify with them.

-- No foreign key: pg_restore --jobs loads the tables of an extension in any order, and all at once.
CREATE TABLE neon_auth.jwks_cache (
    provider text NOT NULL,
    jwks_url text,
    discovery_url text,
    jwks jsonb,
    reduced_url text,
    refused_at timestamptz,
    skipped_keys text[] NOT NULL DEFAULT '{}',
    etag text,
    fetched_at timestamptz,
    fresh_until timestamptz,
    attempted_at timestamptz NOT NULL,
    missed_at timestamptz,
    last_error text,
    CONSTRAINT jwks_cache_pkey PRIMARY KEY (provider),
    CONSTRAINT jwks_cache_url_check CHECK (num_nonnulls(jwks_url, discovery_url) > 0)
);
CREATE VIEW neon_auth_internal.jwks_cache AS TABLE neon_auth.jwks_cache;
SELECT pg_catalog.pg_extension_config_dump('neon_auth.jwks_cache', '');
COMMENT ON TABLE neon_auth.jwks_cache IS 'Keys of each provider as last fetched, maintained by neon_auth';
COMMENT ON COLUMN neon_auth.jwks_cache.provider IS 'Name of the provider';
COMMENT ON COLUMN neon_auth.jwks_cache.jwks_url IS
    'URL of the keys: the provider''s jwks_url, or the jwks_uri of its discovery document';
COMMENT ON COLUMN neon_auth.jwks_cache.discovery_url IS
    'URL of the issuer''s discovery document, which names the URL of the keys; NULL if the provider has a jwks_url';
COMMENT ON COLUMN neon_auth.jwks_cache.jwks IS 'The last valid JWKS, without the keys that cannot be used';
COMMENT ON COLUMN neon_auth.jwks_cache.reduced_url IS
    'The jwks_url without the parameters that an older Stack Auth server refuses, if the set is from there';
COMMENT ON COLUMN neon_auth.jwks_cache.refused_at IS
    'Time at which the server last refused the whole jwks_url; within an hour only reduced_url is requested';
COMMENT ON COLUMN neon_auth.jwks_cache.skipped_keys IS 'Keys of the set that cannot be used, and why';
COMMENT ON COLUMN neon_auth.jwks_cache.etag IS 'The ETag of the response';
COMMENT ON COLUMN neon_auth.jwks_cache.fetched_at IS 'Time at which the key server last sent or confirmed the set';
COMMENT ON COLUMN neon_auth.jwks_cache.fresh_until IS 'End of the time for which the set is used without a request';
COMMENT ON COLUMN neon_auth.jwks_cache.attempted_at IS 'Time of the last request to the key server, successful or not';
COMMENT ON COLUMN neon_auth.jwks_cache.missed_at IS
    'Time of the last request because of a key that the set lacks; limited by jwks_cooldown';
COMMENT ON COLUMN neon_auth.jwks_cache.last_error IS 'Error of the last request; NULL if it succeeded';

CREATE TRIGGER guard_trust BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON neon_auth.jwks_cache
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.guard_trust();
COMMENT ON TRIGGER guard_trust ON neon_auth.jwks_cache IS 'Lets only the owner write keys';
CREATE TRIGGER guard_trust_row BEFORE INSERT OR UPDATE OR DELETE ON neon_auth.jwks_cache
    FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.guard_trust();
ALTER TABLE neon_auth.jwks_cache ENABLE ALWAYS TRIGGER guard_trust_row;
COMMENT ON TRIGGER guard_trust_row ON neon_auth.jwks_cache IS
    'The same for logical replication, which fires only row triggers';

-- Row triggers, because logical replication fires no statement triggers except those of TRUNCATE.
CREATE TRIGGER trust_changed AFTER INSERT OR UPDATE OR DELETE ON neon_auth.jwks_cache
    FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.trust_changed();
ALTER TABLE neon_auth.jwks_cache ENABLE ALWAYS TRIGGER trust_changed;
COMMENT ON TRIGGER trust_changed ON neon_auth.jwks_cache IS 'Makes every session read the keys again';
CREATE TRIGGER trust_emptied AFTER TRUNCATE ON neon_auth.jwks_cache
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.trust_changed();
ALTER TABLE neon_auth.jwks_cache ENABLE ALWAYS TRIGGER trust_emptied;
COMMENT ON TRIGGER trust_emptied ON neon_auth.jwks_cache IS 'Makes every session read the keys again';

CREATE FUNCTION neon_auth_internal.follow_provider() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM neon_auth_internal.jwks_cache;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM neon_auth_internal.jwks_cache c WHERE c.provider = new.name;
        UPDATE neon_auth_internal.jwks_cache c SET provider = new.name WHERE c.provider = old.name;
    ELSE
        DELETE FROM neon_auth_internal.jwks_cache c WHERE c.provider = old.name;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.follow_provider() IS
    'Renames or deletes the cached keys of a provider that is renamed or deleted';
CREATE TRIGGER follow_provider AFTER DELETE ON neon_auth.providers
    FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.follow_provider();
COMMENT ON TRIGGER follow_provider ON neon_auth.providers IS 'Deletes the cached keys of a deleted provider';
CREATE TRIGGER follow_provider_name AFTER UPDATE OF name ON neon_auth.providers
    FOR EACH ROW WHEN (old.name <> new.name) EXECUTE FUNCTION neon_auth_internal.follow_provider();
COMMENT ON TRIGGER follow_provider_name ON neon_auth.providers IS 'Renames the cached keys of a renamed provider';
CREATE TRIGGER follow_providers AFTER TRUNCATE ON neon_auth.providers
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.follow_provider();
COMMENT ON TRIGGER follow_providers ON neon_auth.providers IS 'Deletes all cached keys when providers is truncated';

-- A restore loads providers, and a worker or a session may fetch keys before the restore loads the cache. The
-- row of the dump replaces the fetched one: a duplicate key would end the restore. A fetch inserts a row
-- without keys, so this trigger does not fire for it.
CREATE FUNCTION neon_auth_internal.replace_fetched() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- Waits for a concurrent insert, so that the DELETE sees its row.
    LOCK TABLE neon_auth_internal.jwks_cache IN SHARE ROW EXCLUSIVE MODE;
    DELETE FROM neon_auth_internal.jwks_cache c WHERE c.provider = new.provider;
    RETURN new;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.replace_fetched() IS
    'Lets a restored row of jwks_cache replace a row that was fetched in the meantime';
CREATE TRIGGER replace_fetched BEFORE INSERT ON neon_auth.jwks_cache
    FOR EACH ROW WHEN (new.jwks IS NOT NULL) EXECUTE FUNCTION neon_auth_internal.replace_fetched();
COMMENT ON TRIGGER replace_fetched ON neon_auth.jwks_cache IS
    'Lets a restored row replace a row that was fetched in the meantime';

-- An attempt is recorded before it is made, so that it counts even if the process dies. It is abandoned if
-- another attempt was recorded after the one that the caller has seen.
CREATE FUNCTION neon_auth_internal.begin_jwks(provider text, seen text, cause text) RETURNS text
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    own record;
    begun text;
BEGIN
    SELECT p.kind, p.jwks_url, CASE WHEN p.jwks_url IS NULL THEN p.issuers[1] END AS issuer,
           CASE WHEN p.jwks_url IS NULL THEN neon_auth_internal.discovery_url(p.issuers[1]) END AS discovery_url,
           clock_timestamp() AS now
      INTO own
      FROM neon_auth_internal.providers p
     WHERE p.name = begin_jwks.provider AND p.jwks IS NULL
       -- Otherwise a provider that is being dropped would leave the row behind.
       FOR KEY SHARE;
    IF num_nonnulls(own.jwks_url, own.discovery_url) = 0 THEN
        RETURN NULL;
    END IF;
    -- Keys from another URL are not those of this provider.
    DELETE FROM neon_auth_internal.jwks_cache AS c
     WHERE c.provider = begin_jwks.provider
       AND (c.discovery_url IS DISTINCT FROM own.discovery_url
            OR own.discovery_url IS NULL AND c.jwks_url <> own.jwks_url);
    INSERT INTO neon_auth_internal.jwks_cache AS c (provider, jwks_url, discovery_url, attempted_at, missed_at)
    VALUES (begin_jwks.provider, own.jwks_url, own.discovery_url, own.now,
            CASE cause WHEN 'unknown_key' THEN own.now END)
    ON CONFLICT (provider) DO UPDATE
       SET attempted_at = EXCLUDED.attempted_at,
           missed_at = coalesce(EXCLUDED.missed_at, c.missed_at)
     WHERE (extract(epoch FROM c.attempted_at) * 1000000)::bigint::text = seen
    -- A key that the set lacks may be one that only a newer server publishes, with the whole URL.
    RETURNING json_build_object(
                  'kind', own.kind, 'jwks_url', c.jwks_url, 'issuer', own.issuer, 'etag', c.etag,
                  'etag_url', coalesce(c.reduced_url, c.jwks_url),
                  'reduced_url', CASE WHEN cause = 'age' AND c.refused_at > own.now - interval '1 hour'
                                      THEN c.reduced_url END) INTO begun;
    RETURN begun;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.begin_jwks(text, text, text) IS
    'Records an attempt to fetch a JWKS and returns its URL; NULL if another attempt was recorded or the provider '
    'is gone';

-- The response was checked as text; the keys that are used are those in the jsonb. A usable set is not
-- replaced by an unusable one.
CREATE FUNCTION neon_auth_internal.store_jwks(
    provider text, origin text, jwks_url text, jwks text, etag text, lifetime bigint, reduced_url text,
    was_refused boolean) RETURNS text
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    fetched jsonb;
    judged record;
    defect text;
BEGIN
    BEGIN
        fetched := store_jwks.jwks;
        SELECT j.defect, j.left_out INTO judged FROM neon_auth_internal.judge_jwks(fetched) AS j;
        defect := judged.defect;
    EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
        defect := format('PostgreSQL cannot hold it as jsonb: %s.', sqlerrm);
    END;
    IF defect IS NULL THEN
        UPDATE neon_auth_internal.jwks_cache AS c
           SET jwks_url = store_jwks.jwks_url,
               reduced_url = store_jwks.reduced_url,
               refused_at = CASE WHEN was_refused THEN clock_timestamp()
                                 WHEN store_jwks.reduced_url IS NOT NULL THEN refused_at END,
               jwks = coalesce(fetched, jwks),
               skipped_keys = CASE WHEN fetched IS NULL THEN skipped_keys ELSE judged.left_out END,
               etag = CASE WHEN fetched IS NULL THEN etag ELSE store_jwks.etag END,
               fetched_at = clock_timestamp(),
               fresh_until = clock_timestamp() + make_interval(secs => lifetime),
               last_error = NULL
         WHERE c.provider = store_jwks.provider AND coalesce(c.discovery_url, c.jwks_url) = origin;
    ELSE
        PERFORM neon_auth_internal.fail_jwks(store_jwks.provider, origin, defect);
    END IF;
    RETURN defect;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.store_jwks(text, text, text, text, text, bigint, text, boolean) IS
    'Stores a fetched JWKS as fresh for so many seconds (NULL: the stored one is still valid); returns why it '
    'cannot be used';

CREATE FUNCTION neon_auth_internal.fail_jwks(provider text, origin text, reason text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth_internal.jwks_cache AS c
       SET last_error = reason, refused_at = NULL
     WHERE c.provider = fail_jwks.provider AND coalesce(c.discovery_url, c.jwks_url) = origin;
$$;
COMMENT ON FUNCTION neon_auth_internal.fail_jwks(text, text, text) IS 'Records the error of a fetch';

CREATE FUNCTION neon_auth.verify_jwt(token text) RETURNS jsonb
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'neon_auth_verify_jwt';
COMMENT ON FUNCTION neon_auth.verify_jwt(text) IS
    'Verifies a token as auth.authenticate() does and returns its claims; the session''s identity does not change';

CREATE FUNCTION neon_auth_internal.table_keys() RETURNS TABLE (ok boolean, detail text)
LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'table_keys_wrapper';
COMMENT ON FUNCTION neon_auth_internal.table_keys() IS
    'Describes the keys in Better Auth''s table jwks, and whether all can be used; reads no private key';

CREATE FUNCTION neon_auth.refresh_jwks(provider text DEFAULT NULL) RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'refresh_jwks_wrapper';
COMMENT ON FUNCTION neon_auth.refresh_jwks(text) IS
    'Fetches the keys of one provider or of all providers now; fails if a fetch fails';
REVOKE ALL ON FUNCTION neon_auth.refresh_jwks(text) FROM PUBLIC;

CREATE FUNCTION neon_auth.inspect_jwt(token text)
RETURNS TABLE (step text, ok boolean, detail text)
LANGUAGE c VOLATILE CALLED ON NULL INPUT PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'neon_auth_inspect_jwt';
COMMENT ON FUNCTION neon_auth.inspect_jwt(text) IS
    'Lists every check of a token in order, with the expected and the found value; does not fail for a bad token';
REVOKE ALL ON FUNCTION neon_auth.inspect_jwt(text) FROM PUBLIC;
