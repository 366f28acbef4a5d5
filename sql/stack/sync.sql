-- A full run: makes the mirror equal to its source, which it reads over the REST API.

-- Unlogged: after a crash it is empty, and the run starts over.
CREATE UNLOGGED TABLE neon_auth_internal.sync_scan (
    kind text NOT NULL,
    team_id text NOT NULL DEFAULT '',
    user_id text NOT NULL DEFAULT '',
    permission_id text NOT NULL DEFAULT ''
);
COMMENT ON TABLE neon_auth_internal.sync_scan IS
    'Objects that the current run has seen at the auth service, to find those it has not seen; empty between runs';
COMMENT ON COLUMN neon_auth_internal.sync_scan.kind IS
    'run (its number as team_id), gap (its list as team_id), team, member, direct_team, team_permission, '
    'direct_project or project_permission';
COMMENT ON COLUMN neon_auth_internal.sync_scan.team_id IS 'The team; otherwise empty';
COMMENT ON COLUMN neon_auth_internal.sync_scan.user_id IS 'The user; otherwise empty';
COMMENT ON COLUMN neon_auth_internal.sync_scan.permission_id IS 'The permission; otherwise empty';

-- A table of their own: what reads sync_scan reads all of it, and there are far more users than all else.
CREATE UNLOGGED TABLE neon_auth_internal.sync_scan_users (id text NOT NULL);
COMMENT ON TABLE neon_auth_internal.sync_scan_users IS
    'Users that the current run has seen at the auth service; empty between runs';
COMMENT ON COLUMN neon_auth_internal.sync_scan_users.id IS 'Id of the user';

CREATE UNLOGGED TABLE neon_auth_internal.sync_unseen (
    kind text NOT NULL,
    id text NOT NULL,
    CONSTRAINT sync_unseen_pkey PRIMARY KEY (kind, id)
);
COMMENT ON TABLE neon_auth_internal.sync_unseen IS
    'Objects of the mirror that the current run has not seen, and requests by id; empty between runs';
COMMENT ON COLUMN neon_auth_internal.sync_unseen.kind IS 'user or team';
COMMENT ON COLUMN neon_auth_internal.sync_unseen.id IS 'Id of the user or team';

CREATE FUNCTION neon_auth_internal.lock_sync() RETURNS void
LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'lock_sync_wrapper';
COMMENT ON FUNCTION neon_auth_internal.lock_sync() IS
    'Waits until no process reads the REST API, and lets none begin until the transaction ends';

-- The library calls the functions from here on as the owner of the tables, with its search_path.

CREATE FUNCTION neon_auth_internal.sync_access() RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
               'provider', p.name,
               'project', p.project_id,
               'base', neon_auth_internal.rest_base(p.jwks_url),
               'is_pinned', p.jwks IS NOT NULL,
               'secret', (SELECT s.value FROM neon_auth_internal.secrets s
                           WHERE s.name = 'secret_server_key'
                             AND s.service = neon_auth_internal.service(p.jwks_url, p.project_id)),
               'other_source', (SELECT CASE o.kind WHEN p.kind THEN o.source ELSE concat_ws(' ', o.kind, o.source) END
                                  FROM neon_auth_internal.other_source o))
      FROM neon_auth_internal.providers p
     WHERE p.kind = 'stack';
$$;
COMMENT ON FUNCTION neon_auth_internal.sync_access() IS
    'Returns the URL of the REST API, its secret, and another source of the mirror if any; NULL without a '
    'provider of kind stack';

-- A page of users or teams that was requested at asked_at. A row that has changed since then stays, and is queued
-- if it differs. A row that stays although it has not changed is kept by a trigger on the table: another
-- request would not change that.
CREATE FUNCTION neon_auth_internal.write_page(
    kind text, objects text[], asked_at bigint, OUT changed bigint, OUT kept bigint)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
    found record;
    single jsonb;
BEGIN
    SELECT * INTO found FROM neon_auth_internal.changed_in_page(kind, objects);
    IF found.cleaned IS NOT NULL THEN
        objects := found.cleaned;
    END IF;
    -- A single user was asked for because of an event. A run that lists the users lists the teams after them.
    IF kind = 'user' AND cardinality(objects) = 1 THEN
        single := objects[1]::jsonb;
        PERFORM neon_auth_internal.queue_upgrade(single);
    END IF;
    changed := neon_auth_internal.write_rows(kind, NULL, objects, found.known, found.new, moment);
    -- Rows are locked before entries of the queue.
    IF single IS NOT NULL THEN
        PERFORM neon_auth_internal.queue_unknown_team(single);
    END IF;
    PERFORM neon_auth_internal.see_objects(kind, found.ids);
    kept := 0;
    IF changed < coalesce(cardinality(found.known), 0) + coalesce(cardinality(found.new), 0) THEN
        kept := neon_auth_internal.queue_changed(
            kind, ARRAY(SELECT objects[place + 1] FROM unnest(found.known || found.new) AS place), moment);
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.write_page(text, text[], bigint) IS
    'Writes users or teams of a REST response and records them as seen; counts changed rows and those that a trigger '
    'kept';

-- Without a statement: as many rows as the mirror has.
CREATE FUNCTION neon_auth_internal.see_objects(kind text, ids text[]) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'see_objects_wrapper';
COMMENT ON FUNCTION neon_auth_internal.see_objects(text, text[]) IS 'Records users or teams as seen';

CREATE FUNCTION neon_auth_internal.queue_changed(kind text, objects text[], moment timestamptz) RETURNS bigint
LANGUAGE sql
AS $$
    WITH differing AS MATERIALIZED (
        SELECT DISTINCT o ->> 'id' AS id,
               neon_auth_internal.is_since(coalesce(u.updated_at, t.updated_at), moment) IS TRUE AS has_changed
          FROM (SELECT answer::jsonb FROM unnest(objects) AS answer) AS answers(o)
          LEFT JOIN neon_auth_internal.users_sync u ON queue_changed.kind = 'user' AND u.id = o ->> 'id'
          LEFT JOIN neon_auth_internal.teams_sync t ON queue_changed.kind = 'team' AND t.id = o ->> 'id'
         WHERE coalesce(u.deleted_at, t.deleted_at) IS NULL
           AND neon_auth_internal.is_alike(queue_changed.kind, coalesce(u.raw_json, t.raw_json), o) IS NOT TRUE
    ), queued AS (
        INSERT INTO neon_auth_internal.sync_queue (kind, user_id, team_id, reason)
        SELECT queue_changed.kind, CASE WHEN queue_changed.kind = 'user' THEN d.id ELSE '' END,
               CASE WHEN queue_changed.kind = 'team' THEN d.id ELSE '' END,
               'It changed while the auth service was being read.'
          FROM differing d
         WHERE d.has_changed
            -- The response may be about an entry of the queue, which then stays.
            ON CONFLICT (team_id, user_id, kind) DO UPDATE
           SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL
    )
    SELECT count(*) FROM differing d WHERE NOT d.has_changed;
$$;
COMMENT ON FUNCTION neon_auth_internal.queue_changed(text, text[], timestamptz) IS
    'Queues the users or teams, as JSON texts, whose row has changed since a moment; counts the others that differ';

CREATE FUNCTION neon_auth_internal.sync_page(run bigint, kind text, objects text[], asked_at bigint) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    written record;
    detail text;
    id text;
BEGIN
    -- Only after the service has responded: a misspelt project has no users.
    INSERT INTO neon_auth_internal.sync_source (kind, source)
    SELECT r.kind, r.source FROM neon_auth_internal.sync_runs r WHERE r.id = run
        ON CONFLICT DO NOTHING;
    written := neon_auth_internal.write_page(kind, objects, asked_at);
    PERFORM neon_auth_internal.count_sync(
        run, cardinality(objects), written.changed, 0, written.kept,
        CASE WHEN written.kept > 0
             THEN format('A %s: a trigger on neon_auth.%ss_sync keeps the row as it is.', kind, kind) END);
    RETURN NULL;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    -- The object exists, so it is not requested by its id.
    IF cardinality(objects) = 1 THEN
        id := neon_auth_internal.id_of(objects[1]);
        IF id IS NOT NULL THEN
            PERFORM neon_auth_internal.see_objects(kind, ARRAY[id]);
        END IF;
    END IF;
    RETURN format('A %s: %s', kind, coalesce(nullif(detail, ''), sqlerrm));
END
$$;
COMMENT ON FUNCTION neon_auth_internal.sync_page(bigint, text, text[], bigint) IS
    'Writes users or teams, as JSON texts, all or none; returns why one cannot become a row, NULL if all are written';

-- Objects that were not seen and have not changed since the run began. The scan has no index, which would cost
-- more per user than the rest of the scan. So all are compared at once in the order of their ids: two sorts and a
-- merge need the same small memory for a million users as for ten thousand, and never search one side for each
-- row of the other. Sorted by bytes, which is fastest.
CREATE FUNCTION neon_auth_internal.find_unseen(run bigint, kind text) RETURNS void
LANGUAGE plpgsql
SET work_mem = '1MB' SET enable_hashjoin = off SET enable_nestloop = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
    began constant timestamptz := (SELECT r.started_at FROM neon_auth_internal.sync_runs r WHERE r.id = run);
    provider constant text := (SELECT s.provider FROM neon_auth_internal.source s);
BEGIN
    DELETE FROM neon_auth_internal.sync_unseen n WHERE n.kind = find_unseen.kind;
    IF kind = 'user' THEN
        INSERT INTO neon_auth_internal.sync_unseen (kind, id)
        SELECT 'user', u.id
          FROM neon_auth_internal.users_sync u
         WHERE u.deleted_at IS NULL AND neon_auth_internal.is_since(u.updated_at, began) IS NOT TRUE
           AND neon_auth_internal.is_of_provider(u.raw_json, provider)
           AND NOT EXISTS (SELECT FROM neon_auth_internal.sync_scan_users s
                            WHERE s.id COLLATE "C" = u.id COLLATE "C");
    ELSE
        INSERT INTO neon_auth_internal.sync_unseen (kind, id)
        SELECT 'team', t.id
          FROM neon_auth_internal.teams_sync t
         WHERE t.deleted_at IS NULL AND neon_auth_internal.is_since(t.updated_at, began) IS NOT TRUE
           AND NOT EXISTS (SELECT FROM neon_auth_internal.sync_scan s
                            WHERE s.kind = 'team' AND s.team_id COLLATE "C" = t.id COLLATE "C");
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.find_unseen(bigint, text) IS
    'Records the users or teams of the mirror that the run has not seen';

CREATE FUNCTION neon_auth_internal.unseen(kind text, after_id text) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_agg(next.id ORDER BY next.id)
      FROM (SELECT n.id FROM neon_auth_internal.sync_unseen n
             WHERE n.kind = unseen.kind AND n.id > after_id ORDER BY n.id LIMIT 1000) AS next;
$$;
COMMENT ON FUNCTION neon_auth_internal.unseen(text, text) IS
    'Returns the next ids that find_unseen() recorded, as an array; NULL at the end';

-- The REST API has responded that the object does not exist.
CREATE FUNCTION neon_auth_internal.confirm_deleted(run bigint, kind text, id text) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    deleted constant boolean := neon_auth_internal.delete_object(kind, id, by_service => true);
BEGIN
    PERFORM neon_auth_internal.count_sync(run, 0, 0, deleted::integer, 0, NULL);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.confirm_deleted(bigint, text, text) IS
    'Marks a user or team as deleted that the auth service no longer has';

CREATE FUNCTION neon_auth_internal.see(run bigint, kind text, items text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth_internal.sync_runs r SET done = r.done + json_array_length(items::json) WHERE r.id = run;
    INSERT INTO neon_auth_internal.sync_scan (kind, team_id, user_id, permission_id)
    SELECT see.kind, coalesce(i.team_id, ''), i.user_id, coalesce(i.id, '')
      FROM jsonb_to_recordset(items::jsonb) AS i(team_id text, user_id text, id text);
$$;
COMMENT ON FUNCTION neon_auth_internal.see(bigint, text, text) IS 'Records memberships or permissions as seen';

-- New rows are written; missing ones are queued, and confirmed one by one. Changes by events since the list was
-- requested stay. The memory does not grow with the lists. No nested loops: the planner believes that a table
-- which was empty when it was last vacuumed still is, and would search all of it for each row of a list.
CREATE FUNCTION neon_auth_internal.sync_members(run bigint, asked_at bigint) RETURNS void
LANGUAGE plpgsql SET work_mem = '1MB' SET enable_nestloop = off SET jit = off
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
    changed bigint;
BEGIN
    INSERT INTO neon_auth_internal.team_members_sync (team_id, user_id)
    SELECT DISTINCT s.team_id, s.user_id
      FROM neon_auth_internal.sync_scan s
     WHERE s.kind = 'member'
       AND NOT EXISTS (SELECT FROM neon_auth_internal.team_members_sync m
                        WHERE m.team_id = s.team_id AND m.user_id = s.user_id)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.users_sync u WHERE u.id = s.user_id AND u.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.teams_sync t WHERE t.id = s.team_id AND t.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.outranked_memberships(moment) o
                        WHERE o.team_id = s.team_id AND o.user_id = s.user_id)
        ON CONFLICT (team_id, user_id) DO NOTHING;
    GET DIAGNOSTICS changed = ROW_COUNT;
    INSERT INTO neon_auth_internal.sync_queue (kind, team_id, user_id, reason)
    SELECT 'team_member', m.team_id, m.user_id, 'The list of all memberships lacks it.'
      FROM neon_auth_internal.team_members_sync m
     WHERE NOT neon_auth_internal.is_since(m.created_at, moment)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.sync_scan s
                        WHERE s.kind = 'member' AND s.team_id = m.team_id AND s.user_id = m.user_id)
        ON CONFLICT (team_id, user_id, kind) DO UPDATE
       SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL
     WHERE sync_queue.last_error IS NOT NULL;
    PERFORM neon_auth_internal.count_sync(run, 0, changed, 0, 0, NULL);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.sync_members(bigint, bigint) IS
    'Compares the mirror''s memberships with the seen ones';

CREATE FUNCTION neon_auth_internal.sync_permissions(run bigint, asked_at bigint) RETURNS void
LANGUAGE plpgsql SET work_mem = '1MB' SET enable_nestloop = off SET jit = off
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
    in_teams bigint;
    in_project bigint;
BEGIN
    -- Not EXCEPT, which keeps all of one side in memory, beyond work_mem.
    INSERT INTO neon_auth_internal.team_permissions_sync AS p (team_id, user_id, permission_id, inherited)
    SELECT g.team_id, g.user_id, g.permission_id, g.inherited
      FROM (SELECT s.team_id, s.user_id, s.permission_id, bool_and(s.kind = 'team_permission') AS inherited
              FROM neon_auth_internal.sync_scan s
             WHERE s.kind IN ('team_permission', 'direct_team')
               AND NOT EXISTS (SELECT FROM neon_auth_internal.users_sync u
                                WHERE u.id = s.user_id AND u.deleted_at IS NOT NULL)
               AND NOT EXISTS (SELECT FROM neon_auth_internal.teams_sync t
                                WHERE t.id = s.team_id AND t.deleted_at IS NOT NULL)
               AND NOT EXISTS (SELECT FROM neon_auth_internal.outranked_permissions(moment) o
                                WHERE o.team_id = s.team_id AND o.user_id = s.user_id)
             GROUP BY s.team_id, s.user_id, s.permission_id) AS g
     WHERE NOT EXISTS (SELECT FROM neon_auth_internal.team_permissions_sync k
                        WHERE k.team_id = g.team_id AND k.user_id = g.user_id
                          AND k.permission_id = g.permission_id AND k.inherited = g.inherited)
        ON CONFLICT (team_id, user_id, permission_id) DO UPDATE
       SET inherited = excluded.inherited WHERE NOT neon_auth_internal.is_since(p.created_at, moment);
    GET DIAGNOSTICS in_teams = ROW_COUNT;
    INSERT INTO neon_auth_internal.project_permissions_sync AS p (user_id, permission_id, inherited)
    SELECT g.user_id, g.permission_id, g.inherited
      FROM (SELECT s.user_id, s.permission_id, bool_and(s.kind = 'project_permission') AS inherited
              FROM neon_auth_internal.sync_scan s
             WHERE s.kind IN ('project_permission', 'direct_project')
               AND NOT EXISTS (SELECT FROM neon_auth_internal.users_sync u
                                WHERE u.id = s.user_id AND u.deleted_at IS NOT NULL)
               AND NOT EXISTS (SELECT FROM neon_auth_internal.outranked_permissions(moment) o
                                WHERE o.team_id = '' AND o.user_id = s.user_id)
             GROUP BY s.user_id, s.permission_id) AS g
     WHERE NOT EXISTS (SELECT FROM neon_auth_internal.project_permissions_sync k
                        WHERE k.user_id = g.user_id AND k.permission_id = g.permission_id AND k.inherited = g.inherited)
        ON CONFLICT (user_id, permission_id) DO UPDATE
       SET inherited = excluded.inherited WHERE NOT neon_auth_internal.is_since(p.created_at, moment);
    GET DIAGNOSTICS in_project = ROW_COUNT;

    -- The service removes a member's permissions in a team with the membership, so a permission proves it.
    INSERT INTO neon_auth_internal.sync_queue (kind, team_id, user_id, reason)
    SELECT DISTINCT 'team_member', s.team_id, s.user_id, 'The mirror lacks it, but the list of all permissions has one.'
      FROM neon_auth_internal.sync_scan s
     WHERE s.kind = 'direct_team'
       AND NOT EXISTS (SELECT FROM neon_auth_internal.team_members_sync m
                        WHERE m.team_id = s.team_id AND m.user_id = s.user_id)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.users_sync u WHERE u.id = s.user_id AND u.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.teams_sync t WHERE t.id = s.team_id AND t.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.outranked_memberships(moment) o
                        WHERE o.team_id = s.team_id AND o.user_id = s.user_id)
        ON CONFLICT (team_id, user_id, kind) DO UPDATE
       SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL
     WHERE sync_queue.last_error IS NOT NULL;
    INSERT INTO neon_auth_internal.sync_queue (kind, team_id, user_id, reason)
    SELECT DISTINCT 'team_member', p.team_id, p.user_id, 'The list of all permissions lacks one.'
      FROM neon_auth_internal.team_permissions_sync p
     WHERE NOT neon_auth_internal.is_since(p.created_at, moment)
       AND NOT neon_auth_internal.has_gap('team_permission')
       AND NOT EXISTS (SELECT FROM neon_auth_internal.sync_scan s
                        WHERE s.kind IN ('team_permission', 'direct_team') AND s.team_id = p.team_id
                          AND s.user_id = p.user_id AND s.permission_id = p.permission_id)
        ON CONFLICT (team_id, user_id, kind) DO UPDATE
       SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL
     WHERE sync_queue.last_error IS NOT NULL;
    INSERT INTO neon_auth_internal.sync_queue (kind, user_id, reason)
    SELECT DISTINCT 'project_permissions', p.user_id, 'The list of all permissions lacks one.'
      FROM neon_auth_internal.project_permissions_sync p
     WHERE NOT neon_auth_internal.is_since(p.created_at, moment)
       AND NOT neon_auth_internal.has_gap('project_permission')
       AND NOT EXISTS (SELECT FROM neon_auth_internal.sync_scan s
                        WHERE s.kind IN ('project_permission', 'direct_project')
                          AND s.user_id = p.user_id AND s.permission_id = p.permission_id)
        ON CONFLICT (team_id, user_id, kind) DO UPDATE
       SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL
     WHERE sync_queue.last_error IS NOT NULL;
    PERFORM neon_auth_internal.count_sync(run, 0, in_teams + in_project, 0, 0, NULL);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.sync_permissions(bigint, bigint) IS
    'Compares the mirror''s permissions with the seen ones';

-- sync_members() and sync_permissions() take no locks, which would be too many. An event that was handled while they
-- wrote did not see their rows, and they did not see its tombstone. It has queued the pair, but the REST API may fail
-- before that is confirmed.
CREATE FUNCTION neon_auth_internal.outranked_pairs(asked_at bigint) RETURNS jsonb
LANGUAGE sql
AS $$
    SELECT coalesce(jsonb_agg(DISTINCT jsonb_build_array(o.team_id, o.user_id)), '[]')
      FROM neon_auth_internal.outranked_permissions(neon_auth_internal.time_of(asked_at)) AS o;
$$;
COMMENT ON FUNCTION neon_auth_internal.outranked_pairs(bigint) IS
    'Returns teams (empty: the project) and users of whom an event has removed something since a list was requested';

CREATE FUNCTION neon_auth_internal.withdraw(team text, member text, asked_at bigint) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
BEGIN
    -- Only for its locks.
    PERFORM neon_auth_internal.ended(nullif(team, ''), member);
    DELETE FROM neon_auth_internal.team_members_sync m
     WHERE m.team_id = team AND m.user_id = member AND neon_auth_internal.is_since(m.created_at, moment)
       AND EXISTS (SELECT FROM neon_auth_internal.outranked_memberships(moment) o
                    WHERE o.team_id = team AND o.user_id = member);
    DELETE FROM neon_auth_internal.team_permissions_sync p
     WHERE p.team_id = team AND p.user_id = member AND neon_auth_internal.is_since(p.created_at, moment);
    DELETE FROM neon_auth_internal.project_permissions_sync p
     WHERE team = '' AND p.user_id = member AND neon_auth_internal.is_since(p.created_at, moment);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.withdraw(text, text, bigint) IS
    'Deletes what a list, requested at a time, has written of a pair although an event has removed something since';

-- The service cannot return a part of the list, or all of it.
CREATE FUNCTION neon_auth_internal.note_gap(run bigint, kind text, reason text) RETURNS void
LANGUAGE sql
AS $$
    INSERT INTO neon_auth_internal.sync_scan (kind, team_id) VALUES ('gap', note_gap.kind);
    UPDATE neon_auth_internal.sync_runs r SET gaps = r.gaps + 1 WHERE r.id = run;
    SELECT neon_auth_internal.count_sync(run, 0, 0, 0, 1, reason);
$$;
COMMENT ON FUNCTION neon_auth_internal.note_gap(bigint, text, text) IS
    'Counts a gap in a list as a skipped object, and records that what the list lacks may exist';

CREATE FUNCTION neon_auth_internal.has_gap(kind text) RETURNS boolean
LANGUAGE sql STABLE
AS $$
    SELECT EXISTS (SELECT FROM neon_auth_internal.sync_scan s WHERE s.kind = 'gap' AND s.team_id = has_gap.kind);
$$;
COMMENT ON FUNCTION neon_auth_internal.has_gap(text) IS 'True if a list of the current run has a gap';

CREATE FUNCTION neon_auth_internal.unsee(kind text) RETURNS void
LANGUAGE sql
AS $$
    DELETE FROM neon_auth_internal.sync_scan s
     WHERE s.kind = unsee.kind OR s.kind = 'gap' AND s.team_id = unsee.kind;
$$;
COMMENT ON FUNCTION neon_auth_internal.unsee(text) IS 'Deletes the current run''s scan of one kind';
