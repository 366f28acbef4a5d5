-- A run of sync() for Better Auth: what differs, and what is written.

CREATE FUNCTION neon_auth_internal.other_service() RETURNS text
LANGUAGE sql
AS $$ SELECT concat_ws(' ', o.kind, nullif(o.source, o.kind)) FROM neon_auth_internal.other_source o LIMIT 1 $$;
COMMENT ON FUNCTION neon_auth_internal.other_service() IS
    'Returns the service whose users the mirror contains if it is not the configured one; otherwise NULL';

CREATE FUNCTION neon_auth_internal.begin_comparison() RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    number bigint;
BEGIN
    DELETE FROM neon_auth_internal.sync_source s WHERE (s.kind, s.source) <> ('better_auth', 'better_auth');
    INSERT INTO neon_auth_internal.sync_source (kind, source) VALUES ('better_auth', 'better_auth')
        ON CONFLICT (kind, source) DO NOTHING;
    INSERT INTO neon_auth_internal.sync_runs (kind, source) VALUES ('better_auth', 'better_auth')
    RETURNING id INTO number;
    UPDATE neon_auth_internal.mirror_gaps SET run = number;
    RETURN jsonb_build_object(
        'id', number,
        'unrecorded', neon_auth_internal.unrecorded_gaps(),
        'writers', neon_auth_internal.better_auth_writers());
END
$$;
COMMENT ON FUNCTION neon_auth_internal.begin_comparison() IS
    'Records a new run, and the gaps that it will repair; returns its number and the transactions that are writing';

CREATE FUNCTION neon_auth_internal.better_auth_writers() RETURNS jsonb
LANGUAGE sql
AS $$
    SELECT coalesce(jsonb_agg(DISTINCT l.virtualtransaction), '[]')
      FROM pg_locks l
      JOIN neon_auth_internal.better_auth_tables b ON b.relation = l.relation
     WHERE l.locktype = 'relation' AND l.granted AND l.pid IS DISTINCT FROM pg_backend_pid()
       AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
       AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock');
$$;
COMMENT ON FUNCTION neon_auth_internal.better_auth_writers() IS
    'Returns the transactions that can have written the tables of Better Auth and are under way';

CREATE FUNCTION neon_auth_internal.are_writing(writers jsonb) RETURNS boolean
LANGUAGE sql
AS $$
    SELECT EXISTS (SELECT FROM jsonb_array_elements_text(neon_auth_internal.better_auth_writers()) AS now
                    WHERE writers ? now);
$$;
COMMENT ON FUNCTION neon_auth_internal.are_writing(jsonb) IS
    'Returns true if one of the transactions is still under way';

-- A page of at most so many: what it returns must fit into a jsonb. after is the last id of the page before, so that
-- objects that cannot be written do not come again.
CREATE FUNCTION neon_auth_internal.find_differing(part text, after jsonb, most integer) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    last_id constant text := CASE part WHEN 'members' THEN coalesce(after ->> 0, '')
                                       ELSE coalesce(after #>> '{}', '') END;
    last_user constant text := coalesce(after ->> 1, '');
    ids jsonb;
    skipped bigint;
BEGIN
    IF part = 'members' THEN
        WITH differing AS MATERIALIZED (
            SELECT d.team_id, d.user_id FROM neon_auth_internal.differing_members() d
        ), page AS (
            SELECT d.team_id, d.user_id
              FROM differing d
             WHERE (d.team_id COLLATE "C", d.user_id COLLATE "C") > (last_id, last_user)
             ORDER BY d.team_id COLLATE "C", d.user_id COLLATE "C" LIMIT most
        )
        SELECT (SELECT coalesce(jsonb_agg(jsonb_build_array(p.team_id, p.user_id)
                                          ORDER BY p.team_id COLLATE "C", p.user_id COLLATE "C"), '[]') FROM page p),
               (SELECT count(*) FROM differing d WHERE d.team_id IS NULL)
          INTO ids, skipped;
    ELSE
        WITH differing AS MATERIALIZED (
            SELECT id FROM neon_auth_internal.differing_users() AS id WHERE part = 'users'
             UNION ALL
            SELECT id FROM neon_auth_internal.differing_teams() AS id WHERE part = 'teams'
        ), page AS (
            SELECT d.id FROM differing d WHERE d.id COLLATE "C" > last_id ORDER BY d.id COLLATE "C" LIMIT most
        )
        SELECT (SELECT coalesce(jsonb_agg(p.id ORDER BY p.id COLLATE "C"), '[]') FROM page p),
               (SELECT count(*) FROM differing d WHERE d.id IS NULL)
          INTO ids, skipped;
    END IF;
    RETURN jsonb_build_object('ids', ids, 'skipped', skipped);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.find_differing(text, jsonb, integer) IS
    'Returns a page of users, teams or members that differ, and how many rows the mirror cannot have';

CREATE FUNCTION neon_auth_internal.write_ids(part text, ids jsonb) RETURNS bigint
LANGUAGE plpgsql
AS $$
DECLARE
    texts text[];
    users text[];
BEGIN
    IF part = 'members' THEN
        SELECT array_agg(pair ->> 0), array_agg(pair ->> 1) INTO texts, users FROM jsonb_array_elements(ids) AS pair;
        RETURN neon_auth_internal.refresh_members(texts, users, true);
    END IF;
    texts := ARRAY(SELECT jsonb_array_elements_text(ids));
    IF part = 'teams' THEN
        RETURN neon_auth_internal.refresh_teams(texts, false);
    END IF;
    RETURN neon_auth_internal.refresh_users(texts, false);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.write_ids(text, jsonb) IS
    'Makes users, teams or members equal to those of Better Auth; counts changed rows';

-- What it has locked holds up writers of the tables, which wait for two seconds at most. So it waits only shortly. An
-- object that cannot be written must not keep out the others: after a failure the caller writes them one by one, each
-- in its own transaction. Disks are no matter of one object.
CREATE FUNCTION neon_auth_internal.write_differing(run bigint, part text, ids jsonb) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    changed bigint;
    is_one constant boolean := jsonb_array_length(ids) = 1;
BEGIN
    PERFORM set_config('lock_timeout', '100ms', true);
    BEGIN
        changed := neon_auth_internal.write_ids(part, ids);
    EXCEPTION
        WHEN lock_not_available OR deadlock_detected THEN
            RETURN jsonb_build_object('is_busy', true, 'reason', 'Another transaction holds a lock on it.');
        WHEN insufficient_resources OR disk_full OR out_of_memory OR object_not_in_prerequisite_state THEN
            RAISE;
        WHEN OTHERS THEN
            IF is_one THEN
                PERFORM neon_auth_internal.count_sync(run, 1, 0, 0, 1, SQLERRM);
            END IF;
            RETURN jsonb_build_object('is_busy', false, 'reason', SQLERRM);
    END;
    PERFORM neon_auth_internal.count_sync(run, jsonb_array_length(ids), changed, 0, 0, NULL);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.write_differing(bigint, text, jsonb) IS
    'Makes users, teams or members equal to those of Better Auth, and counts them; returns why it has written none';

-- What the run has left is a gap again. It wakes no worker, which would try the same at once.
CREATE FUNCTION neon_auth_internal.end_comparison(run bigint, unrecorded bigint, remaining jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM neon_auth_internal.mirror_gaps g WHERE g.run = end_comparison.run;
    INSERT INTO neon_auth_internal.mirror_gaps (what, id, reason, run)
    SELECT r.what, r.id, r.reason, end_comparison.run
      FROM jsonb_to_recordset(remaining) AS r(what text, id text, reason text);
    IF unrecorded > 0 THEN
        PERFORM setval('neon_auth_internal.mirror_gaps_repaired', unrecorded);
    END IF;
    PERFORM neon_auth_internal.enter_phase(run, 'done');
END
$$;
COMMENT ON FUNCTION neon_auth_internal.end_comparison(bigint, bigint, jsonb) IS
    'Records that a run is complete; forgets the gaps that it has repaired, and records what it has left';
