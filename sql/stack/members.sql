-- Memberships of a run team by team, where the service does not return the list of all memberships.

-- Unlogged: after a crash it is empty, and all teams are compared again.
CREATE UNLOGGED TABLE neon_auth_internal.compared_teams (
    team_id text,
    compared_at timestamptz NOT NULL,
    CONSTRAINT compared_teams_pkey PRIMARY KEY (team_id)
);
COMMENT ON TABLE neon_auth_internal.compared_teams IS
    'When the members of each team were last compared with the auth service, if that is done team by team';
COMMENT ON COLUMN neon_auth_internal.compared_teams.team_id IS 'The team';
COMMENT ON COLUMN neon_auth_internal.compared_teams.compared_at IS 'Time of the request for the first of its members';

-- Unlogged: after a crash it is empty, and the run starts over.
CREATE UNLOGGED TABLE neon_auth_internal.sync_team_members (
    user_id text NOT NULL
);
COMMENT ON TABLE neon_auth_internal.sync_team_members IS
    'Members that the current run has seen of the team that it compares, if they are more than a page; else empty';
COMMENT ON COLUMN neon_auth_internal.sync_team_members.user_id IS 'The user';

CREATE FUNCTION neon_auth_internal.limit_members(run bigint) RETURNS void
LANGUAGE sql
AS $$
    SELECT neon_auth_internal.note_limit('all_memberships');
    UPDATE neon_auth_internal.sync_runs r SET done = 0 WHERE r.id = run;
$$;
COMMENT ON FUNCTION neon_auth_internal.limit_members(bigint) IS
    'Records that the service did not return the list of all memberships';

-- A server fails on a list of some ten thousand memberships. Where there are much fewer, a passing trouble was the
-- cause.
CREATE FUNCTION neon_auth_internal.are_members_limited() RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT EXISTS (
        SELECT FROM neon_auth_internal.service_limits l
         WHERE l.name = 'all_memberships'
           AND neon_auth_internal.is_since(
                   l.noted_at,
                   clock_timestamp()
                   - CASE WHEN (SELECT count(*)
                                  FROM (SELECT FROM neon_auth_internal.team_members_sync LIMIT 5000) AS m) < 5000
                          THEN interval '30 minutes' ELSE interval '7 days' END))
$$;
COMMENT ON FUNCTION neon_auth_internal.are_members_limited() IS
    'True if the list of all memberships failed within 7 days, or 30 minutes if the mirror has fewer than 5000';

-- CALL neon_auth.sync() compares all teams. A worker compares a team once a day: a project may have a team for each
-- user, and each costs a request.
CREATE FUNCTION neon_auth_internal.begin_teams(run bigint, is_worker boolean, called_at bigint) RETURNS text
LANGUAGE plpgsql SET work_mem = '1MB' SET enable_nestloop = off SET jit = off
AS $$
DECLARE
    began constant timestamptz := (SELECT r.started_at FROM neon_auth_internal.sync_runs r WHERE r.id = run);
    since constant timestamptz := CASE WHEN is_worker THEN began - interval '1 day'
                                       ELSE least(began, neon_auth_internal.time_of(called_at)) END;
BEGIN
    DELETE FROM neon_auth_internal.compared_teams c
     WHERE NOT EXISTS (SELECT FROM neon_auth_internal.teams_sync t WHERE t.id = c.team_id AND t.deleted_at IS NULL);
    UPDATE neon_auth_internal.sync_runs r
       SET total = r.done + (SELECT count(*)
                               FROM neon_auth_internal.teams_sync t
                               LEFT JOIN neon_auth_internal.compared_teams c ON c.team_id = t.id
                              WHERE t.deleted_at IS NULL
                                AND neon_auth_internal.is_since(c.compared_at, since) IS NOT TRUE)
     WHERE r.id = run;
    -- Events may have reported memberships in a team of which nothing else is known, or that is deleted by now.
    INSERT INTO neon_auth_internal.sync_queue (kind, team_id, reason)
    SELECT DISTINCT 'team', m.team_id, 'It has members, and no row.'
      FROM neon_auth_internal.team_members_sync m
     WHERE NOT EXISTS (SELECT FROM neon_auth_internal.teams_sync t WHERE t.id = m.team_id)
        ON CONFLICT (team_id, user_id, kind) DO UPDATE
       SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL
     WHERE sync_queue.last_error IS NOT NULL;
    RETURN to_jsonb(since) #>> '{}';
END
$$;
COMMENT ON FUNCTION neon_auth_internal.begin_teams(bigint, boolean, bigint) IS
    'Counts the teams that a run has to compare: those not compared since the returned time; queues those without a '
    'row';

-- For each team an index is searched, whatever the planner believes of tables that were empty when they were last
-- vacuumed: a scan of one for each row of the other would take hours.
CREATE FUNCTION neon_auth_internal.teams_to_compare(after_id text, since timestamptz) RETURNS jsonb
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
BEGIN
    RETURN (SELECT jsonb_agg(next.id ORDER BY next.id)
              FROM (SELECT t.id
                      FROM neon_auth_internal.teams_sync t
                      LEFT JOIN neon_auth_internal.compared_teams c ON c.team_id = t.id
                     WHERE t.deleted_at IS NULL AND t.id > after_id
                       AND neon_auth_internal.is_since(c.compared_at, since) IS NOT TRUE
                     ORDER BY t.id LIMIT 1000) AS next);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.teams_to_compare(text, timestamptz) IS
    'Returns the next ids of teams that were not compared since a time, as an array; NULL at the end';

-- Members of a page that was requested at asked_at. The locks are those of rules 1 and 6, for the rows that are
-- written: a page of known members locks nothing, and one of a team of any size at most as many users as it has.
CREATE FUNCTION neon_auth_internal.add_members(run bigint, team text, users jsonb, asked_at bigint) RETURNS void
LANGUAGE plpgsql SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET jit = off
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
    missing constant text[] := ARRAY(
        SELECT DISTINCT l.id
          FROM jsonb_array_elements_text(users) AS l(id)
         WHERE NOT EXISTS (SELECT FROM neon_auth_internal.team_members_sync m
                            WHERE m.team_id = team AND m.user_id = l.id));
    changed bigint;
BEGIN
    IF missing = '{}' THEN
        RETURN;
    END IF;
    PERFORM neon_auth_internal.lock_mirror('team', team, false);
    PERFORM count(neon_auth_internal.lock_mirror('user', l.id, false)) FROM unnest(missing) AS l(id);
    INSERT INTO neon_auth_internal.team_members_sync (team_id, user_id)
    SELECT team, l.id
      FROM unnest(missing) AS l(id)
     WHERE NOT EXISTS (SELECT FROM neon_auth_internal.users_sync u WHERE u.id = l.id AND u.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.teams_sync t WHERE t.id = team AND t.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.outranked_memberships(moment) o
                        WHERE o.team_id = team AND o.user_id = l.id)
        ON CONFLICT (team_id, user_id) DO NOTHING;
    GET DIAGNOSTICS changed = ROW_COUNT;
    PERFORM neon_auth_internal.count_sync(run, 0, changed, 0, 0, NULL);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.add_members(bigint, text, jsonb, bigint) IS
    'Writes the memberships of a page of a team''s members that the mirror lacks';

CREATE FUNCTION neon_auth_internal.see_members(users jsonb) RETURNS void
LANGUAGE sql
AS $$
    INSERT INTO neon_auth_internal.sync_team_members (user_id) SELECT jsonb_array_elements_text(users);
$$;
COMMENT ON FUNCTION neon_auth_internal.see_members(jsonb) IS
    'Records members of the team that is compared, if they are more than a page';

CREATE FUNCTION neon_auth_internal.forget_members() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    -- Most teams are small and not stored, and a TRUNCATE creates new files.
    IF EXISTS (SELECT FROM neon_auth_internal.sync_team_members) THEN
        TRUNCATE neon_auth_internal.sync_team_members;
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.forget_members() IS 'Deletes the stored members of a team';

-- users are those of the last page; earlier ones are stored. The first page was requested at asked_at. If some
-- members cannot be read (NOT is_whole), the team does not count as compared, and if none can, nothing is queued.
CREATE FUNCTION neon_auth_internal.end_team(team text, users jsonb, asked_at bigint, is_whole boolean) RETURNS void
LANGUAGE plpgsql SET work_mem = '1MB' SET enable_seqscan = off SET enable_nestloop = off SET jit = off
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
BEGIN
    IF is_whole OR users <> '[]' OR EXISTS (SELECT FROM neon_auth_internal.sync_team_members) THEN
        INSERT INTO neon_auth_internal.sync_queue (kind, team_id, user_id, reason)
        SELECT 'team_member', team, m.user_id, 'The list of the team''s members lacks it.'
          FROM neon_auth_internal.team_members_sync m
         WHERE m.team_id = team AND NOT neon_auth_internal.is_since(m.created_at, moment)
           AND NOT EXISTS (SELECT FROM (SELECT jsonb_array_elements_text(users) AS user_id
                                        UNION ALL
                                        SELECT s.user_id FROM neon_auth_internal.sync_team_members s) AS l
                            WHERE l.user_id = m.user_id)
            ON CONFLICT (team_id, user_id, kind) DO UPDATE
           SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL
         WHERE sync_queue.last_error IS NOT NULL;
    END IF;
    PERFORM neon_auth_internal.forget_members();
    IF is_whole THEN
        INSERT INTO neon_auth_internal.compared_teams (team_id, compared_at) VALUES (team, moment)
            ON CONFLICT (team_id) DO UPDATE SET compared_at = excluded.compared_at;
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.end_team(text, jsonb, bigint, boolean) IS
    'Queues the memberships of a team that the list of its members lacks, and records that it was compared';
