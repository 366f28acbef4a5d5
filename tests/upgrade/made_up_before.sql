
-- A version that never was: what 0.0.1 would have been if all this had come later.
DROP FUNCTION auth.expires_at();
CREATE OR REPLACE FUNCTION neon_auth.drop_provider(name text) RETURNS void
LANGUAGE sql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'DELETE FROM neon_auth.providers AS p WHERE p.name = drop_provider.name';
ALTER TABLE neon_auth.webhook_deliveries ALTER COLUMN received_at DROP DEFAULT;
ALTER TABLE neon_auth.providers DROP CONSTRAINT providers_leeway_check;
DROP INDEX neon_auth_internal.tombstones_user_id_idx;
DROP TRIGGER guard_trust ON neon_auth.jwks_cache;
GRANT EXECUTE ON FUNCTION neon_auth.sdk_env() TO PUBLIC;
ALTER FUNCTION neon_auth.delete_user(text) RESET search_path;
CREATE TABLE neon_auth.obsolete (id int);
COMMENT ON SCHEMA auth IS NULL;
COMMENT ON TABLE neon_auth.users_sync IS 'Users';
