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

-- At most half a million at a time: what it returns must fit into a jsonb.
CREATE FUNCTION neon_auth_internal.find_differing(part text) RETURNS jsonb
LANGUAGE plpgsql
AS $$
DECLARE
    most constant integer := 500000;
    ids jsonb;
    skipped bigint;
BEGIN
    IF part = 'members' THEN
        SELECT coalesce(jsonb_agg(jsonb_build_array(d.team_id, d.user_id)) FILTER (WHERE d.team_id IS NOT NULL), '[]'),
               count(*) FILTER (WHERE d.team_id IS NULL)
          INTO ids, skipped
          FROM (SELECT * FROM neon_auth_internal.differing_members() LIMIT most) AS d;
    ELSIF part = 'teams' THEN
        SELECT coalesce(jsonb_agg(d.id) FILTER (WHERE d.id IS NOT NULL), '[]'), count(*) FILTER (WHERE d.id IS NULL)
          INTO ids, skipped
          FROM (SELECT id FROM neon_auth_internal.differing_teams() AS id ORDER BY id LIMIT most) AS d;
    ELSE
        SELECT coalesce(jsonb_agg(d.id) FILTER (WHERE d.id IS NOT NULL), '[]'), count(*) FILTER (WHERE d.id IS NULL)
          INTO ids, skipped
          FROM (SELECT id FROM neon_auth_internal.differing_users() AS id ORDER BY id LIMIT most) AS d;
    END IF;
    RETURN jsonb_build_object('ids', ids, 'skipped', skipped, 'is_full', jsonb_array_length(ids) = most);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.find_differing(text) IS
    'Returns users, teams or members that differ, and how many rows the mirror cannot have';

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

-- An object that a trigger on the mirror keeps out must not keep out the others. Locks and disks are no matter of
-- one object.
CREATE FUNCTION neon_auth_internal.write_differing(run bigint, part text, ids jsonb) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    id jsonb;
    changed bigint := 0;
    skipped bigint := 0;
    reason text;
BEGIN
    BEGIN
        changed := neon_auth_internal.write_ids(part, ids);
    EXCEPTION
        WHEN deadlock_detected OR lock_not_available OR serialization_failure OR insufficient_resources
             OR disk_full OR out_of_memory OR object_not_in_prerequisite_state THEN
            RAISE;
        WHEN OTHERS THEN
            FOR id IN SELECT jsonb_array_elements(ids) LOOP
                BEGIN
                    changed := changed + neon_auth_internal.write_ids(part, jsonb_build_array(id));
                EXCEPTION
                    WHEN deadlock_detected OR lock_not_available OR serialization_failure OR insufficient_resources
                         OR disk_full OR out_of_memory OR object_not_in_prerequisite_state THEN
                        RAISE;
                    WHEN OTHERS THEN
                        skipped := skipped + 1;
                        reason := SQLERRM;
                END;
            END LOOP;
    END;
    PERFORM neon_auth_internal.count_sync(run, jsonb_array_length(ids), changed, 0, skipped, reason);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.write_differing(bigint, text, jsonb) IS
    'Makes users, teams or members equal to those of Better Auth, and counts them; one that fails is skipped';

CREATE FUNCTION neon_auth_internal.end_comparison(run bigint, unrecorded bigint) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM neon_auth_internal.mirror_gaps g WHERE g.run = end_comparison.run;
    IF unrecorded > 0 THEN
        PERFORM setval('neon_auth_internal.mirror_gaps_repaired', unrecorded);
    END IF;
    PERFORM neon_auth_internal.enter_phase(run, 'done');
END
$$;
COMMENT ON FUNCTION neon_auth_internal.end_comparison(bigint, bigint) IS
    'Records that a run is complete, and forgets the gaps that it has repaired';
