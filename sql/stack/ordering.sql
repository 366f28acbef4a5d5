-- The order of changes that arrive in any order: the queue, tombstones, locks and rules.
--
-- Events carry neither a time nor a version, and arrive in any order. A response of the REST API is as old
-- as its request. These rules decide which change counts; everything that writes memberships or
-- permissions follows them, and finds the functions for them in this file.
--
-- 1. Locks. A writer holds the lock of the team, then the lock of the user, until its transaction ends. So a
--    deletion does not miss a row that another transaction is writing. (lock_mirror, ended)
-- 2. The deletion of a user or a team is final. It ends memberships and permissions, and deletes tombstones
--    and queue entries; later events about it are ignored. (ended, forget_user, forget_team, forget_deleted)
-- 3. A membership or a permission can be created again after its removal, so its removal is not final. It
--    leaves a tombstone, whether an event or a response reports it. (note_removal, confirm_team)
-- 4. A creation that arrives after a removal may be older: it was delayed, or the service sent the event twice
--    under two ids. It is not applied, but queued, and the REST API decides. (has_tombstone, queue_sync)
-- 5. The removal of a membership removes all permissions in it. Its tombstone applies to them too: a grant that
--    arrives later may be one of those. (has_tombstone)
-- 6. A change that arrived after a REST request was sent outranks the response:
--    - A row that was created since then stays, even if the response lacks it. (is_since)
--    - A removal since then keeps the response from writing the row. Which removals do so depends on the row:
--        a membership           the removal of this membership          outranked_memberships
--        a team's permission    any removal of the same team and user   outranked_permissions
--        a project's permission any project removal of the same user    outranked_permissions
--      A permission is outranked by other removals too, because it may have followed from them: which
--      permissions contain it is known only to the service.
-- 7. A response about one entry of the queue also deletes what it lacks. The lists of a full run are too
--    long to be read at one moment: what they lack is queued, and so is what a list with a gap lacks. (confirm_team,
--    sync_members, end_team, sync_permissions)
-- 8. Where the order is not known, a right is withheld until it is confirmed.
--
-- Times are of the clock: now() is when the transaction began, which may be long before the request.

CREATE FUNCTION neon_auth_internal.lock_mirror(kind text, id text, exclusive boolean) RETURNS boolean
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'lock_mirror_wrapper';
COMMENT ON FUNCTION neon_auth_internal.lock_mirror(text, text, boolean) IS
    'Locks a user, team or delivery until the transaction ends; returns true. Independent of the application''s '
    'advisory locks';

CREATE FUNCTION neon_auth_internal.time_of(microseconds bigint) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN 'epoch'::timestamptz + microseconds * interval '1 microsecond';
COMMENT ON FUNCTION neon_auth_internal.time_of(bigint) IS 'Converts microseconds since 1970 to a time';

-- A time in the future is from before the clock was set back, or from another machine. If it counted as
-- later than every request, no response would ever be applied.
CREATE FUNCTION neon_auth_internal.is_since(happened timestamptz, moment timestamptz) RETURNS boolean
LANGUAGE sql
RETURN happened BETWEEN moment AND clock_timestamp();
COMMENT ON FUNCTION neon_auth_internal.is_since(timestamptz, timestamptz) IS
    'Returns true for a time between the moment and now';

CREATE TABLE neon_auth.sync_queue (
    kind text NOT NULL
        CONSTRAINT sync_queue_kind_check CHECK (kind IN ('user', 'team', 'team_member', 'project_permissions')),
    team_id text NOT NULL DEFAULT '',
    user_id text NOT NULL DEFAULT '',
    reason text NOT NULL,
    queued_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text,
    CONSTRAINT sync_queue_pkey PRIMARY KEY (team_id, user_id, kind)
);
CREATE VIEW neon_auth_internal.sync_queue AS TABLE neon_auth.sync_queue;
CREATE INDEX sync_queue_user_id_idx ON neon_auth.sync_queue (user_id);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.sync_queue', '');
COMMENT ON TABLE neon_auth.sync_queue IS
    'Changes that events could not decide, for confirmation by the auth service''s REST API';
COMMENT ON COLUMN neon_auth.sync_queue.kind IS
    'user, team (with members and their permissions), team_member (with its permissions) or project_permissions '
    '(of a user)';
COMMENT ON COLUMN neon_auth.sync_queue.team_id IS 'The team, for team and team_member; otherwise empty';
COMMENT ON COLUMN neon_auth.sync_queue.user_id IS 'The user; empty for team';
COMMENT ON COLUMN neon_auth.sync_queue.reason IS 'Why the last event needs confirmation';
COMMENT ON COLUMN neon_auth.sync_queue.queued_at IS
    'Time at which it was last queued; only a response requested later confirms it';
COMMENT ON COLUMN neon_auth.sync_queue.last_error IS
    'Error with which the REST API rejected it; it then waits for the next full run. NULL: still to be requested';
COMMENT ON INDEX neon_auth.sync_queue_user_id_idx IS 'For the deletion of a user';

-- It returns true, because PL/pgSQL can evaluate a call in an expression without running a query.
CREATE FUNCTION neon_auth_internal.queue_sync(kind text, team_id text, user_id text, reason text) RETURNS boolean
LANGUAGE plpgsql
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO neon_auth_internal.sync_queue (kind, team_id, user_id, reason)
    VALUES (queue_sync.kind, queue_sync.team_id, queue_sync.user_id, queue_sync.reason)
        ON CONFLICT (team_id, user_id, kind) DO UPDATE
       SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL;
    RETURN true;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.queue_sync(text, text, text, text) IS
    'Queues an object for confirmation by the REST API; returns true';

-- See rules 3 to 5.
CREATE TABLE neon_auth_internal.tombstones (
    kind text NOT NULL
        CONSTRAINT tombstones_kind_check CHECK (kind IN ('team_member', 'team_permission', 'project_permission')),
    team_id text NOT NULL DEFAULT '',
    user_id text NOT NULL,
    permission_id text NOT NULL DEFAULT '',
    removed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT tombstones_pkey PRIMARY KEY (team_id, user_id, kind, permission_id)
);
CREATE INDEX tombstones_user_id_idx ON neon_auth_internal.tombstones (user_id);
SELECT pg_catalog.pg_extension_config_dump('neon_auth_internal.tombstones', '');
COMMENT ON TABLE neon_auth_internal.tombstones IS
    'Removed memberships and permissions, which a stale event must not restore';
COMMENT ON COLUMN neon_auth_internal.tombstones.kind IS 'team_member, team_permission or project_permission';
COMMENT ON COLUMN neon_auth_internal.tombstones.team_id IS 'The team; empty for project_permission';
COMMENT ON COLUMN neon_auth_internal.tombstones.user_id IS 'The user';
COMMENT ON COLUMN neon_auth_internal.tombstones.permission_id IS 'The permission; empty for team_member';
COMMENT ON COLUMN neon_auth_internal.tombstones.removed_at IS
    'Time of the last removal; a REST response requested later overrides it';
COMMENT ON INDEX neon_auth_internal.tombstones_user_id_idx IS 'For the deletion of a user';

CREATE FUNCTION neon_auth_internal.note_removal(kind text, team_id text, user_id text, permission_id text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO neon_auth_internal.tombstones (kind, team_id, user_id, permission_id)
    VALUES (note_removal.kind, note_removal.team_id, note_removal.user_id, note_removal.permission_id)
        ON CONFLICT (team_id, user_id, kind, permission_id) DO UPDATE SET removed_at = excluded.removed_at;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.note_removal(text, text, text, text) IS
    'Records the removal of a membership (permission_id empty) or a permission';

-- A PL/pgSQL function keeps its plan, which an SQL function that is not inlined does not.
CREATE FUNCTION neon_auth_internal.has_tombstone(team_id text, user_id text, permission_id text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN EXISTS (SELECT FROM neon_auth_internal.tombstones t
                    WHERE t.team_id = has_tombstone.team_id AND t.user_id = has_tombstone.user_id
                      AND t.permission_id IN ('', has_tombstone.permission_id));
END
$$;
COMMENT ON FUNCTION neon_auth_internal.has_tombstone(text, text, text) IS
    'Returns true if a membership was removed (permission_id empty), or a permission or its membership (team_id '
    'empty: in the project)';

-- Sets, which the planner inlines and joins: a function that is called for each of a million memberships
-- would take longer than all the rest. They are declared STABLE because a volatile one is not inlined.
CREATE FUNCTION neon_auth_internal.outranked_memberships(asked_at timestamptz)
RETURNS TABLE (team_id text, user_id text)
LANGUAGE sql STABLE
AS $$
    SELECT t.team_id, t.user_id
      FROM neon_auth_internal.tombstones t
     WHERE t.kind = 'team_member' AND neon_auth_internal.is_since(t.removed_at, asked_at);
$$;
COMMENT ON FUNCTION neon_auth_internal.outranked_memberships(timestamptz) IS
    'Memberships that a REST response, requested at a time, must not write';

CREATE FUNCTION neon_auth_internal.outranked_permissions(asked_at timestamptz)
RETURNS TABLE (team_id text, user_id text)
LANGUAGE sql STABLE
AS $$
    SELECT t.team_id, t.user_id
      FROM neon_auth_internal.tombstones t
     WHERE neon_auth_internal.is_since(t.removed_at, asked_at);
$$;
COMMENT ON FUNCTION neon_auth_internal.outranked_permissions(timestamptz) IS
    'Teams (empty: the project) and users whose permissions a REST response, requested at a time, must not write';

CREATE FUNCTION neon_auth_internal.ended(team_id text, user_id text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    team_locked constant boolean := neon_auth_internal.lock_mirror('team', ended.team_id, false);
    user_locked constant boolean := neon_auth_internal.lock_mirror('user', ended.user_id, true);
BEGIN
    RETURN CASE
        WHEN EXISTS (SELECT FROM neon_auth_internal.users_sync u
                      WHERE u.id = ended.user_id AND u.deleted_at IS NOT NULL)
            THEN 'The user is deleted.'
        WHEN EXISTS (SELECT FROM neon_auth_internal.teams_sync t
                      WHERE t.id = ended.team_id AND t.deleted_at IS NOT NULL)
            THEN 'The team is deleted.'
    END;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.ended(text, text) IS
    'Locks a team (NULL: none) and a user; if one is deleted, returns so as a sentence, and no event about both '
    'applies';

CREATE FUNCTION neon_auth_internal.forget_user(id text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM neon_auth_internal.team_members_sync WHERE user_id = id;
    DELETE FROM neon_auth_internal.team_permissions_sync WHERE user_id = id;
    DELETE FROM neon_auth_internal.project_permissions_sync WHERE user_id = id;
    DELETE FROM neon_auth_internal.tombstones WHERE user_id = id;
    DELETE FROM neon_auth_internal.sync_queue WHERE user_id = id;
$$;
COMMENT ON FUNCTION neon_auth_internal.forget_user(text) IS 'Ends the memberships and permissions of a deleted user';

CREATE FUNCTION neon_auth_internal.forget_team(id text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    DELETE FROM neon_auth_internal.team_members_sync WHERE team_id = id;
    DELETE FROM neon_auth_internal.team_permissions_sync WHERE team_id = id;
    DELETE FROM neon_auth_internal.tombstones WHERE team_id = id;
    DELETE FROM neon_auth_internal.sync_queue WHERE team_id = id;
$$;
COMMENT ON FUNCTION neon_auth_internal.forget_team(text) IS 'Ends the memberships and permissions in a deleted team';

-- A deletion that committed while lists were being written did not see the rows that the lists wrote, and the
-- lists did not see the deletion.
CREATE FUNCTION neon_auth_internal.forget_deleted() RETURNS void
LANGUAGE sql SET work_mem = '1MB' SET enable_seqscan = off SET jit = off
AS $$
    SELECT neon_auth_internal.forget_user(u.id)
      FROM neon_auth_internal.users_sync u
     WHERE u.deleted_at IS NOT NULL
       AND (EXISTS (SELECT FROM neon_auth_internal.team_members_sync m WHERE m.user_id = u.id)
            OR EXISTS (SELECT FROM neon_auth_internal.team_permissions_sync p WHERE p.user_id = u.id)
            OR EXISTS (SELECT FROM neon_auth_internal.project_permissions_sync p WHERE p.user_id = u.id));
    SELECT neon_auth_internal.forget_team(t.id)
      FROM neon_auth_internal.teams_sync t
     WHERE t.deleted_at IS NOT NULL
       AND (EXISTS (SELECT FROM neon_auth_internal.team_members_sync m WHERE m.team_id = t.id)
            OR EXISTS (SELECT FROM neon_auth_internal.team_permissions_sync p WHERE p.team_id = t.id));
$$;
COMMENT ON FUNCTION neon_auth_internal.forget_deleted() IS
    'Ends the remaining memberships and permissions of all deleted users and teams';
