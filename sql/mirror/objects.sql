-- The one writer of users and teams. kind is user or team.

-- Finds what has to be written; SQL only writes it.
CREATE FUNCTION neon_auth_internal.changed_objects(
    kind text, given jsonb, OUT known integer[], OUT new integer[]) RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'changed_objects_wrapper';
COMMENT ON FUNCTION neon_auth_internal.changed_objects(text, jsonb) IS
    'Positions in an array of the objects that differ from their row, and of those without a row';

-- A response has thousands of objects that equal their row. They are compared as text: converting them to jsonb
-- costs several times as much.
CREATE FUNCTION neon_auth_internal.changed_in_page(
    kind text, objects text[], OUT ids text[], OUT known integer[], OUT new integer[], OUT cleaned text[])
RETURNS SETOF record
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE ROWS 1 AS 'MODULE_PATHNAME', 'changed_in_page_wrapper';
COMMENT ON FUNCTION neon_auth_internal.changed_in_page(text, text[]) IS
    'The ids of objects of the REST API, the places of those that change a row or have none, and what to write if '
    'not the objects themselves';

CREATE FUNCTION neon_auth_internal.id_of(object text) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'id_of_wrapper';
COMMENT ON FUNCTION neon_auth_internal.id_of(text) IS 'The id of an object, as JSON text; NULL if it has none';

CREATE FUNCTION neon_auth_internal.is_alike(kind text, known jsonb, given jsonb) RETURNS boolean
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'is_alike_wrapper';
COMMENT ON FUNCTION neon_auth_internal.is_alike(text, jsonb, jsonb) IS
    'Returns true if an object of a REST response does not change a row: a user''s last_active_at_millis by less '
    'than 24 h does not';

CREATE FUNCTION neon_auth_internal.object_defect(kind text, object jsonb) RETURNS text
LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'object_defect_wrapper';
COMMENT ON FUNCTION neon_auth_internal.object_defect(text, jsonb) IS
    'Returns why an object cannot become a row, as a sentence; NULL if it can';

CREATE FUNCTION neon_auth_internal.check_object(kind text, object jsonb, hint text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    -- NULL is refused as JSON's null is: it comes from a variable that is not set.
    defect CONSTANT text := neon_auth_internal.object_defect(kind, coalesce(object, 'null'));
BEGIN
    IF defect IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'invalid_parameter_value',
            MESSAGE = format('the %s is malformed', kind),
            DETAIL = defect,
            HINT = hint;
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.check_object(text, jsonb, text) IS 'Fails if an object cannot become a row';

-- moment is when the source was asked for the object; NULL replaces every living row. With a moment, the object is
-- of a REST response.
CREATE FUNCTION neon_auth_internal.stays(deleted_at timestamptz, updated_at timestamptz, moment timestamptz)
RETURNS boolean
LANGUAGE sql
AS $$ SELECT deleted_at IS NOT NULL OR neon_auth_internal.is_since(updated_at, moment) $$;
COMMENT ON FUNCTION neon_auth_internal.stays(timestamptz, timestamptz, timestamptz) IS
    'Returns true for a row that is not replaced: it is deleted, or has changed since the moment';

-- What is known is updated, and only what is new is inserted: an INSERT … ON CONFLICT DO UPDATE locks
-- a row as if its key changed, because id is generated from raw_json, and so waits for, and deadlocks
-- with, every transaction of the application that has written a reference to it.
--
-- Known rows are found one by one over an index, in the order of the ids, whatever the planner believes
-- of a table that was empty a moment ago: two calls at once are not to deadlock. IS NOT TRUE has the form
-- of no index, so that no other index than that of the ids is used. One plan for all calls: a plan for each of
-- the first calls of a session would contain copies of the whole array, and cost as much as the writing.
--
-- New rows before known ones, because a user whom one call finds new may be known to another, which began later.
-- Whoever inserts holds no rows but those that he has inserted, of which nobody else knows; whoever updates waits for
-- nobody who inserts; and both go in the order of the ids.
--
-- known and new are places, counted from 0, in given or in texts. Texts are converted one by one: a whole response as
-- jsonb needs much memory, and most of the time to convert it is for that. Nothing else is done with them, because
-- each function that makes an array of them copies all.
CREATE FUNCTION neon_auth_internal.write_rows(
    kind text, given jsonb, texts text[], known integer[], new integer[], moment timestamptz)
RETURNS bigint
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_indexscan = off
AS $$
DECLARE
    changed bigint := 0;
    inserted bigint := 0;
    others integer[] := ARRAY[]::integer[];
BEGIN
    IF cardinality(new) = 1 THEN
        -- Without a subtransaction: a transaction of many such calls would have one for each, and with more than 64 of
        -- them all sessions take longer to see which rows are visible.
        others := neon_auth_internal.insert_rows(kind, given, texts, new);
        inserted := cardinality(new) - cardinality(others);
    ELSIF new IS NOT NULL THEN
        -- ON CONFLICT searches the index once more for each row, and is needed only if another transaction has
        -- inserted the same at this moment.
        BEGIN
            IF kind = 'user' THEN
                INSERT INTO neon_auth_internal.users_sync (raw_json, updated_at)
                SELECT coalesce(given -> place, texts[place + 1]::jsonb), clock_timestamp() FROM unnest(new) AS place;
            ELSE
                INSERT INTO neon_auth_internal.teams_sync (raw_json, updated_at)
                SELECT coalesce(given -> place, texts[place + 1]::jsonb), clock_timestamp() FROM unnest(new) AS place;
            END IF;
            GET DIAGNOSTICS inserted = ROW_COUNT;
        EXCEPTION WHEN unique_violation THEN
            others := neon_auth_internal.insert_rows(kind, given, texts, new);
            inserted := cardinality(new) - cardinality(others);
        END;
    END IF;
    IF cardinality(others) > 0 THEN
        known := ARRAY(SELECT place FROM unnest(known || others) AS place
                        ORDER BY coalesce(given -> place, texts[place + 1]::jsonb) ->> 'id' COLLATE "C");
    END IF;
    -- OFFSET 0, or each use of an object would convert it again.
    IF known IS NOT NULL THEN
        IF kind = 'user' THEN
            UPDATE neon_auth_internal.users_sync AS existing
               SET raw_json = differing.object, updated_at = clock_timestamp()
              FROM (SELECT coalesce(given -> place, texts[place + 1]::jsonb) AS object
                      FROM unnest(known) AS place OFFSET 0) AS differing
             WHERE existing.id = differing.object ->> 'id'
               AND neon_auth_internal.stays(existing.deleted_at, existing.updated_at, moment) IS NOT TRUE;
        ELSE
            UPDATE neon_auth_internal.teams_sync AS existing
               SET raw_json = differing.object, updated_at = clock_timestamp()
              FROM (SELECT coalesce(given -> place, texts[place + 1]::jsonb) AS object
                      FROM unnest(known) AS place OFFSET 0) AS differing
             WHERE existing.id = differing.object ->> 'id'
               AND neon_auth_internal.stays(existing.deleted_at, existing.updated_at, moment) IS NOT TRUE;
        END IF;
        GET DIAGNOSTICS changed = ROW_COUNT;
    END IF;
    RETURN changed + inserted;
END
$$;
COMMENT ON FUNCTION
    neon_auth_internal.write_rows(text, jsonb, text[], integer[], integer[], timestamptz) IS
    'Writes known and new objects, at places of given or texts, but not over rows that stay; counts changed rows';

CREATE FUNCTION neon_auth_internal.insert_rows(kind text, given jsonb, texts text[], new integer[]) RETURNS integer[]
LANGUAGE plpgsql
AS $$
DECLARE
    place integer;
    others integer[] := ARRAY[]::integer[];
BEGIN
    FOREACH place IN ARRAY new LOOP
        IF kind = 'user' THEN
            INSERT INTO neon_auth_internal.users_sync (raw_json, updated_at)
            VALUES (coalesce(given -> place, texts[place + 1]::jsonb), clock_timestamp())
                ON CONFLICT (id) DO NOTHING;
        ELSE
            INSERT INTO neon_auth_internal.teams_sync (raw_json, updated_at)
            VALUES (coalesce(given -> place, texts[place + 1]::jsonb), clock_timestamp())
                ON CONFLICT (id) DO NOTHING;
        END IF;
        IF NOT FOUND THEN
            others := others || place;
        END IF;
    END LOOP;
    RETURN others;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.insert_rows(text, jsonb, text[], integer[]) IS
    'Inserts objects one by one; returns the places of those that have a row by now, or that a trigger has kept out';

CREATE FUNCTION neon_auth_internal.write_objects(kind text, given jsonb) RETURNS bigint
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    known integer[];
    new integer[];
BEGIN
    SELECT c.known, c.new INTO known, new FROM neon_auth_internal.changed_objects(kind, given) AS c;
    RETURN neon_auth_internal.write_rows(kind, given, NULL, known, new, NULL);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.write_objects(text, jsonb) IS
    'Writes the new and the changed objects of an array; returns how many rows changed';

-- The service may report the deletion of an object that is not known yet, whose creation may arrive later: it gets a
-- row. The service cannot delete the users of other providers.
CREATE FUNCTION neon_auth_internal.delete_object(kind text, id text, by_service boolean) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    -- Taken here, where PL/pgSQL needs no query; before the time.
    locked constant boolean := neon_auth_internal.lock_mirror(delete_object.kind, delete_object.id, true);
    object constant jsonb := jsonb_build_object('id', delete_object.id);
    moment constant timestamptz := clock_timestamp();
BEGIN
    IF delete_object.kind = 'user' THEN
        UPDATE neon_auth_internal.users_sync AS u SET deleted_at = moment, updated_at = moment
         WHERE u.id = delete_object.id AND u.deleted_at IS NULL
           AND (NOT by_service OR neon_auth_internal.is_of_provider(
                    u.raw_json, (SELECT s.provider FROM neon_auth_internal.source s)));
        IF NOT FOUND AND by_service THEN
            INSERT INTO neon_auth_internal.users_sync AS u (raw_json, updated_at, deleted_at)
            VALUES (object, moment, moment)
                ON CONFLICT (id) DO UPDATE
               SET updated_at = excluded.updated_at, deleted_at = excluded.deleted_at
             WHERE u.deleted_at IS NULL
               AND neon_auth_internal.is_of_provider(
                       u.raw_json, (SELECT s.provider FROM neon_auth_internal.source s));
        END IF;
        IF FOUND THEN
            PERFORM neon_auth_internal.forget_user(delete_object.id);
            RETURN true;
        END IF;
    ELSE
        UPDATE neon_auth_internal.teams_sync AS t SET deleted_at = moment, updated_at = moment
         WHERE t.id = delete_object.id AND t.deleted_at IS NULL;
        IF NOT FOUND AND by_service THEN
            INSERT INTO neon_auth_internal.teams_sync AS t (raw_json, updated_at, deleted_at)
            VALUES (object, moment, moment)
                ON CONFLICT (id) DO UPDATE
               SET updated_at = excluded.updated_at, deleted_at = excluded.deleted_at WHERE t.deleted_at IS NULL;
        END IF;
        IF FOUND THEN
            PERFORM neon_auth_internal.forget_team(delete_object.id);
            RETURN true;
        END IF;
    END IF;
    RETURN false;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.delete_object(text, text, boolean) IS
    'Marks a user or team as deleted and ends its memberships and permissions; returns true if the row changed';
