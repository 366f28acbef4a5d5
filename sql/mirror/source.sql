-- Whose users the mirror holds.

-- Runs are not dumped, but what restores their users needs it: compared with another project, all
-- of them would be found deleted, and a deletion is final.
CREATE TABLE neon_auth.sync_source (
    project_id text NOT NULL,
    CONSTRAINT sync_source_pkey PRIMARY KEY (project_id)
);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.sync_source', '');
COMMENT ON TABLE neon_auth.sync_source IS 'The project that the mirror is of; no row before that is known';
COMMENT ON COLUMN neon_auth.sync_source.project_id IS 'The project''s id';

-- Webhooks do not say which project sends them, so a mirror that they alone have filled is of the
-- project that was configured then.
CREATE FUNCTION neon_auth_internal.remember_source() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM neon_auth.sync_source)
       AND EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.deleted_at IS NULL) THEN
        INSERT INTO neon_auth.sync_source (project_id) VALUES (old.project_id);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.remember_source() IS 'Notes whose users the mirror holds before the provider "stack" is another project''s';
CREATE TRIGGER remember_source AFTER UPDATE OF name, project_id OR DELETE ON neon_auth.providers
    FOR EACH ROW WHEN (old.name = 'stack' AND old.project_id IS NOT NULL) EXECUTE FUNCTION neon_auth_internal.remember_source();
COMMENT ON TRIGGER remember_source ON neon_auth.providers IS 'Notes whose users the mirror holds';

-- Asked about users whom it does not know, the project that is configured would have them all deleted.
-- A view, because neon_auth.status asks too, for whoever is granted it.
CREATE VIEW neon_auth_internal.other_source AS
    SELECT s.project_id
      FROM neon_auth.sync_source s
      JOIN neon_auth.providers p ON p.name = 'stack' AND p.kind = 'stack' AND p.project_id <> s.project_id
     WHERE EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.deleted_at IS NULL);
COMMENT ON VIEW neon_auth_internal.other_source IS 'Whose users the mirror holds, if not those of the project that is configured; else no row';
COMMENT ON COLUMN neon_auth_internal.other_source.project_id IS 'That other project''s id';
