-- The mirror made equal to its source, which is read over the auth service's REST API.

CREATE TABLE neon_auth.sync_runs (
    id bigint GENERATED ALWAYS AS IDENTITY,
    project_id text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    phase text NOT NULL DEFAULT 'users'
        CONSTRAINT sync_runs_phase_check
        CHECK (phase IN ('users', 'deleted_users', 'teams', 'deleted_teams', 'members', 'permissions', 'done')),
    phase_started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cursor text,
    total bigint,
    done bigint NOT NULL DEFAULT 0,
    changed bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    skipped bigint NOT NULL DEFAULT 0,
    last_skip_reason text,
    error text,
    failed_at timestamptz,
    CONSTRAINT sync_runs_pkey PRIMARY KEY (id)
);
COMMENT ON TABLE neon_auth.sync_runs IS
    'Every time the mirror was compared with the auth service; the last row is the latest. Not dumped';
COMMENT ON COLUMN neon_auth.sync_runs.id IS 'Number of the run';
COMMENT ON COLUMN neon_auth.sync_runs.project_id IS 'The project that was read';
COMMENT ON COLUMN neon_auth.sync_runs.started_at IS 'When it began';
COMMENT ON COLUMN neon_auth.sync_runs.finished_at IS 'When the mirror was equal to the source; NULL until then';
COMMENT ON COLUMN neon_auth.sync_runs.phase IS 'What it is at, or was at when it was interrupted';
COMMENT ON COLUMN neon_auth.sync_runs.phase_started_at IS 'When that phase began';
COMMENT ON COLUMN neon_auth.sync_runs.cursor IS 'Where the list of users goes on';
COMMENT ON COLUMN neon_auth.sync_runs.total IS 'How many objects the phase has to look at; NULL while that is not known';
COMMENT ON COLUMN neon_auth.sync_runs.done IS 'How many it has looked at';
COMMENT ON COLUMN neon_auth.sync_runs.changed IS 'Rows that the run added or changed';
COMMENT ON COLUMN neon_auth.sync_runs.deleted IS 'Users, teams, memberships and permissions that it found deleted';
COMMENT ON COLUMN neon_auth.sync_runs.skipped IS 'Objects that cannot be rows, or that a trigger kept from becoming them';
COMMENT ON COLUMN neon_auth.sync_runs.last_skip_reason IS 'What is wrong with the last of those';
COMMENT ON COLUMN neon_auth.sync_runs.error IS 'Why its last attempt ended early, if its process was there to note it; NULL if none did';
COMMENT ON COLUMN neon_auth.sync_runs.failed_at IS 'When that was';

-- Runs are not dumped, but what restores their users needs it: compared with another project, all
-- of them would be found deleted, and a deletion is final.
CREATE TABLE neon_auth.sync_source (
    project_id text NOT NULL,
    CONSTRAINT sync_source_pkey PRIMARY KEY (project_id)
);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.sync_source', '');
COMMENT ON TABLE neon_auth.sync_source IS 'The project that the mirror is of; no row before that is known';
COMMENT ON COLUMN neon_auth.sync_source.project_id IS 'The project''s id';

-- Webhooks do not say which project sends them, so a mirror that they alone have filled is of the
-- project that was configured then.
CREATE FUNCTION neon_auth_internal.remember_source() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM neon_auth.sync_source)
       AND EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.deleted_at IS NULL) THEN
        INSERT INTO neon_auth.sync_source (project_id) VALUES (old.project_id);
    END IF;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.remember_source() IS 'Notes whose users the mirror holds before the provider "stack" is another project''s';
CREATE TRIGGER remember_source AFTER UPDATE OF name, project_id OR DELETE ON neon_auth.providers
    FOR EACH ROW WHEN (old.name = 'stack' AND old.project_id IS NOT NULL) EXECUTE FUNCTION neon_auth_internal.remember_source();
COMMENT ON TRIGGER remember_source ON neon_auth.providers IS 'Notes whose users the mirror holds';

-- Unlogged: after a crash it is empty, and the run that filled it starts over.
CREATE UNLOGGED TABLE neon_auth_internal.sync_scan (
    kind text NOT NULL,
    team_id text NOT NULL DEFAULT '',
    user_id text NOT NULL DEFAULT '',
    permission_id text NOT NULL DEFAULT ''
);
COMMENT ON TABLE neon_auth_internal.sync_scan IS
    'What the run under way has seen at the auth service, to find what it did not see; empty between runs';
COMMENT ON COLUMN neon_auth_internal.sync_scan.kind IS
    'run (the run''s number as team_id), user, team, member, direct_team, team_permission, direct_project or project_permission';
COMMENT ON COLUMN neon_auth_internal.sync_scan.team_id IS 'The team; else empty';
COMMENT ON COLUMN neon_auth_internal.sync_scan.user_id IS 'The user; else empty';
COMMENT ON COLUMN neon_auth_internal.sync_scan.permission_id IS 'The permission; else empty';

CREATE UNLOGGED TABLE neon_auth_internal.sync_unseen (
    kind text NOT NULL,
    id text NOT NULL,
    CONSTRAINT sync_unseen_pkey PRIMARY KEY (kind, id)
);
COMMENT ON TABLE neon_auth_internal.sync_unseen IS
    'What the run under way has not seen at the auth service, and asks for by its id; empty between runs';
COMMENT ON COLUMN neon_auth_internal.sync_unseen.kind IS 'user or team';
COMMENT ON COLUMN neon_auth_internal.sync_unseen.id IS 'Its id';

-- Unlogged as well: the entry of the queue that it was about is asked for again.
CREATE UNLOGGED TABLE neon_auth_internal.sync_listed (
    asked_at bigint NOT NULL,
    kind text NOT NULL,
    team_id text,
    user_id text NOT NULL,
    permission_id text
);
COMMENT ON TABLE neon_auth_internal.sync_listed IS
    'The long lists of the REST API about the entry of sync_queue that is being confirmed; empty otherwise';
COMMENT ON COLUMN neon_auth_internal.sync_listed.asked_at IS 'When the entry was asked for, in microseconds since 1970: rows of another attempt do not count';
COMMENT ON COLUMN neon_auth_internal.sync_listed.kind IS 'member, direct (permission) or effective (permission)';
COMMENT ON COLUMN neon_auth_internal.sync_listed.team_id IS 'The team; NULL for a permission in the project';
COMMENT ON COLUMN neon_auth_internal.sync_listed.user_id IS 'The user';
COMMENT ON COLUMN neon_auth_internal.sync_listed.permission_id IS 'The permission; NULL for a membership';

CREATE FUNCTION neon_auth_internal.time_of(microseconds bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'epoch'::timestamptz + microseconds * interval '1 microsecond';
COMMENT ON FUNCTION neon_auth_internal.time_of(bigint) IS 'A time from microseconds since 1970';

-- A time to come is from before the clock was set back, or from another machine's. Would it count
-- as later than any question, no answer would ever be taken.
CREATE FUNCTION neon_auth_internal.is_since(happened timestamptz, moment timestamptz) RETURNS boolean
LANGUAGE sql
RETURN happened BETWEEN moment AND clock_timestamp();
COMMENT ON FUNCTION neon_auth_internal.is_since(timestamptz, timestamptz) IS 'Whether something happened between a moment and now';

-- Asked about users whom it does not know, the project that is configured would have them all deleted.
-- A view, because neon_auth.status asks too, for whoever is granted it.
CREATE VIEW neon_auth_internal.other_source AS
    SELECT s.project_id
      FROM neon_auth.sync_source s
      JOIN neon_auth.providers p ON p.name = 'stack' AND p.kind = 'stack' AND p.project_id <> s.project_id
     WHERE EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.deleted_at IS NULL);
COMMENT ON VIEW neon_auth_internal.other_source IS 'Whose users the mirror holds, if not those of the project that is configured; else no row';
COMMENT ON COLUMN neon_auth_internal.other_source.project_id IS 'That other project''s id';

-- All functions from here on are called by the library as the tables' owner, with its search_path.

CREATE FUNCTION neon_auth_internal.sync_access() RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
               'project', p.project_id,
               'base', neon_auth_internal.rest_base(p.jwks_url),
               'secret', (SELECT s.value FROM neon_auth_internal.secrets s
                           WHERE s.name = 'secret_server_key' AND s.service = neon_auth_internal.service(p.jwks_url, p.project_id)),
               'other_source', (SELECT o.project_id FROM neon_auth_internal.other_source o))
      FROM neon_auth.providers p
     WHERE p.name = 'stack' AND p.kind = 'stack';
$$;
COMMENT ON FUNCTION neon_auth_internal.sync_access() IS
    'Where the REST API is, what opens it, and whose users the mirror holds if not that project''s; NULL when there is no provider "stack"';

-- A run that was interrupted goes on where it was, unless what it has seen is lost or too old.
CREATE FUNCTION neon_auth_internal.begin_sync(project text) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    run neon_auth.sync_runs;
    is_first boolean;
BEGIN
    -- Of the project that it names, nobody is left.
    DELETE FROM neon_auth.sync_source s WHERE s.project_id <> project;
    SELECT * INTO run FROM neon_auth.sync_runs r ORDER BY r.id DESC LIMIT 1;
    IF run.finished_at IS NULL AND run.project_id = project AND run.started_at > now() - interval '1 day'
       AND EXISTS (SELECT FROM neon_auth_internal.sync_scan s WHERE s.kind = 'run' AND s.team_id = run.id::text) THEN
        RETURN to_jsonb(run) || '{"goes_on": true}';
    END IF;
    is_first := NOT EXISTS (SELECT FROM neon_auth.sync_runs r WHERE r.finished_at IS NOT NULL);
    TRUNCATE neon_auth_internal.sync_scan, neon_auth_internal.sync_unseen, neon_auth_internal.sync_listed;
    INSERT INTO neon_auth.sync_runs (project_id, total)
    VALUES (project, CASE WHEN NOT is_first THEN (SELECT count(*) FROM neon_auth.users_sync u WHERE u.deleted_at IS NULL) END)
    RETURNING * INTO run;
    INSERT INTO neon_auth_internal.sync_scan (kind, team_id) VALUES ('run', run.id::text);
    RETURN to_jsonb(run) || '{"goes_on": false}';
END
$$;
COMMENT ON FUNCTION neon_auth_internal.begin_sync(text) IS 'The run to go on with, new or interrupted';

CREATE FUNCTION neon_auth_internal.enter_phase(run bigint, phase text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth.sync_runs r
       SET phase = enter_phase.phase, phase_started_at = clock_timestamp(), cursor = NULL, total = NULL, done = 0,
           finished_at = CASE WHEN enter_phase.phase = 'done' THEN clock_timestamp() END,
           error = CASE WHEN enter_phase.phase <> 'done' THEN r.error END,
           failed_at = CASE WHEN enter_phase.phase <> 'done' THEN r.failed_at END
     WHERE r.id = run;
$$;
COMMENT ON FUNCTION neon_auth_internal.enter_phase(bigint, text) IS 'Notes that a run goes on to another phase, or is done';

CREATE FUNCTION neon_auth_internal.fail_sync(run bigint, reason text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth.sync_runs r SET error = reason, failed_at = clock_timestamp() WHERE r.id = run;
$$;
COMMENT ON FUNCTION neon_auth_internal.fail_sync(bigint, text) IS 'Notes why a run ended early; the next one goes on with it';

CREATE FUNCTION neon_auth_internal.count_sync(run bigint, done bigint, changed bigint, deleted bigint, skipped bigint, last_skip_reason text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth.sync_runs r
       SET done = r.done + count_sync.done, changed = r.changed + count_sync.changed,
           deleted = r.deleted + count_sync.deleted, skipped = r.skipped + count_sync.skipped,
           last_skip_reason = coalesce(count_sync.last_skip_reason, r.last_skip_reason)
     WHERE r.id = run;
$$;
COMMENT ON FUNCTION neon_auth_internal.count_sync(bigint, bigint, bigint, bigint, bigint, text) IS 'Adds to what a run has done';

-- Objects of a page, as the REST API answered when it was asked at asked_at: users or teams. What
-- changed here since then stays as it is, and is queued if it differs. What stays without having
-- changed does so because of a trigger on the table: asking again would be answered the same.
CREATE FUNCTION neon_auth_internal.write_page(kind text, objects jsonb, asked_at bigint, OUT changed bigint, OUT kept bigint)
LANGUAGE plpgsql
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
    attempted bigint;
BEGIN
    IF kind = 'user' THEN
        SELECT w.attempted, w.changed INTO attempted, changed FROM neon_auth_internal.write_users(objects, moment) AS w;
    ELSE
        SELECT w.attempted, w.changed INTO attempted, changed FROM neon_auth_internal.write_teams(objects, moment) AS w;
    END IF;
    PERFORM neon_auth_internal.see_objects(kind, objects);
    kept := CASE WHEN changed < attempted THEN neon_auth_internal.queue_changed(kind, objects, moment) ELSE 0 END;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.write_page(text, jsonb, bigint) IS
    'Writes users or teams as the REST API answered, and notes that they were seen; answers how many rows changed, and how many a trigger kept as they were';

CREATE FUNCTION neon_auth_internal.see_objects(kind text, objects jsonb) RETURNS void
LANGUAGE sql
AS $$
    INSERT INTO neon_auth_internal.sync_scan (kind, user_id, team_id)
    SELECT see_objects.kind, CASE WHEN see_objects.kind = 'user' THEN seen.id ELSE '' END,
           CASE WHEN see_objects.kind = 'team' THEN seen.id ELSE '' END
      FROM (SELECT jsonb_path_query(objects, '$[*].id ? (@.type() == "string")') #>> '{}' AS id) AS seen;
$$;
COMMENT ON FUNCTION neon_auth_internal.see_objects(text, jsonb) IS 'Notes users or teams that the auth service told of';

CREATE FUNCTION neon_auth_internal.queue_changed(kind text, objects jsonb, moment timestamptz) RETURNS bigint
LANGUAGE sql
AS $$
    WITH differing AS MATERIALIZED (
        SELECT DISTINCT o ->> 'id' AS id,
               neon_auth_internal.is_since(coalesce(u.updated_at, t.updated_at), moment) IS TRUE AS has_changed
          FROM jsonb_array_elements(objects) AS elements(o)
          LEFT JOIN neon_auth.users_sync u ON queue_changed.kind = 'user' AND u.id = o ->> 'id'
          LEFT JOIN neon_auth.teams_sync t ON queue_changed.kind = 'team' AND t.id = o ->> 'id'
         WHERE coalesce(u.deleted_at, t.deleted_at) IS NULL AND coalesce(u.raw_json, t.raw_json) IS DISTINCT FROM o
    ), queued AS (
        INSERT INTO neon_auth.sync_queue (kind, user_id, team_id, reason)
        SELECT queue_changed.kind, CASE WHEN queue_changed.kind = 'user' THEN d.id ELSE '' END,
               CASE WHEN queue_changed.kind = 'team' THEN d.id ELSE '' END,
               'It changed while the auth service was being read.'
          FROM differing d
         WHERE d.has_changed
            -- The answer that is being written may be to a question of the queue: it is still open.
            ON CONFLICT ON CONSTRAINT sync_queue_pkey DO UPDATE
           SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL
    )
    SELECT count(*) FROM differing d WHERE NOT d.has_changed;
$$;
COMMENT ON FUNCTION neon_auth_internal.queue_changed(text, jsonb, timestamptz) IS
    'Queues those of an array of users or teams whose row is another one since a moment; answers how many differ from theirs for no such reason';

CREATE FUNCTION neon_auth_internal.sync_page(run bigint, kind text, objects text, asked_at bigint) RETURNS text
LANGUAGE plpgsql
AS $$
DECLARE
    given jsonb;
    written record;
    detail text;
BEGIN
    given := objects;
    -- Not before the service has answered: a project that was misspelt has no users.
    INSERT INTO neon_auth.sync_source (project_id)
    SELECT r.project_id FROM neon_auth.sync_runs r WHERE r.id = run
        ON CONFLICT DO NOTHING;
    written := neon_auth_internal.write_page(kind, given, asked_at);
    PERFORM neon_auth_internal.count_sync(run, jsonb_array_length(given), written.changed, 0, written.kept,
                                 CASE WHEN written.kept > 0 THEN format('A %s: a trigger on neon_auth.%ss_sync keeps the row as it is.', kind, kind) END);
    RETURN NULL;
EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    -- It is there, whatever is wrong with it, and need not be asked for by its id.
    IF jsonb_array_length(given) = 1 THEN
        PERFORM neon_auth_internal.see_objects(kind, given);
    END IF;
    RETURN format('A %s: %s', kind, coalesce(nullif(detail, ''), sqlerrm));
END
$$;
COMMENT ON FUNCTION neon_auth_internal.sync_page(bigint, text, text, bigint) IS
    'Writes a JSON array of users or teams, all or none; answers what cannot be a row, NULL when all are written';

CREATE FUNCTION neon_auth_internal.set_cursor(run bigint, cursor text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth.sync_runs r SET cursor = nullif(set_cursor.cursor, '') WHERE r.id = run;
$$;
COMMENT ON FUNCTION neon_auth_internal.set_cursor(bigint, text) IS 'Notes where the list of users goes on';

-- Not seen, and not from after the run began. What was seen has no index, which would cost each user
-- more than all else that is done to note it. So all are compared at once, in the order of their
-- ids: two sorts and a merge take the same small memory for a million users as for ten thousand,
-- and never look through one side for each row of the other. Sorted by bytes, which is fastest.
CREATE FUNCTION neon_auth_internal.find_unseen(run bigint, kind text) RETURNS void
LANGUAGE plpgsql
SET work_mem = '1MB' SET enable_hashjoin = off SET enable_nestloop = off SET enable_bitmapscan = off SET jit = off
AS $$
DECLARE
    began constant timestamptz := (SELECT r.started_at FROM neon_auth.sync_runs r WHERE r.id = run);
BEGIN
    DELETE FROM neon_auth_internal.sync_unseen n WHERE n.kind = find_unseen.kind;
    IF kind = 'user' THEN
        INSERT INTO neon_auth_internal.sync_unseen (kind, id)
        SELECT 'user', u.id
          FROM neon_auth.users_sync u
         WHERE u.deleted_at IS NULL AND neon_auth_internal.is_since(u.updated_at, began) IS NOT TRUE
           AND NOT EXISTS (SELECT FROM neon_auth_internal.sync_scan s WHERE s.kind = 'user' AND s.user_id COLLATE "C" = u.id COLLATE "C");
    ELSE
        INSERT INTO neon_auth_internal.sync_unseen (kind, id)
        SELECT 'team', t.id
          FROM neon_auth.teams_sync t
         WHERE t.deleted_at IS NULL AND neon_auth_internal.is_since(t.updated_at, began) IS NOT TRUE
           AND NOT EXISTS (SELECT FROM neon_auth_internal.sync_scan s WHERE s.kind = 'team' AND s.team_id COLLATE "C" = t.id COLLATE "C");
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.find_unseen(bigint, text) IS
    'Notes the users or teams of the mirror that the run did not see at the auth service';

CREATE FUNCTION neon_auth_internal.unseen(kind text, after_id text) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_agg(next.id ORDER BY next.id)
      FROM (SELECT n.id FROM neon_auth_internal.sync_unseen n
             WHERE n.kind = unseen.kind AND n.id > after_id ORDER BY n.id LIMIT 1000) AS next;
$$;
COMMENT ON FUNCTION neon_auth_internal.unseen(text, text) IS
    'The next of those that find_unseen() noted, as an array of ids; NULL when there are no more';

-- The REST API answered that there is no such user or team.
CREATE FUNCTION neon_auth_internal.confirm_deleted(run bigint, kind text, id text) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    object constant jsonb := jsonb_build_object('id', id);
    answer jsonb;
BEGIN
    answer := CASE WHEN kind = 'user' THEN neon_auth_internal.apply_user('deleted', object)
                   ELSE neon_auth_internal.apply_team('deleted', object) END;
    PERFORM neon_auth_internal.count_sync(run, 0, 0, (answer ->> 'outcome' = 'applied')::integer, 0, NULL);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.confirm_deleted(bigint, text, text) IS 'Marks a user or a team as deleted that the auth service has no more';

-- Rows of a list of memberships or permissions, as they were seen.
CREATE FUNCTION neon_auth_internal.see(run bigint, kind text, items text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth.sync_runs r SET done = r.done + json_array_length(items::json) WHERE r.id = run;
    INSERT INTO neon_auth_internal.sync_scan (kind, team_id, user_id, permission_id)
    SELECT see.kind, coalesce(i.team_id, ''), i.user_id, coalesce(i.id, '')
      FROM jsonb_to_recordset(items::jsonb) AS i(team_id text, user_id text, id text);
$$;
COMMENT ON FUNCTION neon_auth_internal.see(bigint, text, text) IS 'Notes memberships or permissions that the auth service told of';

-- What is new is written; what is missing is queued, to be confirmed by itself. What events told
-- since the list was asked for stays. However long the lists are, they take little memory.
CREATE FUNCTION neon_auth_internal.sync_members(run bigint, asked_at bigint) RETURNS void
LANGUAGE plpgsql SET work_mem = '1MB' SET jit = off
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
    changed bigint;
BEGIN
    INSERT INTO neon_auth.team_members_sync (team_id, user_id)
    SELECT DISTINCT s.team_id, s.user_id
      FROM neon_auth_internal.sync_scan s
     WHERE s.kind = 'member'
       AND NOT EXISTS (SELECT FROM neon_auth.team_members_sync m WHERE m.team_id = s.team_id AND m.user_id = s.user_id)
       AND NOT EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.id = s.user_id AND u.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM neon_auth.teams_sync t WHERE t.id = s.team_id AND t.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.removals r
                        WHERE r.kind = 'team_member' AND r.team_id = s.team_id AND r.user_id = s.user_id
                          AND neon_auth_internal.is_since(r.removed_at, moment))
        ON CONFLICT (team_id, user_id) DO NOTHING;
    GET DIAGNOSTICS changed = ROW_COUNT;
    INSERT INTO neon_auth.sync_queue (kind, team_id, user_id, reason)
    SELECT 'team_member', m.team_id, m.user_id, 'The list of all memberships lacks it.'
      FROM neon_auth.team_members_sync m
     WHERE NOT neon_auth_internal.is_since(m.created_at, moment)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.sync_scan s
                        WHERE s.kind = 'member' AND s.team_id = m.team_id AND s.user_id = m.user_id)
        ON CONFLICT ON CONSTRAINT sync_queue_pkey DO UPDATE
       SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL WHERE sync_queue.last_error IS NOT NULL;
    PERFORM neon_auth_internal.count_sync(run, 0, changed, 0, 0, NULL);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.sync_members(bigint, bigint) IS 'Compares the mirror''s memberships with those that were seen';

CREATE FUNCTION neon_auth_internal.sync_permissions(run bigint, asked_at bigint) RETURNS void
LANGUAGE plpgsql SET work_mem = '1MB' SET jit = off
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
    in_teams bigint;
    in_project bigint;
BEGIN
    -- No EXCEPT: it keeps all of its one side in memory, whatever work_mem says.
    INSERT INTO neon_auth.team_permissions_sync AS p (team_id, user_id, permission_id, inherited)
    SELECT g.team_id, g.user_id, g.permission_id, g.inherited
      FROM (SELECT s.team_id, s.user_id, s.permission_id, bool_and(s.kind = 'team_permission') AS inherited
              FROM neon_auth_internal.sync_scan s
             WHERE s.kind IN ('team_permission', 'direct_team')
               AND NOT EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.id = s.user_id AND u.deleted_at IS NOT NULL)
               AND NOT EXISTS (SELECT FROM neon_auth.teams_sync t WHERE t.id = s.team_id AND t.deleted_at IS NOT NULL)
               AND NOT EXISTS (SELECT FROM neon_auth_internal.removals r
                                WHERE r.team_id = s.team_id AND r.user_id = s.user_id AND neon_auth_internal.is_since(r.removed_at, moment))
             GROUP BY s.team_id, s.user_id, s.permission_id) AS g
     WHERE NOT EXISTS (SELECT FROM neon_auth.team_permissions_sync k
                        WHERE k.team_id = g.team_id AND k.user_id = g.user_id
                          AND k.permission_id = g.permission_id AND k.inherited = g.inherited)
        ON CONFLICT (team_id, user_id, permission_id) DO UPDATE SET inherited = excluded.inherited WHERE NOT neon_auth_internal.is_since(p.created_at, moment);
    GET DIAGNOSTICS in_teams = ROW_COUNT;
    INSERT INTO neon_auth.project_permissions_sync AS p (user_id, permission_id, inherited)
    SELECT g.user_id, g.permission_id, g.inherited
      FROM (SELECT s.user_id, s.permission_id, bool_and(s.kind = 'project_permission') AS inherited
              FROM neon_auth_internal.sync_scan s
             WHERE s.kind IN ('project_permission', 'direct_project')
               AND NOT EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.id = s.user_id AND u.deleted_at IS NOT NULL)
               AND NOT EXISTS (SELECT FROM neon_auth_internal.removals r
                                WHERE r.kind = 'project_permission' AND r.user_id = s.user_id AND neon_auth_internal.is_since(r.removed_at, moment))
             GROUP BY s.user_id, s.permission_id) AS g
     WHERE NOT EXISTS (SELECT FROM neon_auth.project_permissions_sync k
                        WHERE k.user_id = g.user_id AND k.permission_id = g.permission_id AND k.inherited = g.inherited)
        ON CONFLICT (user_id, permission_id) DO UPDATE SET inherited = excluded.inherited WHERE NOT neon_auth_internal.is_since(p.created_at, moment);
    GET DIAGNOSTICS in_project = ROW_COUNT;

    INSERT INTO neon_auth.sync_queue (kind, team_id, user_id, reason)
    SELECT DISTINCT 'team_member', p.team_id, p.user_id, 'The list of all permissions lacks one.'
      FROM neon_auth.team_permissions_sync p
     WHERE NOT neon_auth_internal.is_since(p.created_at, moment)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.sync_scan s
                        WHERE s.kind IN ('team_permission', 'direct_team') AND s.team_id = p.team_id
                          AND s.user_id = p.user_id AND s.permission_id = p.permission_id)
        ON CONFLICT ON CONSTRAINT sync_queue_pkey DO UPDATE
       SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL WHERE sync_queue.last_error IS NOT NULL;
    INSERT INTO neon_auth.sync_queue (kind, user_id, reason)
    SELECT DISTINCT 'project_permissions', p.user_id, 'The list of all permissions lacks one.'
      FROM neon_auth.project_permissions_sync p
     WHERE NOT neon_auth_internal.is_since(p.created_at, moment)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.sync_scan s
                        WHERE s.kind IN ('project_permission', 'direct_project')
                          AND s.user_id = p.user_id AND s.permission_id = p.permission_id)
        ON CONFLICT ON CONSTRAINT sync_queue_pkey DO UPDATE
       SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL WHERE sync_queue.last_error IS NOT NULL;
    PERFORM neon_auth_internal.count_sync(run, 0, in_teams + in_project, 0, 0, NULL);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.sync_permissions(bigint, bigint) IS 'Compares the mirror''s permissions with those that were seen';

CREATE FUNCTION neon_auth_internal.unsee(kind text) RETURNS void
LANGUAGE sql
AS $$
    DELETE FROM neon_auth_internal.sync_scan s WHERE s.kind = unsee.kind;
$$;
COMMENT ON FUNCTION neon_auth_internal.unsee(text) IS 'Forgets what the run under way has seen of one kind';

-- A deletion that committed while lists were being written saw nothing of what they brought, nor
-- they of it.
CREATE FUNCTION neon_auth_internal.forget_deleted() RETURNS void
LANGUAGE sql SET work_mem = '1MB' SET jit = off
AS $$
    SELECT neon_auth_internal.forget_user(u.id)
      FROM neon_auth.users_sync u
     WHERE u.deleted_at IS NOT NULL
       AND (EXISTS (SELECT FROM neon_auth.team_members_sync m WHERE m.user_id = u.id)
            OR EXISTS (SELECT FROM neon_auth.team_permissions_sync p WHERE p.user_id = u.id)
            OR EXISTS (SELECT FROM neon_auth.project_permissions_sync p WHERE p.user_id = u.id));
    SELECT neon_auth_internal.forget_team(t.id)
      FROM neon_auth.teams_sync t
     WHERE t.deleted_at IS NOT NULL
       AND (EXISTS (SELECT FROM neon_auth.team_members_sync m WHERE m.team_id = t.id)
            OR EXISTS (SELECT FROM neon_auth.team_permissions_sync p WHERE p.team_id = t.id));
$$;
COMMENT ON FUNCTION neon_auth_internal.forget_deleted() IS
    'Ends the memberships and permissions that are left of users and teams who are deleted';

CREATE FUNCTION neon_auth_internal.end_scan(run bigint) RETURNS void
LANGUAGE sql
AS $$
    TRUNCATE neon_auth_internal.sync_scan, neon_auth_internal.sync_unseen, neon_auth_internal.sync_listed;
    -- What it was about has been compared since.
    DELETE FROM neon_auth.sync_queue q
     WHERE q.last_error IS NOT NULL AND q.queued_at < (SELECT r.started_at FROM neon_auth.sync_runs r WHERE r.id = run);
$$;
COMMENT ON FUNCTION neon_auth_internal.end_scan(bigint) IS 'Forgets what a run has seen, and what was left to it';

-- The queue: what events could not decide, oldest first. Entries are told from later ones by
-- queued_at, which is compared for equality alone: no clock is good enough for more.
CREATE FUNCTION neon_auth_internal.queued(until timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_agg(to_jsonb(q) - 'reason' - 'last_error' ORDER BY q.queued_at)
      FROM (SELECT * FROM neon_auth.sync_queue e
             WHERE e.queued_at <= until AND e.last_error IS NULL ORDER BY e.queued_at LIMIT 100) AS q;
$$;
COMMENT ON FUNCTION neon_auth_internal.queued(timestamptz) IS
    'What the REST API has to confirm first, of what was queued until then, as an array; NULL when there is nothing';

CREATE FUNCTION neon_auth_internal.end_listing() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    -- Most lists are short, and a TRUNCATE makes new files.
    IF EXISTS (SELECT FROM neon_auth_internal.sync_listed) THEN
        TRUNCATE neon_auth_internal.sync_listed;
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.end_listing() IS 'Forgets all stored items, once their entry is confirmed or refused';

CREATE FUNCTION neon_auth_internal.confirmed(kind text, team_id text, user_id text, queued_at timestamptz) RETURNS void
LANGUAGE sql
AS $$
    DELETE FROM neon_auth.sync_queue q
     WHERE (q.kind, q.team_id, q.user_id, q.queued_at)
         = (confirmed.kind, confirmed.team_id, confirmed.user_id, confirmed.queued_at);
    SELECT neon_auth_internal.end_listing();
$$;
COMMENT ON FUNCTION neon_auth_internal.confirmed(text, text, text, timestamptz) IS
    'Takes an entry out of the queue, unless it was queued again since';

CREATE FUNCTION neon_auth_internal.refused(kind text, team_id text, user_id text, queued_at timestamptz, last_error text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth.sync_queue q
       SET last_error = refused.last_error
     WHERE (q.kind, q.team_id, q.user_id, q.queued_at)
         = (refused.kind, refused.team_id, refused.user_id, refused.queued_at);
    SELECT neon_auth_internal.end_listing();
$$;
COMMENT ON FUNCTION neon_auth_internal.refused(text, text, text, timestamptz, text) IS
    'Leaves an entry of the queue to the next full synchronisation, unless it was queued again since';

-- Lists of the REST API about one entry of the queue. The last thousand items of a list are an argument
-- of the function that compares it; those before them are here. So no list is in memory as a whole.
CREATE FUNCTION neon_auth_internal.list_items(asked_at bigint, kind text, items text) RETURNS void
LANGUAGE sql
AS $$
    INSERT INTO neon_auth_internal.sync_listed (asked_at, kind, team_id, user_id, permission_id)
    SELECT list_items.asked_at, list_items.kind, i.team_id, i.user_id, i.id
      FROM jsonb_to_recordset(items::jsonb) AS i(team_id text, user_id text, id text);
$$;
COMMENT ON FUNCTION neon_auth_internal.list_items(bigint, text, text) IS 'Stores items of a long list, given as a JSON array';

CREATE FUNCTION neon_auth_internal.unlist_items(asked_at bigint, kind text) RETURNS void
LANGUAGE sql
AS $$
    DELETE FROM neon_auth_internal.sync_listed l WHERE l.asked_at = unlist_items.asked_at AND l.kind = unlist_items.kind;
$$;
COMMENT ON FUNCTION neon_auth_internal.unlist_items(bigint, text) IS 'Forgets the stored items of a list';

-- The planner puts the body in the place of the call, and so knows how many rows there are.
CREATE FUNCTION neon_auth_internal.listed(asked_at bigint, kind text, items text)
RETURNS TABLE (team_id text, user_id text, permission_id text)
LANGUAGE sql STABLE
AS $$
    SELECT i.team_id, i.user_id, i.id FROM jsonb_to_recordset(items::jsonb) AS i(team_id text, user_id text, id text)
    UNION ALL
    SELECT l.team_id, l.user_id, l.permission_id
      FROM neon_auth_internal.sync_listed l
     WHERE l.asked_at = listed.asked_at AND l.kind = listed.kind;
$$;
COMMENT ON FUNCTION neon_auth_internal.listed(bigint, text, text) IS 'All items of a list: those stored, and those given as a JSON array';

-- The REST API's answer about a team, or about one of its members (member is '' for all): the
-- memberships, the permissions that were given (direct), and all that follow from them. What
-- events told since it was asked stays. Answers how many rows are gone.
CREATE FUNCTION neon_auth_internal.confirm_team(team text, member text, memberships text, direct text, effective text, asked_at bigint)
RETURNS bigint
LANGUAGE plpgsql SET work_mem = '1MB' SET jit = off
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
    gone bigint;
    gone_permissions bigint;
BEGIN
    PERFORM neon_auth_internal.lock_mirror('team', team, true);
    IF EXISTS (SELECT FROM neon_auth.teams_sync t WHERE t.id = team AND t.deleted_at IS NOT NULL) THEN
        PERFORM neon_auth_internal.forget_team(team);
        RETURN 0;
    END IF;
    -- Nobody among them is deleted unseen while this is written. Counted, because PERFORM keeps all
    -- rows of its query until the end.
    PERFORM count(neon_auth_internal.lock_mirror('user', l.user_id, false))
       FROM neon_auth_internal.listed(asked_at, 'member', memberships) AS l
      WHERE l.team_id = team AND (member = '' OR l.user_id = member);
    DELETE FROM neon_auth.team_members_sync m
     WHERE m.team_id = team AND (member = '' OR m.user_id = member) AND NOT neon_auth_internal.is_since(m.created_at, moment)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.listed(asked_at, 'member', memberships) AS l
                        WHERE l.team_id = team AND l.user_id = m.user_id);
    GET DIAGNOSTICS gone = ROW_COUNT;
    INSERT INTO neon_auth.team_members_sync (team_id, user_id)
    SELECT DISTINCT team, l.user_id
      FROM neon_auth_internal.listed(asked_at, 'member', memberships) AS l
     WHERE l.team_id = team AND (member = '' OR l.user_id = member)
       AND NOT EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.id = l.user_id AND u.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.removals r
                        WHERE r.kind = 'team_member' AND r.team_id = team AND r.user_id = l.user_id
                          AND neon_auth_internal.is_since(r.removed_at, moment))
        ON CONFLICT (team_id, user_id) DO NOTHING;

    WITH given AS (
        SELECT i.user_id, i.permission_id, bool_and(i.inherited) AS inherited
          FROM (SELECT true AS inherited, e.* FROM neon_auth_internal.listed(asked_at, 'effective', effective) AS e
                UNION ALL
                SELECT false, d.* FROM neon_auth_internal.listed(asked_at, 'direct', direct) AS d) AS i
         WHERE i.team_id = team AND (member = '' OR i.user_id = member)
           AND EXISTS (SELECT FROM neon_auth_internal.listed(asked_at, 'member', memberships) AS l
                        WHERE l.team_id = team AND l.user_id = i.user_id)
         GROUP BY i.user_id, i.permission_id
    ), written AS (
        INSERT INTO neon_auth.team_permissions_sync AS p (team_id, user_id, permission_id, inherited)
        SELECT team, g.user_id, g.permission_id, g.inherited
          FROM given g
          JOIN neon_auth.team_members_sync m ON m.team_id = team AND m.user_id = g.user_id
         WHERE NOT EXISTS (SELECT FROM neon_auth_internal.removals r
                            WHERE r.team_id = team AND r.user_id = g.user_id AND neon_auth_internal.is_since(r.removed_at, moment))
            ON CONFLICT (team_id, user_id, permission_id) DO UPDATE
           SET inherited = excluded.inherited WHERE p.inherited <> excluded.inherited AND NOT neon_auth_internal.is_since(p.created_at, moment)
    )
    DELETE FROM neon_auth.team_permissions_sync p
     WHERE p.team_id = team AND (member = '' OR p.user_id = member) AND NOT neon_auth_internal.is_since(p.created_at, moment)
       AND NOT EXISTS (SELECT FROM given g WHERE g.user_id = p.user_id AND g.permission_id = p.permission_id);
    GET DIAGNOSTICS gone_permissions = ROW_COUNT;
    RETURN gone + gone_permissions;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.confirm_team(text, text, text, text, text, bigint) IS
    'Makes memberships and permissions in a team as the auth service says they are';

CREATE FUNCTION neon_auth_internal.confirm_project_permissions(holder text, direct text, effective text, asked_at bigint)
RETURNS bigint
LANGUAGE plpgsql SET work_mem = '1MB' SET jit = off
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
    gone bigint;
BEGIN
    IF neon_auth_internal.ended(NULL, holder) IS NOT NULL THEN
        RETURN 0;
    END IF;
    WITH given AS (
        SELECT i.permission_id, bool_and(i.inherited) AS inherited
          FROM (SELECT true AS inherited, e.* FROM neon_auth_internal.listed(asked_at, 'effective', effective) AS e
                UNION ALL
                SELECT false, d.* FROM neon_auth_internal.listed(asked_at, 'direct', direct) AS d) AS i
         WHERE i.user_id = holder
         GROUP BY i.permission_id
    ), written AS (
        INSERT INTO neon_auth.project_permissions_sync AS p (user_id, permission_id, inherited)
        SELECT holder, g.permission_id, g.inherited
          FROM given g
         WHERE NOT EXISTS (SELECT FROM neon_auth_internal.removals r
                            WHERE r.kind = 'project_permission' AND r.user_id = holder AND neon_auth_internal.is_since(r.removed_at, moment))
            ON CONFLICT (user_id, permission_id) DO UPDATE
           SET inherited = excluded.inherited WHERE p.inherited <> excluded.inherited AND NOT neon_auth_internal.is_since(p.created_at, moment)
    )
    DELETE FROM neon_auth.project_permissions_sync p
     WHERE p.user_id = holder AND NOT neon_auth_internal.is_since(p.created_at, moment)
       AND NOT EXISTS (SELECT FROM given g WHERE g.permission_id = p.permission_id);
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.confirm_project_permissions(text, text, text, bigint) IS
    'Makes a user''s permissions in the project as the auth service says they are';

CREATE PROCEDURE neon_auth.sync()
LANGUAGE c AS 'MODULE_PATHNAME', 'neon_auth_sync';
COMMENT ON PROCEDURE neon_auth.sync() IS
    'Makes the mirror equal to the auth service, over its REST API, in many short transactions; goes on where it was interrupted. CALL it outside of a transaction block';
REVOKE ALL ON PROCEDURE neon_auth.sync() FROM PUBLIC;

CREATE VIEW neon_auth.sync_progress AS
    SELECT r.phase,
           l.pid IS NOT NULL AS running,
           r.done,
           r.total,
           round(r.done / greatest(extract(epoch FROM clock_timestamp() - r.phase_started_at), 0.001), 1) AS rate,
           CASE WHEN r.done > 0 AND r.total >= r.done
                THEN clock_timestamp() + (clock_timestamp() - r.phase_started_at) * ((r.total - r.done) / r.done::double precision)
           END AS estimated_end,
           r.changed, r.deleted, r.skipped, r.last_skip_reason,
           r.started_at, l.pid
      FROM (SELECT * FROM neon_auth.sync_runs ORDER BY id DESC LIMIT 1) AS r
      LEFT JOIN pg_catalog.pg_locks l
        -- The lock of src/service/stack/sync/run.rs that a run holds, and nobody who confirms the queue alone.
        ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 20035 AND l.objid = 1
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
     WHERE r.finished_at IS NULL;
COMMENT ON VIEW neon_auth.sync_progress IS 'How far the synchronisation is that runs, or was interrupted; no row when there is none';
COMMENT ON COLUMN neon_auth.sync_progress.phase IS 'What it is at';
COMMENT ON COLUMN neon_auth.sync_progress.running IS 'False when it was interrupted: the next one goes on with it';
COMMENT ON COLUMN neon_auth.sync_progress.done IS 'Objects of the phase that are done';
COMMENT ON COLUMN neon_auth.sync_progress.total IS 'All of them; NULL when that is not known, as the first time';
COMMENT ON COLUMN neon_auth.sync_progress.rate IS 'Objects a second in this phase';
COMMENT ON COLUMN neon_auth.sync_progress.estimated_end IS 'When the phase will be done at that rate';
COMMENT ON COLUMN neon_auth.sync_progress.changed IS 'Rows added or changed so far';
COMMENT ON COLUMN neon_auth.sync_progress.deleted IS 'Users, teams, memberships and permissions found deleted so far';
COMMENT ON COLUMN neon_auth.sync_progress.skipped IS 'Objects that cannot be rows, or that a trigger kept from becoming them';
COMMENT ON COLUMN neon_auth.sync_progress.last_skip_reason IS 'What is wrong with the last of those';
COMMENT ON COLUMN neon_auth.sync_progress.started_at IS 'When it began';
COMMENT ON COLUMN neon_auth.sync_progress.pid IS 'The process that does it';
