-- What policies ask the mirror about the signed-in user: which teams, which permissions.

-- A row of users_sync or teams_sync may be missing yet, and a membership counts all the same: the
-- auth service told of it. A deleted user or team grants nothing, whatever rows are left.
CREATE FUNCTION auth.team_ids() RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
SUPPORT neon_auth.once_per_query
AS $$
DECLARE
    me constant text := auth.user_id();
BEGIN
    IF me IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN ARRAY(
        SELECT m.team_id
          FROM neon_auth.team_members_sync m
          LEFT JOIN neon_auth.teams_sync t ON t.id = m.team_id
         WHERE m.user_id = me AND t.deleted_at IS NULL
           AND NOT EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.id = me AND u.deleted_at IS NOT NULL)
         ORDER BY m.team_id);
END
$$;
COMMENT ON FUNCTION auth.team_ids() IS 'The teams that the signed-in user is in, for policies: team_id = ANY (auth.team_ids())';

CREATE FUNCTION auth.is_team_member(team_id text) RETURNS boolean
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
SUPPORT neon_auth.once_per_query
AS $$
DECLARE
    me constant text := auth.user_id();
BEGIN
    IF me IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN EXISTS (SELECT FROM neon_auth.team_members_sync m WHERE m.team_id = is_team_member.team_id AND m.user_id = me)
       AND NOT EXISTS (SELECT FROM neon_auth.teams_sync t WHERE t.id = is_team_member.team_id AND t.deleted_at IS NOT NULL)
       AND NOT EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.id = me AND u.deleted_at IS NOT NULL);
END
$$;
COMMENT ON FUNCTION auth.is_team_member(text) IS 'Whether the signed-in user is in a team';

-- From the permission asked for upwards to all that contain it: definitions are few, grants many.
-- A permission that nobody has defined here counts for itself: definitions do not come by events.
CREATE FUNCTION auth.has_permission(permission_id text, team_id text DEFAULT NULL) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
SUPPORT neon_auth.once_per_query
AS $$
#variable_conflict use_column
DECLARE
    me constant text := auth.user_id();
    wanted constant text := has_permission.permission_id;
    team constant text := has_permission.team_id;
    asked_scope constant text := CASE WHEN team IS NULL THEN 'project' ELSE 'team' END;
BEGIN
    IF me IS NULL OR wanted IS NULL THEN
        RETURN NULL;
    END IF;
    IF team IS NOT NULL
       AND NOT EXISTS (SELECT FROM neon_auth.team_members_sync m WHERE m.team_id = team AND m.user_id = me)
       OR EXISTS (SELECT FROM neon_auth.teams_sync t WHERE t.id = team AND t.deleted_at IS NOT NULL)
       OR EXISTS (SELECT FROM neon_auth.users_sync u WHERE u.id = me AND u.deleted_at IS NOT NULL) THEN
        RETURN false;
    END IF;
    RETURN EXISTS (
        WITH RECURSIVE granting(id) AS (
            SELECT wanted
             WHERE NOT EXISTS (SELECT FROM neon_auth.permission_definitions d
                                WHERE d.scope = asked_scope AND d.id = wanted AND d.withdrawn)
            UNION
            SELECT d.id
              FROM granting g
              JOIN neon_auth.permission_definitions d ON d.contained_permission_ids @> ARRAY[g.id]
             WHERE d.scope = asked_scope AND NOT d.withdrawn)
        SELECT FROM granting g
         WHERE CASE WHEN team IS NULL
                    THEN EXISTS (SELECT FROM neon_auth.project_permissions_sync p
                                  WHERE p.user_id = me AND p.permission_id = g.id)
                    ELSE EXISTS (SELECT FROM neon_auth.team_permissions_sync p
                                  WHERE p.team_id = team AND p.user_id = me AND p.permission_id = g.id) END);
END
$$;
COMMENT ON FUNCTION auth.has_permission(text, text) IS
    'Whether the signed-in user, a member of the team, has a permission there or one that contains it; without a team: in the whole project';
