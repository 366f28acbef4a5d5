-- Teams of the auth service and their members.

CREATE TABLE neon_auth.teams_sync (
    raw_json   jsonb NOT NULL,
    id         text GENERATED ALWAYS AS (raw_json ->> 'id') STORED NOT NULL,
    name       text GENERATED ALWAYS AS (raw_json ->> 'display_name') STORED,
    created_at timestamptz GENERATED ALWAYS AS
               (to_timestamp(trunc((raw_json ->> 'created_at_millis')::bigint::double precision)
                             / 1000::double precision)) STORED,
    updated_at timestamptz,
    deleted_at timestamptz,
    CONSTRAINT teams_sync_pkey PRIMARY KEY (id)
);
CREATE VIEW neon_auth_internal.teams_sync AS TABLE neon_auth.teams_sync;
CREATE INDEX teams_sync_deleted_at_idx ON neon_auth.teams_sync (deleted_at);
CREATE INDEX teams_sync_deleted_idx ON neon_auth.teams_sync (id) WHERE deleted_at IS NOT NULL;
SELECT pg_catalog.pg_extension_config_dump('neon_auth.teams_sync', '');
COMMENT ON TABLE neon_auth.teams_sync IS
    'Teams of the auth service, maintained by neon_auth. Deleted teams keep their row: LEFT JOIN, with deleted_at '
    'IS NULL';
COMMENT ON COLUMN neon_auth.teams_sync.raw_json IS 'Team object of the auth service, unchanged';
COMMENT ON COLUMN neon_auth.teams_sync.id IS 'Team id; text, so foreign keys to it are text too';
COMMENT ON COLUMN neon_auth.teams_sync.name IS 'Display name';
COMMENT ON COLUMN neon_auth.teams_sync.created_at IS 'Time of creation, in milliseconds';
COMMENT ON COLUMN neon_auth.teams_sync.updated_at IS
    'Last change to this row (clock_timestamp()); a REST response requested later overrides it';
COMMENT ON COLUMN neon_auth.teams_sync.deleted_at IS 'Time of deletion; NULL while the team exists';
COMMENT ON INDEX neon_auth.teams_sync_deleted_at_idx IS 'For queries of existing or deleted teams';
COMMENT ON INDEX neon_auth.teams_sync_deleted_idx IS
    'For policies, which check of each team that it is not deleted; contains only deleted teams';

-- No foreign keys: a membership may be reported before its team and its user.
CREATE TABLE neon_auth.team_members_sync (
    team_id text NOT NULL
        CONSTRAINT team_members_sync_team_id_check CHECK (octet_length(team_id) BETWEEN 1 AND 255),
    user_id text NOT NULL
        CONSTRAINT team_members_sync_user_id_check CHECK (octet_length(user_id) BETWEEN 1 AND 255),
    webhook_id text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT team_members_sync_pkey PRIMARY KEY (team_id, user_id)
);
CREATE VIEW neon_auth_internal.team_members_sync AS TABLE neon_auth.team_members_sync;
CREATE INDEX team_members_sync_user_id_idx ON neon_auth.team_members_sync (user_id, team_id);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.team_members_sync', '');
COMMENT ON TABLE neon_auth.team_members_sync IS
    'Members of teams, maintained by neon_auth. The row of a membership that ends is deleted';
COMMENT ON COLUMN neon_auth.team_members_sync.team_id IS 'The team, an id of teams_sync';
COMMENT ON COLUMN neon_auth.team_members_sync.user_id IS 'The member, an id of users_sync';
COMMENT ON COLUMN neon_auth.team_members_sync.webhook_id IS
    'The webhook that reported it, an id of webhook_deliveries; NULL if none did';
COMMENT ON COLUMN neon_auth.team_members_sync.created_at IS
    'Time at which it was written here; a REST response requested later overrides it';
COMMENT ON INDEX neon_auth.team_members_sync_user_id_idx IS 'Teams of a user';

CREATE FUNCTION neon_auth.upsert_teams(raw_json jsonb) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- #> '{}' takes the array out of TOAST once, instead of once for each of its elements. NULL is
    -- refused as JSON's null is: it comes from a variable that is not set.
    RETURN neon_auth_internal.write_objects('team', coalesce(raw_json #> '{}', 'null'));
END
$$;
COMMENT ON FUNCTION neon_auth.upsert_teams(jsonb) IS
    'Writes an array of team objects into teams_sync, all or none; returns how many rows changed. Deleted teams '
    'stay deleted';
REVOKE ALL ON FUNCTION neon_auth.upsert_teams(jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.upsert_team(raw_json jsonb) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM neon_auth_internal.check_object('team', raw_json,
        'Pass the team object as the auth service sends it: {"id": "...", "display_name": "...", ...}');
    RETURN neon_auth_internal.write_objects('team', jsonb_build_array(raw_json)) > 0;
END
$$;
COMMENT ON FUNCTION neon_auth.upsert_team(jsonb) IS
    'Writes a team object of the auth service into teams_sync; returns true if the row changed. A deleted team '
    'stays deleted';
REVOKE ALL ON FUNCTION neon_auth.upsert_team(jsonb) FROM PUBLIC;

CREATE FUNCTION neon_auth.delete_team(id text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF delete_team.id IS NULL THEN
        PERFORM neon_auth_internal.check_object('team', '{"id": null}',
            'Pass the id of the team: SELECT neon_auth.delete_team(''...'');');
    END IF;
    RETURN neon_auth_internal.delete_object('team', delete_team.id, false);
END
$$;
COMMENT ON FUNCTION neon_auth.delete_team(text) IS
    'Marks a team as deleted for good and ends its memberships and permissions; the row stays. Returns true if '
    'the row changed';
REVOKE ALL ON FUNCTION neon_auth.delete_team(text) FROM PUBLIC;
