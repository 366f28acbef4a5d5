-- Confirmation of queue entries by the REST API.

-- Unlogged: after a crash it is empty, and the queue entry is requested again.
CREATE UNLOGGED TABLE neon_auth_internal.sync_listed (
    asked_at bigint NOT NULL,
    kind text NOT NULL,
    team_id text,
    user_id text NOT NULL,
    permission_id text
);
COMMENT ON TABLE neon_auth_internal.sync_listed IS
    'Long lists of the REST API about the queue entry that is being confirmed; otherwise empty';
COMMENT ON COLUMN neon_auth_internal.sync_listed.asked_at IS
    'Time of the request in microseconds since 1970; rows of another attempt are ignored';
COMMENT ON COLUMN neon_auth_internal.sync_listed.kind IS 'member, direct (permission) or effective (permission)';
COMMENT ON COLUMN neon_auth_internal.sync_listed.team_id IS 'The team; NULL for a permission in the project';
COMMENT ON COLUMN neon_auth_internal.sync_listed.user_id IS 'The user';
COMMENT ON COLUMN neon_auth_internal.sync_listed.permission_id IS 'The permission; NULL for a membership';

-- The oldest entries come first. An entry that was queued again has another queued_at, which is compared only for
-- equality: no clock is precise enough for an order.
CREATE FUNCTION neon_auth_internal.queued(until timestamptz) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_agg(to_jsonb(q) - 'reason' - 'last_error' ORDER BY q.queued_at)
      FROM (SELECT * FROM neon_auth_internal.sync_queue e
             WHERE e.queued_at <= until AND e.last_error IS NULL ORDER BY e.queued_at LIMIT 100) AS q;
$$;
COMMENT ON FUNCTION neon_auth_internal.queued(timestamptz) IS
    'Returns the oldest queue entries up to a time, as an array; NULL if there are none';

CREATE FUNCTION neon_auth_internal.end_listing() RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    -- Most lists are short and not stored, and a TRUNCATE creates new files.
    IF EXISTS (SELECT FROM neon_auth_internal.sync_listed) THEN
        TRUNCATE neon_auth_internal.sync_listed;
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.end_listing() IS
    'Deletes the stored items, once their entry is confirmed or refused';

CREATE FUNCTION neon_auth_internal.confirmed(kind text, team_id text, user_id text, queued_at timestamptz) RETURNS void
LANGUAGE sql
AS $$
    DELETE FROM neon_auth_internal.sync_queue q
     WHERE (q.kind, q.team_id, q.user_id, q.queued_at)
         = (confirmed.kind, confirmed.team_id, confirmed.user_id, confirmed.queued_at);
    SELECT neon_auth_internal.end_listing();
$$;
COMMENT ON FUNCTION neon_auth_internal.confirmed(text, text, text, timestamptz) IS
    'Deletes a queue entry, unless it was queued again';

CREATE FUNCTION neon_auth_internal.refused(
    kind text, team_id text, user_id text, queued_at timestamptz, last_error text) RETURNS void
LANGUAGE sql
AS $$
    UPDATE neon_auth_internal.sync_queue q
       SET last_error = refused.last_error
     WHERE (q.kind, q.team_id, q.user_id, q.queued_at)
         = (refused.kind, refused.team_id, refused.user_id, refused.queued_at);
    SELECT neon_auth_internal.end_listing();
$$;
COMMENT ON FUNCTION neon_auth_internal.refused(text, text, text, timestamptz, text) IS
    'Leaves a queue entry to the next full run, unless it was queued again';

-- The last 1000 items of a list are an argument of the function that compares it; earlier ones are stored here.
-- So no list is in memory as a whole.
CREATE FUNCTION neon_auth_internal.list_items(asked_at bigint, kind text, items text) RETURNS void
LANGUAGE sql
AS $$
    INSERT INTO neon_auth_internal.sync_listed (asked_at, kind, team_id, user_id, permission_id)
    SELECT list_items.asked_at, list_items.kind, i.team_id, i.user_id, i.id
      FROM jsonb_to_recordset(items::jsonb) AS i(team_id text, user_id text, id text);
$$;
COMMENT ON FUNCTION neon_auth_internal.list_items(bigint, text, text) IS
    'Stores items of a long list, given as a JSON array';

CREATE FUNCTION neon_auth_internal.unlist_items(asked_at bigint, kind text) RETURNS void
LANGUAGE sql
AS $$
    DELETE FROM neon_auth_internal.sync_listed l
     WHERE l.asked_at = unlist_items.asked_at AND l.kind = unlist_items.kind;
$$;
COMMENT ON FUNCTION neon_auth_internal.unlist_items(bigint, text) IS 'Deletes the stored items of a list';

-- The planner inlines it, and so can estimate the number of rows.
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
COMMENT ON FUNCTION neon_auth_internal.listed(bigint, text, text) IS
    'Returns all items of a list: the stored ones and those of a JSON array';

-- The response is about a team, or about one of its members (member is '' for all): the memberships, the
-- granted permissions (direct), and all permissions that follow from them (effective). If some
-- memberships cannot be read (NOT is_whole), those that the list lacks are queued one by one.
CREATE FUNCTION neon_auth_internal.confirm_team(
    team text, member text, memberships text, direct text, effective text, asked_at bigint, is_whole boolean)
RETURNS bigint
LANGUAGE plpgsql
SET work_mem = '1MB' SET enable_nestloop = on SET plan_cache_mode = force_custom_plan SET jit = off
AS $$
DECLARE
    moment constant timestamptz := neon_auth_internal.time_of(asked_at);
    gone bigint;
    gone_permissions bigint;
BEGIN
    -- Only a long list is stored. The planner expects few rows of it, and would search all of one list for each
    -- row of another. The setting ends with this function, which sets it too.
    IF EXISTS (SELECT FROM neon_auth_internal.sync_listed l WHERE l.asked_at = confirm_team.asked_at) THEN
        PERFORM set_config('enable_nestloop', 'off', true);
    END IF;
    PERFORM neon_auth_internal.lock_mirror('team', team, true);
    IF EXISTS (SELECT FROM neon_auth_internal.teams_sync t WHERE t.id = team AND t.deleted_at IS NOT NULL) THEN
        PERFORM neon_auth_internal.forget_team(team);
        RETURN 0;
    END IF;
    -- So that none of the users is deleted at the same time. count(), because PERFORM keeps all rows of its
    -- query until the end.
    PERFORM count(neon_auth_internal.lock_mirror('user', l.user_id, false))
       FROM neon_auth_internal.listed(asked_at, 'member', memberships) AS l
      WHERE l.team_id = team AND (member = '' OR l.user_id = member);
    IF is_whole THEN
        WITH ended AS (
            DELETE FROM neon_auth_internal.team_members_sync m
             WHERE m.team_id = team AND (member = '' OR m.user_id = member)
               AND NOT neon_auth_internal.is_since(m.created_at, moment)
               AND NOT EXISTS (SELECT FROM neon_auth_internal.listed(asked_at, 'member', memberships) AS l
                                WHERE l.team_id = team AND l.user_id = m.user_id)
            RETURNING m.user_id
        ), noted AS (
            INSERT INTO neon_auth_internal.tombstones (kind, team_id, user_id)
            SELECT 'team_member', team, e.user_id FROM ended e
                ON CONFLICT (team_id, user_id, kind, permission_id) DO UPDATE SET removed_at = excluded.removed_at
        )
        SELECT count(*) INTO gone FROM ended;
    ELSE
        INSERT INTO neon_auth_internal.sync_queue (kind, team_id, user_id, reason)
        SELECT 'team_member', team, m.user_id, 'The list of the team''s members lacks it.'
          FROM neon_auth_internal.team_members_sync m
         WHERE m.team_id = team AND NOT neon_auth_internal.is_since(m.created_at, moment)
           AND NOT EXISTS (SELECT FROM neon_auth_internal.listed(asked_at, 'member', memberships) AS l
                            WHERE l.team_id = team AND l.user_id = m.user_id)
            ON CONFLICT (team_id, user_id, kind) DO UPDATE
           SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL;
        gone := 0;
    END IF;
    INSERT INTO neon_auth_internal.team_members_sync (team_id, user_id)
    SELECT DISTINCT team, l.user_id
      FROM neon_auth_internal.listed(asked_at, 'member', memberships) AS l
     WHERE l.team_id = team AND (member = '' OR l.user_id = member)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.users_sync u WHERE u.id = l.user_id AND u.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM neon_auth_internal.outranked_memberships(moment) o
                        WHERE o.team_id = team AND o.user_id = l.user_id)
        ON CONFLICT (team_id, user_id) DO NOTHING;

    WITH given AS (
        SELECT i.user_id, i.permission_id, bool_and(i.inherited) AS inherited
          FROM (SELECT true AS inherited, e.* FROM neon_auth_internal.listed(asked_at, 'effective', effective) AS e
                UNION ALL
                SELECT false, d.* FROM neon_auth_internal.listed(asked_at, 'direct', direct) AS d) AS i
         WHERE i.team_id = team AND (member = '' OR i.user_id = member)
           -- Whom the list lacks is a member no longer, unless the list has a gap.
           AND EXISTS (SELECT FROM neon_auth_internal.team_members_sync m
                        WHERE m.team_id = team AND m.user_id = i.user_id)
         GROUP BY i.user_id, i.permission_id
    ), written AS (
        INSERT INTO neon_auth_internal.team_permissions_sync AS p (team_id, user_id, permission_id, inherited)
        SELECT team, g.user_id, g.permission_id, g.inherited
          FROM given g
         WHERE NOT EXISTS (SELECT FROM neon_auth_internal.outranked_permissions(moment) o
                            WHERE o.team_id = team AND o.user_id = g.user_id)
            ON CONFLICT (team_id, user_id, permission_id) DO UPDATE
           SET inherited = excluded.inherited
         WHERE p.inherited <> excluded.inherited AND NOT neon_auth_internal.is_since(p.created_at, moment)
    ), ended AS (
        DELETE FROM neon_auth_internal.team_permissions_sync p
         WHERE p.team_id = team AND (member = '' OR p.user_id = member)
           AND NOT neon_auth_internal.is_since(p.created_at, moment)
           AND NOT EXISTS (SELECT FROM given g WHERE g.user_id = p.user_id AND g.permission_id = p.permission_id)
        RETURNING p.user_id, p.permission_id, p.inherited
    ), noted AS (
        INSERT INTO neon_auth_internal.tombstones (kind, team_id, user_id, permission_id)
        SELECT 'team_permission', team, e.user_id, e.permission_id FROM ended e WHERE NOT e.inherited
            ON CONFLICT (team_id, user_id, kind, permission_id) DO UPDATE SET removed_at = excluded.removed_at
    )
    SELECT count(*) INTO gone_permissions FROM ended;
    RETURN gone + gone_permissions;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.confirm_team(text, text, text, text, text, bigint, boolean) IS
    'Makes the memberships and permissions in a team equal to a REST response; returns how many rows were deleted';

CREATE FUNCTION neon_auth_internal.confirm_project_permissions(
    holder text, direct text, effective text, asked_at bigint) RETURNS bigint
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
        INSERT INTO neon_auth_internal.project_permissions_sync AS p (user_id, permission_id, inherited)
        SELECT holder, g.permission_id, g.inherited
          FROM given g
         WHERE NOT EXISTS (SELECT FROM neon_auth_internal.outranked_permissions(moment) o
                            WHERE o.team_id = '' AND o.user_id = holder)
            ON CONFLICT (user_id, permission_id) DO UPDATE
           SET inherited = excluded.inherited
         WHERE p.inherited <> excluded.inherited AND NOT neon_auth_internal.is_since(p.created_at, moment)
    ), ended AS (
        DELETE FROM neon_auth_internal.project_permissions_sync p
         WHERE p.user_id = holder AND NOT neon_auth_internal.is_since(p.created_at, moment)
           AND NOT EXISTS (SELECT FROM given g WHERE g.permission_id = p.permission_id)
        RETURNING p.permission_id, p.inherited
    ), noted AS (
        INSERT INTO neon_auth_internal.tombstones (kind, user_id, permission_id)
        SELECT 'project_permission', holder, e.permission_id FROM ended e WHERE NOT e.inherited
            ON CONFLICT (team_id, user_id, kind, permission_id) DO UPDATE SET removed_at = excluded.removed_at
    )
    SELECT count(*) INTO gone FROM ended;
    RETURN gone;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.confirm_project_permissions(text, text, text, bigint) IS
    'Makes a user''s permissions in the project equal to a REST response; returns how many rows were deleted';
