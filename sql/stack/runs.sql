-- Runs of neon_auth.sync() and their progress.

CREATE TABLE neon_auth.sync_runs (
    id bigint GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL,
    source text NOT NULL,
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
    gaps bigint NOT NULL DEFAULT 0,
    error text,
    failed_at timestamptz,
    CONSTRAINT sync_runs_pkey PRIMARY KEY (id)
);
CREATE VIEW neon_auth_internal.sync_runs AS TABLE neon_auth.sync_runs;
COMMENT ON TABLE neon_auth.sync_runs IS
    'Runs of synchronisation with the auth service; the last row is the latest. Not dumped';
COMMENT ON COLUMN neon_auth.sync_runs.id IS 'Number of the run';
COMMENT ON COLUMN neon_auth.sync_runs.kind IS 'Kind of the provider';
COMMENT ON COLUMN neon_auth.sync_runs.source IS
    'Set of users at the service: the project id for kind stack, else the kind';
COMMENT ON COLUMN neon_auth.sync_runs.started_at IS 'Start of the run';
COMMENT ON COLUMN neon_auth.sync_runs.finished_at IS
    'Time at which the mirror was equal to the source; NULL until then';
COMMENT ON COLUMN neon_auth.sync_runs.phase IS 'Current phase, or the phase in which the run was interrupted';
COMMENT ON COLUMN neon_auth.sync_runs.phase_started_at IS 'Start of the phase';
COMMENT ON COLUMN neon_auth.sync_runs.cursor IS 'Where a list is resumed: objects that were read last, as JSON';
COMMENT ON COLUMN neon_auth.sync_runs.total IS 'Objects of the phase; NULL while that is not known';
COMMENT ON COLUMN neon_auth.sync_runs.done IS 'Objects of the phase that are done';
COMMENT ON COLUMN neon_auth.sync_runs.changed IS 'Rows that the run added or changed';
COMMENT ON COLUMN neon_auth.sync_runs.deleted IS 'Users, teams, memberships and permissions that the run found deleted';
COMMENT ON COLUMN neon_auth.sync_runs.skipped IS
    'Objects that cannot become rows, that a trigger on the table kept out, and gaps in lists';
COMMENT ON COLUMN neon_auth.sync_runs.last_skip_reason IS 'Reason for the last of them';
COMMENT ON COLUMN neon_auth.sync_runs.gaps IS
    'Gaps in lists: the mirror may lack objects that exist, and contain some that do not';
COMMENT ON COLUMN neon_auth.sync_runs.error IS
    'Error of the last attempt, if its process could record it; NULL otherwise';
COMMENT ON COLUMN neon_auth.sync_runs.failed_at IS 'Time of that error';

-- An interrupted run continues, unless its scan is lost or too old.
CREATE FUNCTION neon_auth_internal.begin_sync(kind text, source text) RETURNS jsonb
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
DECLARE
    run neon_auth_internal.sync_runs;
    is_first boolean;
BEGIN
    -- No living user is left of the source that it names.
    DELETE FROM neon_auth_internal.sync_source s WHERE (s.kind, s.source) <> (begin_sync.kind, begin_sync.source);
    SELECT * INTO run FROM neon_auth_internal.sync_runs r ORDER BY r.id DESC LIMIT 1;
    IF run.finished_at IS NULL AND (run.kind, run.source) = (begin_sync.kind, begin_sync.source)
       AND run.started_at > now() - interval '1 day'
       AND EXISTS (SELECT FROM neon_auth_internal.sync_scan s WHERE s.kind = 'run' AND s.team_id = run.id::text) THEN
        RETURN to_jsonb(run) || '{"goes_on": true}';
    END IF;
    is_first := NOT EXISTS (SELECT FROM neon_auth_internal.sync_runs r WHERE r.finished_at IS NOT NULL);
    TRUNCATE neon_auth_internal.sync_scan, neon_auth_internal.sync_scan_users, neon_auth_internal.sync_unseen,
             neon_auth_internal.sync_listed, neon_auth_internal.sync_team_members;
    INSERT INTO neon_auth_internal.sync_runs (kind, source, total)
    VALUES (begin_sync.kind, begin_sync.source,
            CASE WHEN NOT is_first THEN (SELECT count(*) FROM neon_auth_internal.users_sync u
                                          CROSS JOIN neon_auth_internal.source s
                                          WHERE u.deleted_at IS NULL
                                            AND neon_auth_internal.is_of_provider(u.raw_json, s.provider)) END)
    RETURNING * INTO run;
    INSERT INTO neon_auth_internal.sync_scan (kind, team_id) VALUES ('run', run.id::text);
    RETURN to_jsonb(run) || '{"goes_on": false}';
END
$$;
COMMENT ON FUNCTION neon_auth_internal.begin_sync(text, text) IS
    'Returns the run to continue: a new one, or one that was interrupted';

CREATE FUNCTION neon_auth_internal.enter_phase(run bigint, phase text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth_internal.sync_runs r
       SET phase = enter_phase.phase, phase_started_at = clock_timestamp(), cursor = NULL, total = NULL, done = 0,
           finished_at = CASE WHEN enter_phase.phase = 'done' THEN clock_timestamp() END,
           error = CASE WHEN enter_phase.phase <> 'done' THEN r.error END,
           failed_at = CASE WHEN enter_phase.phase <> 'done' THEN r.failed_at END
     WHERE r.id = run;
$$;
COMMENT ON FUNCTION neon_auth_internal.enter_phase(bigint, text) IS
    'Records that a run enters another phase, or is done';

CREATE FUNCTION neon_auth_internal.fail_sync(run bigint, reason text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth_internal.sync_runs r SET error = reason, failed_at = clock_timestamp() WHERE r.id = run;
$$;
COMMENT ON FUNCTION neon_auth_internal.fail_sync(bigint, text) IS
    'Records the error that ended a run; the next run continues it';

CREATE FUNCTION neon_auth_internal.count_sync(
    run bigint, done bigint, changed bigint, deleted bigint, skipped bigint, last_skip_reason text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth_internal.sync_runs r
       SET done = r.done + count_sync.done, changed = r.changed + count_sync.changed,
           deleted = r.deleted + count_sync.deleted, skipped = r.skipped + count_sync.skipped,
           last_skip_reason = coalesce(count_sync.last_skip_reason, r.last_skip_reason)
     WHERE r.id = run;
$$;
COMMENT ON FUNCTION neon_auth_internal.count_sync(bigint, bigint, bigint, bigint, bigint, text) IS
    'Adds to the counts of a run';

CREATE FUNCTION neon_auth_internal.set_cursor(run bigint, cursor text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth_internal.sync_runs r SET cursor = nullif(set_cursor.cursor, '') WHERE r.id = run;
$$;
COMMENT ON FUNCTION neon_auth_internal.set_cursor(bigint, text) IS 'Records where a list is resumed';

CREATE FUNCTION neon_auth_internal.end_scan(run bigint) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    -- The run has compared their objects, unless a list had a gap.
    DELETE FROM neon_auth_internal.sync_queue q
     WHERE q.last_error IS NOT NULL
       AND q.queued_at < (SELECT r.started_at FROM neon_auth_internal.sync_runs r WHERE r.id = run)
       -- A worker may have compared other teams only.
       AND (q.kind NOT IN ('team', 'team_member')
            OR NOT EXISTS (SELECT FROM neon_auth_internal.service_limits l WHERE l.name = 'all_memberships')
            OR EXISTS (SELECT FROM neon_auth_internal.compared_teams c
                        WHERE c.team_id = q.team_id AND c.compared_at >= q.queued_at)
            OR NOT EXISTS (SELECT FROM neon_auth_internal.teams_sync t WHERE t.id = q.team_id)
               AND NOT EXISTS (SELECT FROM neon_auth_internal.team_members_sync m WHERE m.team_id = q.team_id))
       AND NOT EXISTS (SELECT
                         FROM (VALUES ('user', 'user'), ('team', 'team'), ('all_teams', 'team'), ('member', 'team'),
                                      ('member', 'team_member'),
                                      ('team_permission', 'team'), ('team_permission', 'team_member'),
                                      ('project_permission', 'project_permissions')) AS of_list(kind, queued)
                        WHERE of_list.queued = q.kind AND neon_auth_internal.has_gap(of_list.kind));
    TRUNCATE neon_auth_internal.sync_scan, neon_auth_internal.sync_scan_users, neon_auth_internal.sync_unseen,
             neon_auth_internal.sync_listed, neon_auth_internal.sync_team_members;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.end_scan(bigint) IS
    'Deletes the scan of a run, and the queue entries that were left to it';

CREATE PROCEDURE neon_auth.sync()
LANGUAGE c AS 'MODULE_PATHNAME', 'neon_auth_sync';
COMMENT ON PROCEDURE neon_auth.sync() IS
    'Makes the mirror equal to the auth service over its REST API, in many short transactions; continues an '
    'interrupted run. CALL it outside a transaction';
REVOKE ALL ON PROCEDURE neon_auth.sync() FROM PUBLIC;

CREATE VIEW neon_auth.sync_progress AS
    SELECT r.phase,
           l.pid IS NOT NULL AS running,
           r.done,
           r.total,
           round(r.done / greatest(extract(epoch FROM clock_timestamp() - r.phase_started_at), 0.001), 1) AS rate,
           CASE WHEN r.done > 0 AND r.total >= r.done
                THEN clock_timestamp()
                     + (clock_timestamp() - r.phase_started_at) * ((r.total - r.done) / r.done::double precision)
           END AS estimated_end,
           r.changed, r.deleted, r.skipped, r.last_skip_reason, r.gaps,
           r.started_at, l.pid
      FROM (SELECT * FROM neon_auth.sync_runs ORDER BY id DESC LIMIT 1) AS r
      LEFT JOIN pg_catalog.pg_locks l
        -- The lock that a run holds (src/service/stack/sync/run.rs), and that confirming the queue does not take.
        ON l.locktype = 'advisory' AND l.granted AND l.objsubid = 20035 AND l.objid = 1
       AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())
     WHERE r.finished_at IS NULL;
COMMENT ON VIEW neon_auth.sync_progress IS 'Progress of the current or interrupted run; no row if there is none';
COMMENT ON COLUMN neon_auth.sync_progress.phase IS 'Current phase';
COMMENT ON COLUMN neon_auth.sync_progress.running IS 'False if the run was interrupted: the next one continues it';
COMMENT ON COLUMN neon_auth.sync_progress.done IS 'Objects of the phase that are done';
COMMENT ON COLUMN neon_auth.sync_progress.total IS
    'Objects of the phase; NULL while that is not known, as in the first run';
COMMENT ON COLUMN neon_auth.sync_progress.rate IS 'Objects per second in this phase';
COMMENT ON COLUMN neon_auth.sync_progress.estimated_end IS 'End of the phase at that rate';
COMMENT ON COLUMN neon_auth.sync_progress.changed IS 'Rows added or changed so far';
COMMENT ON COLUMN neon_auth.sync_progress.deleted IS 'Users, teams, memberships and permissions found deleted so far';
COMMENT ON COLUMN neon_auth.sync_progress.skipped IS
    'Objects that cannot become rows, that a trigger on the table kept out, and gaps in lists';
COMMENT ON COLUMN neon_auth.sync_progress.last_skip_reason IS 'Reason for the last of them';
COMMENT ON COLUMN neon_auth.sync_progress.gaps IS 'Gaps in lists so far';
COMMENT ON COLUMN neon_auth.sync_progress.started_at IS 'Start of the run';
COMMENT ON COLUMN neon_auth.sync_progress.pid IS 'Process that runs it';
