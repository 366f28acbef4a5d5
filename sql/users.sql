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

CREATE FUNCTION neon_auth.user_defect(raw_json jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN raw_json IS NULL THEN 'It is NULL.'
    WHEN jsonb_typeof(raw_json) <> 'object'
        THEN format('It is a JSON %s, not an object.', jsonb_typeof(raw_json))
    WHEN NOT raw_json ? 'id' THEN 'It has no member "id".'
    WHEN jsonb_typeof(raw_json -> 'id') <> 'string'
        THEN format('Its "id" is a JSON %s, not a string.', jsonb_typeof(raw_json -> 'id'))
    WHEN octet_length(raw_json ->> 'id') NOT BETWEEN 1 AND 255
        THEN format('Its "id" has %s bytes, not 1 to 255.', octet_length(raw_json ->> 'id'))
    WHEN raw_json ->> 'signed_up_at_millis' IS NULL THEN NULL
    WHEN jsonb_typeof(raw_json -> 'signed_up_at_millis') <> 'number'
        THEN format('Its "signed_up_at_millis" is a JSON %s, not a number.',
                    jsonb_typeof(raw_json -> 'signed_up_at_millis'))
    WHEN (raw_json ->> 'signed_up_at_millis')::numeric NOT BETWEEN 0 AND 253402300799999
      OR (raw_json ->> 'signed_up_at_millis')::numeric % 1 <> 0
        THEN 'Its "signed_up_at_millis" is no whole number of milliseconds from 1970 to 9999.'
END;
COMMENT ON FUNCTION neon_auth.user_defect(jsonb) IS
    'Why a user object cannot become a row of users_sync, as a sentence; NULL when it can';
REVOKE ALL ON FUNCTION neon_auth.user_defect(jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.upsert_users(raw_json jsonb) RETURNS bigint
LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    defective record;
    given bigint;
    changed bigint;
    ignored bigint;
BEGIN
    IF jsonb_typeof(raw_json) <> 'array' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'users must come as a JSON array',
            DETAIL = format('It is a JSON %s.', jsonb_typeof(raw_json)),
            HINT = 'For one user: SELECT neon_auth.upsert_user(''{"id": "..."}'');';
    END IF;
    SELECT n - 1 AS index, neon_auth.user_defect(u) AS reason INTO defective
      FROM jsonb_array_elements(raw_json) WITH ORDINALITY AS given(u, n)
     WHERE neon_auth.user_defect(u) IS NOT NULL
     ORDER BY n LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the user at index %s is malformed', defective.index),
            DETAIL = defective.reason,
            HINT = 'No user of the array was written. Indexes count from 0.';
    END IF;

    -- The last of several objects for one id counts; in order of id, so that two calls at once
    -- lock rows in the same order.
    WITH incoming AS (
        SELECT DISTINCT ON (u ->> 'id') u
          FROM jsonb_array_elements(raw_json) WITH ORDINALITY AS given(u, n)
         ORDER BY u ->> 'id', n DESC
    ), written AS (
        INSERT INTO neon_auth.users_sync AS existing (raw_json, updated_at)
        SELECT u, now() FROM incoming
            ON CONFLICT (id) DO UPDATE
           SET raw_json = excluded.raw_json, updated_at = excluded.updated_at
         WHERE existing.deleted_at IS NULL AND existing.raw_json <> excluded.raw_json
        RETURNING 1
    )
    SELECT (SELECT count(*) FROM incoming), (SELECT count(*) FROM written) INTO given, changed;

    IF changed < given THEN
        SELECT count(*) INTO ignored
          FROM (SELECT DISTINCT u ->> 'id' AS id FROM jsonb_array_elements(raw_json) AS given(u)) AS incoming
          JOIN neon_auth.users_sync AS existing USING (id)
         WHERE existing.deleted_at IS NOT NULL;
        IF ignored > 0 THEN
            RAISE NOTICE USING
                MESSAGE = 'updates of deleted users were ignored',
                DETAIL = format('%s of the users given are deleted, and a deletion is final.', ignored);
        END IF;
    END IF;
    RETURN changed;
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

CREATE FUNCTION neon_auth.delete_user(id text) RETURNS boolean
LANGUAGE plpgsql STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE neon_auth.users_sync AS u
       SET deleted_at = now(), updated_at = now()
     WHERE u.id = delete_user.id AND u.deleted_at IS NULL;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION neon_auth.delete_user(text) IS
    'Marks a user as deleted, for good; the row stays, for foreign keys and history. Answers whether the row changed';
REVOKE ALL ON FUNCTION neon_auth.delete_user(text) FROM PUBLIC;
