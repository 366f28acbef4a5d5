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
COMMENT ON COLUMN neon_auth.users_sync.raw_json IS 'The user object of the auth service, as it sent it';
COMMENT ON COLUMN neon_auth.users_sync.id IS 'User id, the claim sub of its tokens; text, so foreign keys to it are text too';
COMMENT ON COLUMN neon_auth.users_sync.name IS 'Display name';
COMMENT ON COLUMN neon_auth.users_sync.email IS 'Primary e-mail address';
COMMENT ON COLUMN neon_auth.users_sync.created_at IS 'When the user signed up, with milliseconds';
COMMENT ON COLUMN neon_auth.users_sync.updated_at IS 'When this row last changed here';
COMMENT ON COLUMN neon_auth.users_sync.deleted_at IS 'When the user was deleted; NULL while it exists';
COMMENT ON INDEX neon_auth.users_sync_deleted_at_idx IS 'For queries over living or deleted users';

-- STABLE, as format() is: what is marked IMMUTABLE around it would not be inlined, and be called for
-- each user of an array.
CREATE FUNCTION neon_auth.id_defect(object jsonb, member text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN object IS NULL THEN 'It is NULL.'
    WHEN jsonb_typeof(object) <> 'object'
        THEN format('It is a JSON %s, not an object.', jsonb_typeof(object))
    WHEN NOT object ? member THEN format('It has no member "%s".', member)
    WHEN jsonb_typeof(object -> member) <> 'string'
        THEN format('Its "%s" is a JSON %s, not a string.', member, jsonb_typeof(object -> member))
    WHEN octet_length(object ->> member) NOT BETWEEN 1 AND 255
        THEN format('Its "%s" has %s bytes, not 1 to 255.', member, octet_length(object ->> member))
END;
COMMENT ON FUNCTION neon_auth.id_defect(jsonb, text) IS
    'Why a member of an object cannot be an id, as a sentence; NULL when it can';
REVOKE ALL ON FUNCTION neon_auth.id_defect(jsonb, text) FROM PUBLIC;

CREATE FUNCTION neon_auth.millis_defect(object jsonb, member text) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN object ->> member IS NULL THEN NULL
    WHEN jsonb_typeof(object -> member) <> 'number'
        THEN format('Its "%s" is a JSON %s, not a number.', member, jsonb_typeof(object -> member))
    WHEN (object -> member)::numeric NOT BETWEEN 0 AND 253402300799999 OR scale((object -> member)::numeric) > 0
        THEN format('Its "%s" is no whole number of milliseconds from 1970 to 9999.', member)
END;
COMMENT ON FUNCTION neon_auth.millis_defect(jsonb, text) IS
    'Why a member of an object cannot be a time in milliseconds, as a sentence; NULL when it can, or is not there';
REVOKE ALL ON FUNCTION neon_auth.millis_defect(jsonb, text) FROM PUBLIC;

CREATE FUNCTION neon_auth.user_defect(raw_json jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(neon_auth.id_defect(raw_json, 'id'), neon_auth.millis_defect(raw_json, 'signed_up_at_millis'));
COMMENT ON FUNCTION neon_auth.user_defect(jsonb) IS
    'Why a user object cannot become a row of users_sync, as a sentence; NULL when it can';
REVOKE ALL ON FUNCTION neon_auth.user_defect(jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.upsert_users(raw_json jsonb) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    done record;
    ignored bigint;
BEGIN
    IF jsonb_typeof(raw_json) <> 'array' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'users must come as a JSON array',
            DETAIL = format('It is a JSON %s.', jsonb_typeof(raw_json)),
            HINT = 'For one user: SELECT neon_auth.upsert_user(''{"id": "..."}'');';
    END IF;

    -- One pass over the array. One malformed user, and nothing is written. The last of several
    -- objects for one id counts; in order of id, so that two calls at once lock rows in the same
    -- order. What would change nothing is left out before it costs a row lock.
    WITH given AS MATERIALIZED (
        SELECT n, u, u ->> 'id' AS id, neon_auth.user_defect(u) AS defect
          FROM jsonb_array_elements(raw_json) WITH ORDINALITY AS elements(u, n)
    ), malformed AS (
        SELECT n - 1 AS index, defect FROM given WHERE defect IS NOT NULL ORDER BY n LIMIT 1
    ), latest AS (
        SELECT DISTINCT ON (id COLLATE "C") id, u
          FROM given
         WHERE NOT EXISTS (SELECT FROM malformed)
         ORDER BY id COLLATE "C", n DESC
    ), written AS (
        INSERT INTO neon_auth.users_sync AS existing (raw_json, updated_at)
        SELECT u, now()
          FROM latest
         WHERE (SELECT known.deleted_at IS NOT NULL OR known.raw_json = latest.u
                  FROM neon_auth.users_sync known WHERE known.id = latest.id) IS NOT TRUE
            ON CONFLICT (id) DO UPDATE
           SET raw_json = excluded.raw_json, updated_at = excluded.updated_at
         WHERE existing.deleted_at IS NULL AND existing.raw_json <> excluded.raw_json
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM latest) AS users, (SELECT count(*) FROM written) AS changed,
           (SELECT index FROM malformed) AS malformed, (SELECT defect FROM malformed) AS defect
      INTO done;

    IF done.malformed IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the user at index %s is malformed', done.malformed),
            DETAIL = done.defect,
            HINT = 'No user of the array was written. Indexes count from 0.';
    END IF;
    IF done.changed < done.users THEN
        SELECT count(*) INTO ignored
          FROM (SELECT DISTINCT u ->> 'id' AS id FROM jsonb_array_elements(raw_json) AS elements(u)) AS given
         WHERE (SELECT known.deleted_at FROM neon_auth.users_sync known WHERE known.id = given.id) IS NOT NULL;
        IF ignored > 0 THEN
            RAISE NOTICE USING
                MESSAGE = 'updates of deleted users were ignored',
                DETAIL = format('%s of the users given are deleted, and a deletion is final.', ignored);
        END IF;
    END IF;
    RETURN done.changed;
END
$$;
COMMENT ON FUNCTION neon_auth.upsert_users(jsonb) IS
    'Writes an array of user objects into users_sync, all or none; answers how many rows changed. A deleted user stays deleted';
REVOKE ALL ON FUNCTION neon_auth.upsert_users(jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.upsert_user(raw_json jsonb) RETURNS boolean
LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF neon_auth.user_defect(raw_json) IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'the user is malformed',
            DETAIL = neon_auth.user_defect(raw_json),
            HINT = 'Pass the user object as the auth service sends it: {"id": "...", "display_name": "...", ...}';
    END IF;
    RETURN neon_auth.upsert_users(jsonb_build_array(raw_json)) > 0;
END
$$;
COMMENT ON FUNCTION neon_auth.upsert_user(jsonb) IS
    'Writes a user object of the auth service into users_sync; answers whether the row changed. A deleted user stays deleted';
REVOKE ALL ON FUNCTION neon_auth.upsert_user(jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.forget_user(id text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM neon_auth.team_members_sync WHERE user_id = id;
    DELETE FROM neon_auth.team_permissions_sync WHERE user_id = id;
    DELETE FROM neon_auth.project_permissions_sync WHERE user_id = id;
    DELETE FROM neon_auth.removals WHERE user_id = id;
    DELETE FROM neon_auth.sync_queue WHERE user_id = id;
$$;
COMMENT ON FUNCTION neon_auth.forget_user(text) IS 'Ends the memberships and permissions of a user who is deleted';
REVOKE ALL ON FUNCTION neon_auth.forget_user(text) FROM PUBLIC;

CREATE FUNCTION neon_auth.delete_user(id text) RETURNS boolean
LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM neon_auth.lock_mirror('user', delete_user.id, true);
    UPDATE neon_auth.users_sync AS u
       SET deleted_at = now(), updated_at = now()
     WHERE u.id = delete_user.id AND u.deleted_at IS NULL;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    PERFORM neon_auth.forget_user(delete_user.id);
    RETURN true;
END
$$;
COMMENT ON FUNCTION neon_auth.delete_user(text) IS
    'Marks a user as deleted, for good, and ends its memberships and permissions; the row stays, for foreign keys and history. Answers whether the row changed';
REVOKE ALL ON FUNCTION neon_auth.delete_user(text) FROM PUBLIC;

-- Under the search_path of handle_webhook, which calls it.
CREATE FUNCTION neon_auth.apply_user(action text, given jsonb) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    known record;
    is_newer boolean;
BEGIN
    PERFORM neon_auth.lock_mirror('user', given ->> 'id', true);
    IF action = 'deleted' THEN
        -- A row even for a user that nobody has told of yet: its creation may come later.
        INSERT INTO neon_auth.users_sync AS u (raw_json, updated_at, deleted_at)
        VALUES (jsonb_build_object('id', given ->> 'id'), now(), now())
            ON CONFLICT (id) DO UPDATE
           SET updated_at = excluded.updated_at, deleted_at = excluded.deleted_at
         WHERE u.deleted_at IS NULL;
        IF NOT FOUND THEN
            RETURN neon_auth.outcome('unchanged', 'The user is deleted already.');
        END IF;
        PERFORM neon_auth.forget_user(given ->> 'id');
        RETURN neon_auth.outcome('applied');
    END IF;

    SELECT u.raw_json, u.deleted_at INTO known FROM neon_auth.users_sync u WHERE u.id = given ->> 'id';
    IF NOT FOUND THEN
        INSERT INTO neon_auth.users_sync (raw_json, updated_at) VALUES (given, now());
        RETURN neon_auth.outcome('applied');
    ELSIF known.deleted_at IS NOT NULL THEN
        RETURN neon_auth.outcome('ignored', 'The user is deleted.');
    ELSIF known.raw_json = given THEN
        RETURN neon_auth.outcome('unchanged');
    ELSIF action = 'created' THEN
        RETURN neon_auth.outcome('ignored', 'What is known of the user is newer than its creation.');
    END IF;
    is_newer := neon_auth.is_newer(given, known.raw_json);
    IF is_newer IS NOT TRUE THEN
        PERFORM neon_auth.queue_sync('user', '', given ->> 'id', 'Which of its updates is the latest cannot be told.');
        IF NOT is_newer THEN
            RETURN neon_auth.outcome('ignored', 'What is known of the user looks newer.', queued => true);
        END IF;
    END IF;
    UPDATE neon_auth.users_sync u SET raw_json = given, updated_at = now() WHERE u.id = given ->> 'id';
    RETURN neon_auth.outcome('applied', queued => is_newer IS NULL);
END
$$;
COMMENT ON FUNCTION neon_auth.apply_user(text, jsonb) IS 'Applies a user''s event: created, updated or deleted';
REVOKE ALL ON FUNCTION neon_auth.apply_user(text, jsonb) FROM PUBLIC;
