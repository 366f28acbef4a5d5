-- Which auth service fills the mirror, and whose users the mirror contains.

-- The provider is known by its kind, whatever its name is. At most one fills the mirror: two services in
-- one mirror would delete each other's users. check_provider() refuses a second one with a message that
-- says how to go on; this index refuses it where that trigger does not see the first.
CREATE UNIQUE INDEX providers_fills_mirror_idx ON neon_auth.providers (neon_auth_internal.fills_mirror(kind))
    WHERE neon_auth_internal.fills_mirror(kind);
COMMENT ON INDEX neon_auth.providers_fills_mirror_idx IS 'Lets at most one provider fill the mirror';

CREATE VIEW neon_auth_internal.source AS
    SELECT p.name AS provider, p.kind, coalesce(p.project_id, p.kind) AS source
      FROM neon_auth.providers p
     WHERE neon_auth_internal.fills_mirror(p.kind);
COMMENT ON VIEW neon_auth_internal.source IS 'The provider whose service fills the mirror; no row if there is none';
COMMENT ON COLUMN neon_auth_internal.source.provider IS 'Name of the provider';
COMMENT ON COLUMN neon_auth_internal.source.kind IS 'Kind of the provider';
COMMENT ON COLUMN neon_auth_internal.source.source IS
    'Set of users at the service: the project id for kind stack, else the kind';

-- A row that the sign-in of another provider's user has made is not of the service that fills the mirror. The service
-- does not know the user, so it must neither be asked for the user nor have it deleted.
CREATE FUNCTION neon_auth_internal.is_of_provider(raw_json jsonb, provider text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN coalesce(raw_json ->> 'auth_provider', provider) IS NOT DISTINCT FROM provider;
COMMENT ON FUNCTION neon_auth_internal.is_of_provider(jsonb, text) IS
    'Returns true unless a row of users_sync was made at the sign-in of a user of another provider';

-- Runs are not dumped, but a restored mirror needs this: compared with another source, all of its users
-- would be found deleted, and a deletion is final.
CREATE TABLE neon_auth.sync_source (
    kind text NOT NULL,
    source text NOT NULL,
    CONSTRAINT sync_source_pkey PRIMARY KEY (kind, source)
);
CREATE VIEW neon_auth_internal.sync_source AS TABLE neon_auth.sync_source;
SELECT pg_catalog.pg_extension_config_dump('neon_auth.sync_source', '');
COMMENT ON TABLE neon_auth.sync_source IS
    'Source of the users in the mirror; no row until the service has returned users';
COMMENT ON COLUMN neon_auth.sync_source.kind IS 'Kind of the provider';
COMMENT ON COLUMN neon_auth.sync_source.source IS
    'Set of users at the service: the project id for kind stack, else the kind';

-- Webhooks do not say which project sends them, so a mirror that only webhooks have filled is of the
-- project that was configured then.
CREATE FUNCTION neon_auth_internal.remember_source() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    former text;
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        former := (SELECT s.provider FROM neon_auth_internal.source s);
    ELSE
        former := old.name;
    END IF;
    IF NOT EXISTS (SELECT FROM neon_auth_internal.sync_source)
       AND EXISTS (SELECT FROM neon_auth_internal.users_sync u
                    WHERE u.deleted_at IS NULL AND neon_auth_internal.is_of_provider(u.raw_json, former)) THEN
        IF TG_OP = 'TRUNCATE' THEN
            INSERT INTO neon_auth_internal.sync_source (kind, source)
            SELECT s.kind, s.source FROM neon_auth_internal.source s WHERE s.source IS NOT NULL;
        ELSIF old.project_id IS NOT NULL OR old.kind <> 'stack' THEN
            INSERT INTO neon_auth_internal.sync_source (kind, source)
            VALUES (old.kind, coalesce(old.project_id, old.kind));
        END IF;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.remember_source() IS
    'Records the source of the mirror when the provider that fills it changes or is dropped';
CREATE TRIGGER remember_source AFTER UPDATE OF kind, project_id OR DELETE ON neon_auth.providers
    FOR EACH ROW WHEN (neon_auth_internal.fills_mirror(old.kind))
    EXECUTE FUNCTION neon_auth_internal.remember_source();
COMMENT ON TRIGGER remember_source ON neon_auth.providers IS 'Records the source of the mirror';
CREATE TRIGGER remember_sources BEFORE TRUNCATE ON neon_auth.providers
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.remember_source();
COMMENT ON TRIGGER remember_sources ON neon_auth.providers IS 'Records the source of the mirror';

-- Users of a dropped provider that filled the mirror become those of no provider, as rows that its service has written:
-- the next provider that fills the mirror may be the same service under another name.
CREATE FUNCTION neon_auth_internal.name_provider() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- A sign-in that is open may have made a row with the old name.
    LOCK TABLE neon_auth_internal.users_sync IN SHARE MODE;
    IF TG_OP = 'UPDATE' THEN
        UPDATE neon_auth_internal.users_sync u
           SET raw_json = jsonb_set(u.raw_json, '{auth_provider}', to_jsonb(new.name)), updated_at = clock_timestamp()
         WHERE u.raw_json ->> 'auth_provider' = old.name;
    ELSE
        UPDATE neon_auth_internal.users_sync u
           SET raw_json = u.raw_json - '{auth_provider,auth_issuer}'::text[], updated_at = clock_timestamp()
         WHERE u.raw_json ->> 'auth_provider' = old.name;
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.name_provider() IS
    'Keeps the name of the provider in the rows that its users'' sign-ins have made, when the provider is renamed or '
    'dropped';
CREATE TRIGGER provider_renamed AFTER UPDATE OF name ON neon_auth.providers
    FOR EACH ROW WHEN (old.name <> new.name)
    EXECUTE FUNCTION neon_auth_internal.name_provider();
COMMENT ON TRIGGER provider_renamed ON neon_auth.providers IS
    'Writes the new name into the rows of users_sync that sign-ins have made';
CREATE TRIGGER provider_dropped AFTER DELETE ON neon_auth.providers
    FOR EACH ROW WHEN (neon_auth_internal.fills_mirror(old.kind))
    EXECUTE FUNCTION neon_auth_internal.name_provider();
COMMENT ON TRIGGER provider_dropped ON neon_auth.providers IS
    'Removes the name from the rows of users_sync that sign-ins have made, if the provider filled the mirror';

-- Asked about users that it does not know, the configured source would have them all deleted.
-- A view, because neon_auth.status reads it too, for roles that are granted only that.
CREATE VIEW neon_auth_internal.other_source AS
    SELECT s.kind, s.source
      FROM neon_auth.sync_source s
      JOIN neon_auth_internal.source configured ON (configured.kind, configured.source) <> (s.kind, s.source)
     WHERE EXISTS (SELECT FROM neon_auth.users_sync u
                    WHERE u.deleted_at IS NULL
                      AND neon_auth_internal.is_of_provider(u.raw_json, configured.provider));
COMMENT ON VIEW neon_auth_internal.other_source IS
    'Source of the users in the mirror if another one is configured; otherwise no row';
COMMENT ON COLUMN neon_auth_internal.other_source.kind IS 'Kind of the provider';
COMMENT ON COLUMN neon_auth_internal.other_source.source IS
    'Set of users at the service: the project id for kind stack, else the kind';
