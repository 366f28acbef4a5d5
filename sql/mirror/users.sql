-- Users of the auth service.

CREATE TABLE neon_auth.users_sync (
    raw_json   jsonb NOT NULL,
    id         text GENERATED ALWAYS AS (raw_json ->> 'id') STORED NOT NULL,
    name       text GENERATED ALWAYS AS (raw_json ->> 'display_name') STORED,
    email      text GENERATED ALWAYS AS (raw_json ->> 'primary_email') STORED,
    created_at timestamptz GENERATED ALWAYS AS
               (to_timestamp(trunc((raw_json ->> 'signed_up_at_millis')::bigint::double precision)
                             / 1000::double precision)) STORED,
    updated_at timestamptz,
    deleted_at timestamptz,
    CONSTRAINT users_sync_pkey PRIMARY KEY (id)
);
CREATE VIEW neon_auth_internal.users_sync AS TABLE neon_auth.users_sync;
CREATE INDEX users_sync_deleted_at_idx ON neon_auth.users_sync (deleted_at);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.users_sync', '');

COMMENT ON TABLE neon_auth.users_sync IS
    'Users of the auth service, maintained by neon_auth. Deleted users keep their row: LEFT JOIN, with deleted_at '
    'IS NULL';
COMMENT ON COLUMN neon_auth.users_sync.raw_json IS
    'User object of the auth service; its last_active_at_millis is accurate to a day. Only id and sign-up time for an '
    'erased user';
COMMENT ON COLUMN neon_auth.users_sync.id IS
    'User id, the claim sub of the user''s tokens; text, so foreign keys to it are text too';
COMMENT ON COLUMN neon_auth.users_sync.name IS 'Display name';
COMMENT ON COLUMN neon_auth.users_sync.email IS 'Primary e-mail address';
COMMENT ON COLUMN neon_auth.users_sync.created_at IS 'Time of sign-up, in milliseconds';
COMMENT ON COLUMN neon_auth.users_sync.updated_at IS
    'Last change to this row (clock_timestamp()); a REST response requested later overrides it';
COMMENT ON COLUMN neon_auth.users_sync.deleted_at IS 'Time of deletion; NULL while the user exists';
COMMENT ON INDEX neon_auth.users_sync_deleted_at_idx IS 'For queries of existing or deleted users';

CREATE FUNCTION neon_auth.upsert_users(raw_json jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- #> '{}' takes the array out of TOAST once, instead of once for each of its elements. NULL is
    -- refused as JSON's null is: it comes from a variable that is not set.
    RETURN neon_auth_internal.write_objects('user', coalesce(raw_json #> '{}', 'null'));
END
$$;
COMMENT ON FUNCTION neon_auth.upsert_users(jsonb) IS
    'Writes an array of user objects into users_sync, all or none; returns how many rows changed. Deleted users '
    'stay deleted';
REVOKE ALL ON FUNCTION neon_auth.upsert_users(jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.upsert_user(raw_json jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM neon_auth_internal.check_object('user', raw_json,
        'Pass the user object as the auth service sends it: {"id": "...", "display_name": "...", ...}');
    RETURN neon_auth_internal.write_objects('user', jsonb_build_array(raw_json)) > 0;
END
$$;
COMMENT ON FUNCTION neon_auth.upsert_user(jsonb) IS
    'Writes a user object of the auth service into users_sync; returns true if the row changed. A deleted user '
    'stays deleted';
REVOKE ALL ON FUNCTION neon_auth.upsert_user(jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.delete_user(id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF delete_user.id IS NULL THEN
        PERFORM neon_auth_internal.check_object('user', '{"id": null}',
            'Pass the id of the user: SELECT neon_auth.delete_user(''...'');');
    END IF;
    RETURN neon_auth_internal.delete_object('user', delete_user.id, by_service => false);
END
$$;
COMMENT ON FUNCTION neon_auth.delete_user(text) IS
    'Marks a user as deleted for good and ends its memberships and permissions; the row stays. Returns true if '
    'the row changed';
REVOKE ALL ON FUNCTION neon_auth.delete_user(text) FROM PUBLIC;

-- An erased user is a deleted user without data. It needs no mark of its own: no writer of users restores a
-- deleted user, and a dump contains deleted_at.
CREATE FUNCTION neon_auth_internal.erased(raw_json jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_strip_nulls(jsonb_build_object(
    'id', raw_json -> 'id', 'signed_up_at_millis', raw_json -> 'signed_up_at_millis'));
COMMENT ON FUNCTION neon_auth_internal.erased(jsonb) IS 'Reduces a user object to the id and the time of sign-up';

CREATE FUNCTION neon_auth.erase_user(id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    object constant jsonb := jsonb_build_object('id', erase_user.id);
    erased boolean;
BEGIN
    PERFORM neon_auth_internal.check_object('user', object,
        'Pass the id of the user: SELECT neon_auth.erase_user(''...'');');
    PERFORM neon_auth_internal.lock_mirror('user', erase_user.id, true);
    -- A row even for a user that is not known yet, whose creation may arrive later. Writers of arrays do not
    -- take the lock, so the row may appear at this moment.
    INSERT INTO neon_auth_internal.users_sync (raw_json, updated_at, deleted_at)
    SELECT object, moment, moment FROM clock_timestamp() AS moment
        ON CONFLICT (id) DO NOTHING;
    erased := FOUND;
    UPDATE neon_auth_internal.users_sync AS u
       SET raw_json = neon_auth_internal.erased(u.raw_json), updated_at = moment,
           deleted_at = coalesce(u.deleted_at, moment)
      FROM clock_timestamp() AS moment
     WHERE u.id = erase_user.id AND (u.deleted_at IS NULL OR u.raw_json <> neon_auth_internal.erased(u.raw_json));
    erased := erased OR FOUND;
    PERFORM neon_auth_internal.forget_user(erase_user.id);
    DELETE FROM neon_auth_internal.sync_scan s WHERE s.user_id = erase_user.id;
    DELETE FROM neon_auth_internal.sync_scan_users s WHERE s.id = erase_user.id;
    DELETE FROM neon_auth_internal.sync_listed l WHERE l.user_id = erase_user.id;
    DELETE FROM neon_auth_internal.sync_team_members m WHERE m.user_id = erase_user.id;
    PERFORM neon_auth_internal.forget_api_keys(ARRAY[erase_user.id]);
    RETURN erased;
END
$$;
COMMENT ON FUNCTION neon_auth.erase_user(text) IS
    'Deletes a user for good and erases all its data but id and times, which later events need. Returns true if '
    'the row changed';
REVOKE ALL ON FUNCTION neon_auth.erase_user(text) FROM PUBLIC;

-- place is the one that the last call returned. Deleted users have no memberships or permissions to delete.
CREATE FUNCTION neon_auth_internal.erase_deleted(seconds bigint, place jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    users text[];
    reached jsonb;
BEGIN
    WITH next AS MATERIALIZED (
        SELECT u.id, u.deleted_at
          FROM neon_auth_internal.users_sync u
         WHERE u.deleted_at < now() - make_interval(secs => seconds)
           AND (u.deleted_at, u.id) > ((place ->> 0)::timestamptz, place ->> 1)
         ORDER BY u.deleted_at, u.id
         LIMIT 1000
    ), erased AS (
        UPDATE neon_auth_internal.users_sync u
           SET raw_json = neon_auth_internal.erased(u.raw_json), updated_at = clock_timestamp()
          FROM next n
         WHERE u.id = n.id AND u.deleted_at IS NOT NULL AND u.raw_json <> neon_auth_internal.erased(u.raw_json)
    )
    SELECT array_agg(n.id), (array_agg(jsonb_build_array(n.deleted_at, n.id) ORDER BY n.deleted_at DESC, n.id DESC))[1]
      INTO users, reached
      FROM next n;
    PERFORM neon_auth_internal.forget_api_keys(users);
    RETURN reached;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.erase_deleted(bigint, jsonb) IS
    'Erases the next 1000 users that were deleted so many seconds ago; returns the place to continue from, NULL '
    'at the end';
