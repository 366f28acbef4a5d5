CREATE FUNCTION auth.expires_at() RETURNS timestamptz
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'expires_at_wrapper';
--
--current COMMENT ON FUNCTION auth.expires_at()
--
--current FUNCTION neon_auth.drop_provider
--
ALTER TABLE neon_auth.webhook_deliveries ALTER COLUMN received_at SET DEFAULT now();
--
ALTER TABLE neon_auth.providers ADD CONSTRAINT providers_leeway_check CHECK (leeway BETWEEN interval '0' AND interval '5 minutes');
--
CREATE INDEX tombstones_user_id_idx ON neon_auth_internal.tombstones (user_id);
COMMENT ON INDEX neon_auth_internal.tombstones_user_id_idx IS 'For the deletion of a user';
--
CREATE TRIGGER guard_trust BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON neon_auth.jwks_cache
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.guard_trust();
COMMENT ON TRIGGER guard_trust ON neon_auth.jwks_cache IS 'Lets only the owner write keys';
--
REVOKE ALL ON FUNCTION neon_auth.sdk_env() FROM PUBLIC;
--
ALTER FUNCTION neon_auth.delete_user(text) SET search_path = pg_catalog, pg_temp;
--
DROP TABLE neon_auth.obsolete;
--
--current COMMENT ON SCHEMA auth
--
--current COMMENT ON TABLE neon_auth.users_sync
