-- The teams of the auth service, and who is in them.

CREATE TABLE neon_auth.teams_sync (
    raw_json   jsonb NOT NULL,
    id         text GENERATED ALWAYS AS (raw_json ->> 'id') STORED NOT NULL,
    name       text GENERATED ALWAYS AS (raw_json ->> 'display_name') STORED,
    created_at timestamptz GENERATED ALWAYS AS
               (to_timestamp(trunc((raw_json ->> 'created_at_millis')::bigint::double precision) / 1000::double precision)) STORED,
    updated_at timestamptz,
    deleted_at timestamptz,
    CONSTRAINT teams_sync_pkey PRIMARY KEY (id)
);
CREATE INDEX teams_sync_deleted_at_idx ON neon_auth.teams_sync (deleted_at);
CREATE INDEX teams_sync_deleted_idx ON neon_auth.teams_sync (id) WHERE deleted_at IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('neon_auth.teams_sync', '');
COMMENT ON TABLE neon_auth.teams_sync IS
    'The teams of the auth service, one row each; kept by neon_auth, deleted softly. Join with LEFT JOIN and deleted_at IS NULL';
COMMENT ON COLUMN neon_auth.teams_sync.raw_json IS 'The team object of the auth service, as it sent it';
COMMENT ON COLUMN neon_auth.teams_sync.id IS 'Team id; text, so foreign keys to it are text too';
COMMENT ON COLUMN neon_auth.teams_sync.name IS 'Display name';
COMMENT ON COLUMN neon_auth.teams_sync.created_at IS 'When the team was created, with milliseconds';
COMMENT ON COLUMN neon_auth.teams_sync.updated_at IS 'When this row last changed here, by the clock and not by the transaction; an answer that was asked for later counts more';
COMMENT ON COLUMN neon_auth.teams_sync.deleted_at IS 'When the team was deleted; NULL while it exists';
COMMENT ON INDEX neon_auth.teams_sync_deleted_at_idx IS 'For queries over living or deleted teams';
COMMENT ON INDEX neon_auth.teams_sync_deleted_idx IS 'For policies, which ask of each team whether it is deleted: the few that are';

-- No foreign keys: a membership may be told of before its team and its user are.
CREATE TABLE neon_auth.team_members_sync (
    team_id text NOT NULL
        CONSTRAINT team_members_sync_team_id_check CHECK (octet_length(team_id) BETWEEN 1 AND 255),
    user_id text NOT NULL
        CONSTRAINT team_members_sync_user_id_check CHECK (octet_length(user_id) BETWEEN 1 AND 255),
    webhook_id text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT team_members_sync_pkey PRIMARY KEY (team_id, user_id)
);
CREATE INDEX team_members_sync_user_id_idx ON neon_auth.team_members_sync (user_id, team_id);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.team_members_sync', '');
COMMENT ON TABLE neon_auth.team_members_sync IS 'Who is in which team; kept by neon_auth. A membership that ends is a row that goes';
COMMENT ON COLUMN neon_auth.team_members_sync.team_id IS 'The team, an id of teams_sync';
COMMENT ON COLUMN neon_auth.team_members_sync.user_id IS 'The member, an id of users_sync';
COMMENT ON COLUMN neon_auth.team_members_sync.webhook_id IS 'The webhook that told of it, an id of webhook_deliveries; NULL when it did not come by one';
COMMENT ON COLUMN neon_auth.team_members_sync.created_at IS 'When it became known here; an answer that was asked for later counts more';
COMMENT ON INDEX neon_auth.team_members_sync_user_id_idx IS 'The teams of a user';

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

CREATE FUNCTION neon_auth.upsert_teams(raw_json jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- #> '{}' is the same out of TOAST: else that would be done for each of its elements. NULL is
    -- refused as JSON's null is: it comes from a variable that is not set.
    RETURN (SELECT w.changed FROM neon_auth_internal.write_teams(coalesce(raw_json #> '{}', 'null'), NULL) AS w);
END
$$;
COMMENT ON FUNCTION neon_auth.upsert_teams(jsonb) IS
    'Writes an array of team objects into teams_sync, all or none; answers how many rows changed. A deleted team stays deleted';
REVOKE ALL ON FUNCTION neon_auth.upsert_teams(jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth_internal.forget_team(id text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM neon_auth.team_members_sync WHERE team_id = id;
    DELETE FROM neon_auth.team_permissions_sync WHERE team_id = id;
    DELETE FROM neon_auth_internal.removals WHERE team_id = id;
    DELETE FROM neon_auth.sync_queue WHERE team_id = id;
$$;
COMMENT ON FUNCTION neon_auth_internal.forget_team(text) IS 'Ends the memberships and permissions in a team that is deleted';

CREATE FUNCTION neon_auth_internal.apply_team(action text, team jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locked constant boolean := neon_auth_internal.lock_mirror('team', team ->> 'id', true);
    standing text;
BEGIN
    IF action = 'deleted' THEN
        -- A row even for a team that nobody has told of yet: its creation may come later.
        INSERT INTO neon_auth.teams_sync AS t (raw_json, updated_at, deleted_at)
        SELECT jsonb_build_object('id', team ->> 'id'), moment, moment FROM clock_timestamp() AS moment
            ON CONFLICT (id) DO UPDATE
           SET updated_at = excluded.updated_at, deleted_at = excluded.deleted_at
         WHERE t.deleted_at IS NULL;
        IF NOT FOUND THEN
            RETURN neon_auth_internal.outcome('unchanged', 'The team is deleted already.');
        END IF;
        PERFORM neon_auth_internal.forget_team(team ->> 'id');
        RETURN neon_auth_internal.outcome('applied');
    END IF;

    standing := neon_auth_internal.standing('team', team);
    IF standing = 'unknown' THEN
        -- Whoever writes arrays takes no lock of ours, and may be first.
        INSERT INTO neon_auth.teams_sync (raw_json, updated_at) VALUES (team, clock_timestamp()) ON CONFLICT (id) DO NOTHING;
        IF FOUND THEN
            -- No event tells who created it and is its first member.
            PERFORM neon_auth_internal.queue_sync('team', team ->> 'id', '', 'No event tells of its first member.');
            RETURN neon_auth_internal.outcome('applied', queued => true);
        END IF;
        standing := neon_auth_internal.standing('team', team);
    END IF;
    IF standing = 'deleted' THEN
        RETURN neon_auth_internal.outcome('ignored', 'The team is deleted.');
    ELSIF standing = 'equal' THEN
        RETURN neon_auth_internal.outcome('unchanged');
    ELSIF action = 'created' THEN
        RETURN neon_auth_internal.outcome('ignored', 'What is known of the team is newer than its creation.');
    END IF;
    UPDATE neon_auth.teams_sync t SET raw_json = team, updated_at = clock_timestamp() WHERE t.id = team ->> 'id';
    PERFORM neon_auth_internal.queue_sync('team', team ->> 'id', '', 'Which of its updates is the latest cannot be told.');
    RETURN neon_auth_internal.outcome('applied', queued => true);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.apply_team(text, jsonb) IS 'Applies a team''s event: created, updated or deleted';

CREATE FUNCTION neon_auth_internal.apply_membership(action text, team text, member text, webhook_id text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reason text := neon_auth_internal.ended(team, member);
    is_late boolean;
    was_told boolean;
BEGIN
    IF reason IS NOT NULL THEN
        RETURN neon_auth_internal.outcome('ignored', reason);
    END IF;
    IF action = 'created' THEN
        is_late := neon_auth_internal.match_removal('team_member', team, member, '');
        IF is_late IS NOT NULL THEN
            PERFORM neon_auth_internal.queue_sync('team_member', team, member, 'It was created and removed; which came last cannot be told.');
        END IF;
        IF is_late THEN
            RETURN neon_auth_internal.outcome('ignored', 'Its removal came first.', queued => true);
        END IF;
        INSERT INTO neon_auth.team_members_sync (team_id, user_id, webhook_id) VALUES (team, member, apply_membership.webhook_id)
            ON CONFLICT (team_id, user_id) DO NOTHING;
        RETURN neon_auth_internal.outcome(CASE WHEN FOUND THEN 'applied' ELSE 'unchanged' END, queued => is_late IS NOT NULL);
    END IF;

    DELETE FROM neon_auth.team_members_sync m
     WHERE m.team_id = team AND m.user_id = member
    RETURNING m.webhook_id IS NOT NULL INTO was_told;
    DELETE FROM neon_auth.team_permissions_sync p WHERE p.team_id = team AND p.user_id = member;
    PERFORM neon_auth_internal.note_removal('team_member', team, member, '', coalesce(was_told, false));
    -- No event tells of a creator's own membership, so not even the first removal need be the last word.
    PERFORM neon_auth_internal.queue_sync('team_member', team, member, 'It was removed; whether it was created again cannot be told.');
    RETURN neon_auth_internal.outcome(CASE WHEN was_told IS NULL THEN 'unchanged' ELSE 'applied' END,
                             CASE WHEN was_told IS NULL THEN 'There was no such membership; its creation may come late.' END,
                             queued => true);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.apply_membership(text, text, text, text) IS 'Applies a membership''s event: created or deleted';
