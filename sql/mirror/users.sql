-- The users of the auth service, as rows.

CREATE TABLE neon_auth.users_sync (
    raw_json   jsonb NOT NULL,
    id         text GENERATED ALWAYS AS (raw_json ->> 'id') STORED NOT NULL,
    name       text GENERATED ALWAYS AS (raw_json ->> 'display_name') STORED,
    email      text GENERATED ALWAYS AS (raw_json ->> 'primary_email') STORED,
    created_at timestamptz GENERATED ALWAYS AS
               (to_timestamp(trunc((raw_json ->> 'signed_up_at_millis')::bigint::double precision) / 1000::double precision)) STORED,
    updated_at timestamptz,
    deleted_at timestamptz,
    CONSTRAINT users_sync_pkey PRIMARY KEY (id)
);
CREATE INDEX users_sync_deleted_at_idx ON neon_auth.users_sync (deleted_at);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.users_sync', '');

COMMENT ON TABLE neon_auth.users_sync IS
    'The users of the auth service, one row each; kept by neon_auth, deleted softly. Join with LEFT JOIN and deleted_at IS NULL';
COMMENT ON COLUMN neon_auth.users_sync.raw_json IS 'The user object of the auth service, as it sent it; of an erased user id and sign-up time alone';
COMMENT ON COLUMN neon_auth.users_sync.id IS 'User id, the claim sub of its tokens; text, so foreign keys to it are text too';
COMMENT ON COLUMN neon_auth.users_sync.name IS 'Display name';
COMMENT ON COLUMN neon_auth.users_sync.email IS 'Primary e-mail address';
COMMENT ON COLUMN neon_auth.users_sync.created_at IS 'When the user signed up, with milliseconds';
COMMENT ON COLUMN neon_auth.users_sync.updated_at IS 'When this row last changed here, by the clock and not by the transaction; an answer that was asked for later counts more';
COMMENT ON COLUMN neon_auth.users_sync.deleted_at IS 'When the user was deleted; NULL while it exists';
COMMENT ON INDEX neon_auth.users_sync_deleted_at_idx IS 'For queries over living or deleted users';

-- What all who write arrays of users or teams have in common; all that is left to them is to write.
CREATE FUNCTION neon_auth_internal.changed_objects(kind text, given jsonb, OUT known integer[], OUT new integer[]) RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'changed_objects_wrapper';
COMMENT ON FUNCTION neon_auth_internal.changed_objects(text, jsonb) IS
    'Of an array of users or teams (kind: user or team) the last object for each id, in the order of ids, by its number in the array: those that differ from their row, and those that have none; an error if one is malformed';

CREATE FUNCTION neon_auth_internal.user_defect(raw_json jsonb) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'user_defect_wrapper';
COMMENT ON FUNCTION neon_auth_internal.user_defect(jsonb) IS
    'Why a user object cannot become a row of users_sync, as a sentence; NULL when it can';

-- What is known is updated, and only what is new is inserted: an INSERT … ON CONFLICT DO UPDATE locks
-- a row as if its key changed, because id is generated from raw_json, and so waits for, and deadlocks
-- with, every transaction of the application that has written a reference to it.
--
-- Known rows are found one by one over an index, in the order of the ids, whatever the planner believes
-- of a table that was empty a moment ago: two calls at once are not to deadlock.
CREATE FUNCTION neon_auth_internal.write_users(given jsonb, moment timestamptz, OUT attempted bigint, OUT changed bigint)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_indexscan = off
AS $$
DECLARE
    known integer[];
    new integer[];
    inserted bigint := 0;
BEGIN
    SELECT c.known, c.new INTO known, new FROM neon_auth_internal.changed_objects('user', given) AS c;
    attempted := coalesce(cardinality(known), 0) + coalesce(cardinality(new), 0);
    changed := 0;
    IF known IS NOT NULL THEN
        UPDATE neon_auth.users_sync AS existing
           SET raw_json = differing.object, updated_at = clock_timestamp()
          FROM (SELECT given -> unnest((SELECT known)) AS object) AS differing
         WHERE existing.id = differing.object ->> 'id'
           -- Of no index's form, lest another one than that of the ids be used.
           AND (existing.deleted_at IS NOT NULL OR neon_auth_internal.is_since(existing.updated_at, moment)) IS NOT TRUE;
        GET DIAGNOSTICS changed = ROW_COUNT;
    END IF;
    IF new IS NOT NULL THEN
        -- Somebody else may insert the same at this moment.
        INSERT INTO neon_auth.users_sync AS existing (raw_json, updated_at)
        SELECT given -> unnest(new), clock_timestamp()
            ON CONFLICT (id) DO UPDATE
           SET raw_json = excluded.raw_json, updated_at = excluded.updated_at
         WHERE (existing.deleted_at IS NOT NULL OR neon_auth_internal.is_since(existing.updated_at, moment)) IS NOT TRUE;
        GET DIAGNOSTICS inserted = ROW_COUNT;
    END IF;
    changed := changed + inserted;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.write_users(jsonb, timestamptz) IS
    'Writes those of an array of users that are new or differ, but over no row that has changed since a moment (NULL: over any); answers how many they are, and how many rows changed';

CREATE FUNCTION neon_auth.upsert_users(raw_json jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- #> '{}' is the same out of TOAST: else that would be done for each of its elements. NULL is
    -- refused as JSON's null is: it comes from a variable that is not set.
    RETURN (SELECT w.changed FROM neon_auth_internal.write_users(coalesce(raw_json #> '{}', 'null'), NULL) AS w);
END
$$;
COMMENT ON FUNCTION neon_auth.upsert_users(jsonb) IS
    'Writes an array of user objects into users_sync, all or none; answers how many rows changed. A deleted user stays deleted';
REVOKE ALL ON FUNCTION neon_auth.upsert_users(jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.upsert_user(raw_json jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    defect CONSTANT text := neon_auth_internal.user_defect(coalesce(raw_json, 'null'));
BEGIN
    IF defect IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the user is malformed',
            DETAIL = defect,
            HINT = 'Pass the user object as the auth service sends it: {"id": "...", "display_name": "...", ...}';
    END IF;
    RETURN neon_auth.upsert_users(jsonb_build_array(raw_json)) > 0;
END
$$;
COMMENT ON FUNCTION neon_auth.upsert_user(jsonb) IS
    'Writes a user object of the auth service into users_sync; answers whether the row changed. A deleted user stays deleted';
REVOKE ALL ON FUNCTION neon_auth.upsert_user(jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth_internal.forget_user(id text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM neon_auth.team_members_sync WHERE user_id = id;
    DELETE FROM neon_auth.team_permissions_sync WHERE user_id = id;
    DELETE FROM neon_auth.project_permissions_sync WHERE user_id = id;
    DELETE FROM neon_auth_internal.removals WHERE user_id = id;
    DELETE FROM neon_auth.sync_queue WHERE user_id = id;
$$;
COMMENT ON FUNCTION neon_auth_internal.forget_user(text) IS 'Ends the memberships and permissions of a user who is deleted';

CREATE FUNCTION neon_auth.delete_user(id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF delete_user.id IS NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the user is malformed',
            DETAIL = neon_auth_internal.user_defect('{"id": null}'),
            HINT = 'Pass the id of the user: SELECT neon_auth.delete_user(''...'');';
    END IF;
    PERFORM neon_auth_internal.lock_mirror('user', delete_user.id, true);
    UPDATE neon_auth.users_sync AS u
       SET deleted_at = moment, updated_at = moment
      FROM clock_timestamp() AS moment
     WHERE u.id = delete_user.id AND u.deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM neon_auth_internal.forget_user(delete_user.id);
    RETURN true;
END
$$;
COMMENT ON FUNCTION neon_auth.delete_user(text) IS
    'Marks a user as deleted, for good, and ends its memberships and permissions; the row stays, for foreign keys and history. Answers whether the row changed';
REVOKE ALL ON FUNCTION neon_auth.delete_user(text) FROM PUBLIC;

-- An erased user is a deleted one of whom nothing else is known. It needs no mark of its own: a deletion
-- is final for all who write users, and a dump carries deleted_at.
CREATE FUNCTION neon_auth_internal.erased(raw_json jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN jsonb_strip_nulls(jsonb_build_object('id', raw_json -> 'id', 'signed_up_at_millis', raw_json -> 'signed_up_at_millis'));
COMMENT ON FUNCTION neon_auth_internal.erased(jsonb) IS 'What is left of a user object once the user is erased: the id and the time of sign-up';

CREATE FUNCTION neon_auth.erase_user(id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    object constant jsonb := jsonb_build_object('id', erase_user.id);
    erased boolean;
BEGIN
    IF neon_auth_internal.user_defect(object) IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the user is malformed',
            DETAIL = neon_auth_internal.user_defect(object),
            HINT = 'Pass the id of the user: SELECT neon_auth.erase_user(''...'');';
    END IF;
    PERFORM neon_auth_internal.lock_mirror('user', erase_user.id, true);
    -- A row even for a user of whom no event has told yet: its creation may come later. Whoever writes
    -- arrays takes no lock of ours.
    INSERT INTO neon_auth.users_sync (raw_json, updated_at, deleted_at)
    SELECT object, moment, moment FROM clock_timestamp() AS moment
        ON CONFLICT ON CONSTRAINT users_sync_pkey DO NOTHING;
    erased := FOUND;
    UPDATE neon_auth.users_sync AS u
       SET raw_json = neon_auth_internal.erased(u.raw_json), updated_at = moment, deleted_at = coalesce(u.deleted_at, moment)
      FROM clock_timestamp() AS moment
     WHERE u.id = erase_user.id AND (u.deleted_at IS NULL OR u.raw_json <> neon_auth_internal.erased(u.raw_json));
    erased := erased OR FOUND;
    PERFORM neon_auth_internal.forget_user(erase_user.id);
    DELETE FROM neon_auth_internal.sync_scan s WHERE s.user_id = erase_user.id;
    DELETE FROM neon_auth_internal.sync_listed l WHERE l.user_id = erase_user.id;
    RETURN erased;
END
$$;
COMMENT ON FUNCTION neon_auth.erase_user(text) IS
    'Deletes a user for good and all that is known of the user, but for the id and times, which later events need. Answers whether the row changed';
REVOKE ALL ON FUNCTION neon_auth.erase_user(text) FROM PUBLIC;

-- place is that of the last row looked at, as this function answers it. Whoever was deleted has no
-- memberships or permissions any more.
CREATE FUNCTION neon_auth_internal.erase_deleted(seconds bigint, place jsonb) RETURNS jsonb
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    WITH next AS MATERIALIZED (
        SELECT u.id, u.deleted_at
          FROM neon_auth.users_sync u
         WHERE u.deleted_at < now() - make_interval(secs => seconds)
           AND (u.deleted_at, u.id) > ((place ->> 0)::timestamptz, place ->> 1)
         ORDER BY u.deleted_at, u.id
         LIMIT 1000
    ), erased AS (
        UPDATE neon_auth.users_sync u
           SET raw_json = neon_auth_internal.erased(u.raw_json), updated_at = clock_timestamp()
          FROM next n
         WHERE u.id = n.id AND u.deleted_at IS NOT NULL AND u.raw_json <> neon_auth_internal.erased(u.raw_json)
    )
    SELECT jsonb_build_array(n.deleted_at, n.id) FROM next n ORDER BY n.deleted_at DESC, n.id DESC LIMIT 1;
$$;
COMMENT ON FUNCTION neon_auth_internal.erase_deleted(bigint, jsonb) IS
    'Erases the next thousand users after a place who were deleted so many seconds ago; answers the next place, NULL when there are no more';

-- Under the search_path of handle_webhook, which calls it.
CREATE FUNCTION neon_auth_internal.apply_user(action text, given jsonb) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    locked constant boolean := neon_auth_internal.lock_mirror('user', given ->> 'id', true);
    standing text;
BEGIN
    IF action = 'deleted' THEN
        -- A row even for a user that nobody has told of yet: its creation may come later.
        INSERT INTO neon_auth.users_sync AS u (raw_json, updated_at, deleted_at)
        SELECT jsonb_build_object('id', given ->> 'id'), moment, moment FROM clock_timestamp() AS moment
            ON CONFLICT (id) DO UPDATE
           SET updated_at = excluded.updated_at, deleted_at = excluded.deleted_at
         WHERE u.deleted_at IS NULL;
        IF NOT FOUND THEN
            RETURN neon_auth_internal.outcome('unchanged', 'The user is deleted already.');
        END IF;
        PERFORM neon_auth_internal.forget_user(given ->> 'id');
        RETURN neon_auth_internal.outcome('applied');
    END IF;

    standing := neon_auth_internal.standing('user', given);
    IF standing = 'unknown' THEN
        -- Whoever writes arrays takes no lock of ours, and may be first.
        INSERT INTO neon_auth.users_sync (raw_json, updated_at) VALUES (given, clock_timestamp()) ON CONFLICT (id) DO NOTHING;
        IF FOUND THEN
            RETURN neon_auth_internal.outcome('applied');
        END IF;
        standing := neon_auth_internal.standing('user', given);
    END IF;
    IF standing = 'deleted' THEN
        RETURN neon_auth_internal.outcome('ignored', 'The user is deleted.');
    ELSIF standing = 'equal' THEN
        RETURN neon_auth_internal.outcome('unchanged');
    ELSIF action = 'created' THEN
        RETURN neon_auth_internal.outcome('ignored', 'What is known of the user is newer than its creation.');
    END IF;
    IF standing <> 'newer' THEN
        PERFORM neon_auth_internal.queue_sync('user', '', given ->> 'id', 'Which of its updates is the latest cannot be told.');
        IF standing = 'older' THEN
            RETURN neon_auth_internal.outcome('ignored', 'What is known of the user looks newer.', queued => true);
        END IF;
    END IF;
    UPDATE neon_auth.users_sync u SET raw_json = given, updated_at = clock_timestamp() WHERE u.id = given ->> 'id';
    RETURN neon_auth_internal.outcome('applied', queued => standing = 'unclear');
END
$$;
COMMENT ON FUNCTION neon_auth_internal.apply_user(text, jsonb) IS 'Applies a user''s event: created, updated or deleted';
