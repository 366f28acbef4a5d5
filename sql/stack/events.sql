-- Applies events of the auth service.

CREATE FUNCTION neon_auth_internal.team_standing(team jsonb) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'team_standing_wrapper';
COMMENT ON FUNCTION neon_auth_internal.team_standing(jsonb) IS
    'Compares a team with its row: unknown (no row), deleted, equal, unclear';

-- IMMUTABLE, so that a constant outcome is built once, when the statement is planned.
CREATE FUNCTION neon_auth_internal.outcome(
    outcome text, reason text DEFAULT NULL, queued boolean DEFAULT NULL) RETURNS jsonb
LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME', 'outcome_wrapper';
COMMENT ON FUNCTION neon_auth_internal.outcome(text, text, boolean) IS
    'Builds the outcome of an event: applied, unchanged or ignored, why, and if it queued something';

-- An odd one must not fail the user: it is too long for an index, for example, or no string.
CREATE FUNCTION neon_auth_internal.selected_team(given jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN jsonb_typeof(given -> 'selected_team_id') = 'string'
                 AND octet_length(given ->> 'selected_team_id') BETWEEN 1 AND 255
            THEN given ->> 'selected_team_id' END;
COMMENT ON FUNCTION neon_auth_internal.selected_team(jsonb) IS
    'Returns the id of the team that a user object has selected; NULL if there is none';

CREATE FUNCTION neon_auth_internal.queue_unknown_team(given jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    team constant text := neon_auth_internal.selected_team(given);
BEGIN
    IF team IS NOT NULL AND NOT EXISTS (SELECT FROM neon_auth_internal.teams_sync t WHERE t.id = team) THEN
        PERFORM neon_auth_internal.queue_sync('team', team, '', 'A user has selected it, and no event reported it.');
    END IF;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.queue_unknown_team(jsonb) IS
    'Queues the team that a user object has selected, if it has no row';

-- In one order, so that two users of the same teams do not deadlock: the row of the user, as whoever writes it
-- before he queues anything, and then the entries of the teams.
CREATE FUNCTION neon_auth_internal.queue_upgrade(given jsonb) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    member constant text := given ->> 'id';
BEGIN
    IF given -> 'is_anonymous' = 'true' THEN
        RETURN false;
    END IF;
    PERFORM FROM neon_auth_internal.users_sync u
      WHERE u.id = member AND u.raw_json -> 'is_anonymous' = 'true' AND u.deleted_at IS NULL
        FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO neon_auth_internal.sync_queue (kind, team_id, reason)
    SELECT 'team', t.team_id, 'No event reports its new name.'
      FROM (SELECT m.team_id FROM neon_auth_internal.team_members_sync m WHERE m.user_id = member
             UNION
            SELECT neon_auth_internal.selected_team(given)) AS t
     WHERE t.team_id IS NOT NULL
     ORDER BY t.team_id
        ON CONFLICT (team_id, user_id, kind) DO UPDATE
       SET reason = excluded.reason, queued_at = excluded.queued_at, last_error = NULL;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.queue_upgrade(jsonb) IS
    'Queues the teams of a user whose row is anonymous and whose object is not: the service renames the personal team';

CREATE FUNCTION neon_auth_internal.apply_deleted_user(id text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    IF neon_auth_internal.delete_object('user', apply_deleted_user.id, by_service => true) THEN
        RETURN neon_auth_internal.outcome('applied');
    END IF;
    IF EXISTS (SELECT FROM neon_auth_internal.users_sync u
                WHERE u.id = apply_deleted_user.id AND u.deleted_at IS NULL) THEN
        RETURN neon_auth_internal.outcome('ignored', 'The row is of a user of another provider.');
    END IF;
    RETURN neon_auth_internal.outcome('unchanged', 'The user is deleted already.');
END
$$;
COMMENT ON FUNCTION neon_auth_internal.apply_deleted_user(text) IS 'Applies the event that a user is deleted';

CREATE FUNCTION neon_auth_internal.apply_team(action text, team jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    locked constant boolean := neon_auth_internal.lock_mirror('team', team ->> 'id', true);
    standing text;
BEGIN
    IF action = 'deleted' THEN
        IF NOT neon_auth_internal.delete_object('team', team ->> 'id', by_service => true) THEN
            RETURN neon_auth_internal.outcome('unchanged', 'The team is deleted already.');
        END IF;
        RETURN neon_auth_internal.outcome('applied');
    END IF;

    standing := neon_auth_internal.team_standing(team);
    IF standing = 'unknown' THEN
        -- Writers of arrays do not take the lock, and may be first.
        INSERT INTO neon_auth_internal.teams_sync (raw_json, updated_at) VALUES (team, clock_timestamp())
            ON CONFLICT (id) DO NOTHING;
        IF FOUND THEN
            -- No event reports the creator as its first member.
            RETURN neon_auth_internal.outcome(
                'applied',
                queued => neon_auth_internal.queue_sync(
                    'team', team ->> 'id', '', 'No event reports its first member.'));
        END IF;
        standing := neon_auth_internal.team_standing(team);
    END IF;
    IF standing = 'deleted' THEN
        RETURN neon_auth_internal.outcome('ignored', 'The team is deleted.');
    ELSIF standing = 'equal' THEN
        RETURN neon_auth_internal.outcome('unchanged');
    ELSIF action = 'created' THEN
        RETURN neon_auth_internal.outcome('ignored', 'The row is newer than this event.');
    END IF;
    UPDATE neon_auth_internal.teams_sync t
       SET raw_json = team, updated_at = clock_timestamp()
     WHERE t.id = team ->> 'id';
    RETURN neon_auth_internal.outcome(
        'applied',
        queued => neon_auth_internal.queue_sync('team', team ->> 'id', '', 'The order of the updates is unknown.'));
END
$$;
COMMENT ON FUNCTION neon_auth_internal.apply_team(text, jsonb) IS
    'Applies a team''s event: created, updated or deleted';

CREATE FUNCTION neon_auth_internal.apply_membership(action text, team text, member text, webhook_id text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reason text := neon_auth_internal.ended(team, member);
    was_known boolean;
BEGIN
    IF reason IS NOT NULL THEN
        RETURN neon_auth_internal.outcome('ignored', reason);
    END IF;
    IF action = 'created' THEN
        IF EXISTS (SELECT FROM neon_auth_internal.team_members_sync m
                    WHERE m.team_id = team AND m.user_id = member) THEN
            RETURN neon_auth_internal.outcome('unchanged');
        END IF;
        IF neon_auth_internal.has_tombstone(team, member, '') THEN
            RETURN neon_auth_internal.outcome(
                'ignored', 'It was removed, and this event may be older.',
                queued => neon_auth_internal.queue_sync(
                    'team_member', team, member, 'It was created and removed, in an unknown order.'));
        END IF;
        INSERT INTO neon_auth_internal.team_members_sync (team_id, user_id, webhook_id)
        VALUES (team, member, apply_membership.webhook_id)
            ON CONFLICT (team_id, user_id) DO NOTHING;
        RETURN neon_auth_internal.outcome(CASE WHEN FOUND THEN 'applied' ELSE 'unchanged' END);
    END IF;

    DELETE FROM neon_auth_internal.team_members_sync m WHERE m.team_id = team AND m.user_id = member;
    was_known := FOUND;
    DELETE FROM neon_auth_internal.team_permissions_sync p WHERE p.team_id = team AND p.user_id = member;
    PERFORM neon_auth_internal.note_removal('team_member', team, member, '');
    -- No event reports the membership of a team's creator, so even a first removal may be stale.
    RETURN neon_auth_internal.outcome(
        CASE WHEN was_known THEN 'applied' ELSE 'unchanged' END,
        CASE WHEN NOT was_known THEN 'The membership does not exist; its creation may arrive later.' END,
        queued => neon_auth_internal.queue_sync(
            'team_member', team, member, 'It was removed, and may have been created again.'));
END
$$;
COMMENT ON FUNCTION neon_auth_internal.apply_membership(text, text, text, text) IS
    'Applies a membership''s event: created or deleted';

-- team is NULL for a permission in the whole project.
CREATE FUNCTION neon_auth_internal.apply_permission(
    action text, team text, holder text, permission text, webhook_id text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reason text := neon_auth_internal.ended(team, holder);
    kind constant text := CASE WHEN team IS NULL THEN 'project_permission' ELSE 'team_permission' END;
    to_confirm constant text := CASE WHEN team IS NULL THEN 'project_permissions' ELSE 'team_member' END;
    place constant text := coalesce(team, '');
    was_known boolean;
BEGIN
    IF reason IS NOT NULL THEN
        RETURN neon_auth_internal.outcome('ignored', reason);
    END IF;

    IF action = 'created' THEN
        IF neon_auth_internal.has_tombstone(place, holder, permission) THEN
            RETURN neon_auth_internal.outcome(
                'ignored', 'It or its membership was removed, and this event may be older.',
                queued => neon_auth_internal.queue_sync(
                    to_confirm, place, holder, 'A permission was created and removed, in an unknown order.'));
        END IF;
        IF team IS NULL THEN
            INSERT INTO neon_auth_internal.project_permissions_sync AS p (user_id, permission_id, webhook_id)
            VALUES (holder, permission, apply_permission.webhook_id)
                ON CONFLICT (user_id, permission_id) DO UPDATE
               SET inherited = false, webhook_id = excluded.webhook_id, created_at = excluded.created_at
             WHERE p.inherited;
        ELSE
            INSERT INTO neon_auth_internal.team_permissions_sync AS p (team_id, user_id, permission_id, webhook_id)
            VALUES (team, holder, permission, apply_permission.webhook_id)
                ON CONFLICT (team_id, user_id, permission_id) DO UPDATE
               SET inherited = false, webhook_id = excluded.webhook_id, created_at = excluded.created_at
             WHERE p.inherited;
        END IF;
        RETURN neon_auth_internal.outcome(CASE WHEN FOUND THEN 'applied' ELSE 'unchanged' END);
    END IF;

    IF team IS NULL THEN
        DELETE FROM neon_auth_internal.project_permissions_sync p
         WHERE p.user_id = holder AND p.permission_id = permission;
    ELSE
        DELETE FROM neon_auth_internal.team_permissions_sync p
         WHERE p.team_id = team AND p.user_id = holder AND p.permission_id = permission;
    END IF;
    was_known := FOUND;
    -- Which permissions followed from it is not known here. All inherited ones are removed until the REST API
    -- confirms them: a brief loss of access is preferred to a brief excess.
    IF team IS NULL THEN
        DELETE FROM neon_auth_internal.project_permissions_sync p WHERE p.user_id = holder AND p.inherited;
    ELSE
        DELETE FROM neon_auth_internal.team_permissions_sync p
         WHERE p.team_id = team AND p.user_id = holder AND p.inherited;
    END IF;
    PERFORM neon_auth_internal.note_removal(kind, place, holder, permission);
    RETURN neon_auth_internal.outcome(
        CASE WHEN was_known THEN 'applied' ELSE 'unchanged' END,
        CASE WHEN NOT was_known THEN 'The permission does not exist; its creation may arrive later.' END,
        queued => neon_auth_internal.queue_sync(
            to_confirm, place, holder, 'A permission was removed, and may have been created again.'));
END
$$;
COMMENT ON FUNCTION neon_auth_internal.apply_permission(text, text, text, text, text) IS
    'Applies a permission''s event, created or deleted, in a team or (NULL) in the whole project';
