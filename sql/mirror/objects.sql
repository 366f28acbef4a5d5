-- The one writer of users and teams.

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

-- As neon_auth_internal.write_users().
CREATE FUNCTION neon_auth_internal.write_teams(given jsonb, moment timestamptz, OUT attempted bigint, OUT changed bigint)
LANGUAGE plpgsql SET enable_seqscan = off SET enable_indexscan = off
AS $$
DECLARE
    known integer[];
    new integer[];
    inserted bigint := 0;
BEGIN
    SELECT c.known, c.new INTO known, new FROM neon_auth_internal.changed_objects('team', given) AS c;
    attempted := coalesce(cardinality(known), 0) + coalesce(cardinality(new), 0);
    changed := 0;
    IF known IS NOT NULL THEN
        UPDATE neon_auth.teams_sync AS existing
           SET raw_json = differing.object, updated_at = clock_timestamp()
          FROM (SELECT given -> unnest((SELECT known)) AS object) AS differing
         WHERE existing.id = differing.object ->> 'id'
           -- Of no index's form, lest another one than that of the ids be used.
           AND (existing.deleted_at IS NOT NULL OR neon_auth_internal.is_since(existing.updated_at, moment)) IS NOT TRUE;
        GET DIAGNOSTICS changed = ROW_COUNT;
    END IF;
    IF new IS NOT NULL THEN
        -- Somebody else may insert the same at this moment.
        INSERT INTO neon_auth.teams_sync AS existing (raw_json, updated_at)
        SELECT given -> unnest(new), clock_timestamp()
            ON CONFLICT (id) DO UPDATE
           SET raw_json = excluded.raw_json, updated_at = excluded.updated_at
         WHERE (existing.deleted_at IS NOT NULL OR neon_auth_internal.is_since(existing.updated_at, moment)) IS NOT TRUE;
        GET DIAGNOSTICS inserted = ROW_COUNT;
    END IF;
    changed := changed + inserted;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.write_teams(jsonb, timestamptz) IS
    'Writes those of an array of teams that are new or differ, but over no row that has changed since a moment (NULL: over any); answers how many they are, and how many rows changed';
