-- Readers of the mirror, for policies: teams, permissions and profile of the signed-in user.

-- A membership applies even if the row of its user or team does not exist yet: the auth service reported it. A
-- deleted user or team grants nothing, even if rows of memberships are left.
CREATE FUNCTION auth.team_ids() RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
SUPPORT neon_auth_internal.once_per_query
AS $$
DECLARE
    me constant text := auth.user_id();
    only_team constant text := neon_auth_internal.api_key_team();
BEGIN
    IF me IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN ARRAY(
        SELECT m.team_id
          FROM neon_auth_internal.team_members_sync m
          LEFT JOIN neon_auth_internal.teams_sync t ON t.id = m.team_id
          LEFT JOIN neon_auth_internal.users_sync u ON u.id = m.user_id
         WHERE m.user_id = me AND t.deleted_at IS NULL AND u.deleted_at IS NULL
           AND (only_team IS NULL OR m.team_id = only_team)
         ORDER BY m.team_id);
END
$$;
COMMENT ON FUNCTION auth.team_ids() IS 'Teams of the signed-in user, for policies: team_id = ANY (auth.team_ids())';

-- A team of Better Auth is in an organization; Stack Auth's teams are in none.
CREATE FUNCTION auth.organization_ids() RETURNS text[]
LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL SAFE SET search_path = pg_catalog, pg_temp
SUPPORT neon_auth_internal.once_per_query
AS $$
DECLARE
    me constant text := auth.user_id();
    only_team constant text := neon_auth_internal.api_key_team();
BEGIN
    IF me IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN ARRAY(
        SELECT m.team_id
          FROM neon_auth_internal.team_members_sync m
          LEFT JOIN neon_auth_internal.teams_sync t ON t.id = m.team_id
          LEFT JOIN neon_auth_internal.users_sync u ON u.id = m.user_id
         WHERE m.user_id = me AND t.deleted_at IS NULL AND u.deleted_at IS NULL
           AND (only_team IS NULL OR m.team_id = only_team)
           AND t.raw_json ->> 'organization_id' IS NULL
         ORDER BY m.team_id);
END
$$;
COMMENT ON FUNCTION auth.organization_ids() IS
    'Organizations of the signed-in user: auth.team_ids() without the teams of Better Auth''s organizations';

CREATE FUNCTION auth.organization() RETURNS jsonb
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'organization_wrapper';
COMMENT ON FUNCTION auth.organization() IS
    'Current organization, with id, slug, role: the claim o, or the one in claim_map. Better Auth: only of a member, '
    'with the roles of now';

CREATE FUNCTION auth.organization_id() RETURNS uuid
LANGUAGE c STABLE PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'organization_id_wrapper';
COMMENT ON FUNCTION auth.organization_id() IS
    'Id of auth.organization(); NULL if it is not a UUID in lower case with hyphens';

CREATE FUNCTION auth.is_team_member(team_id text) RETURNS boolean
LANGUAGE c STABLE STRICT PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'is_team_member_wrapper';
COMMENT ON FUNCTION auth.is_team_member(text) IS 'True if the signed-in user is a member of the team';

CREATE FUNCTION auth.has_permission(permission_id text, team_id text DEFAULT NULL) RETURNS boolean
LANGUAGE c STABLE CALLED ON NULL INPUT PARALLEL SAFE SUPPORT neon_auth_internal.once_per_query
AS 'MODULE_PATHNAME', 'has_permission_wrapper';
COMMENT ON FUNCTION auth.has_permission(text, text) IS
    'True if the signed-in user has the permission, or one that contains it: as a member of the team, or (NULL) '
    'in the whole project';

-- The hidden members are those that Stack Auth keeps from its users. They are hidden whatever fills the mirror now:
-- rows that Stack Auth wrote outlive its provider. Of a user of Better Auth all columns of the table are in raw_json,
-- and nothing says which of them are internal, so only those are shown that Better Auth shows to its users itself.
CREATE FUNCTION auth.profile() RETURNS neon_auth.users_sync
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT jsonb_populate_record(u, jsonb_build_object('raw_json',
               CASE WHEN EXISTS (SELECT FROM neon_auth.sync_source s WHERE s.kind = 'better_auth')
                         OR EXISTS (SELECT FROM neon_auth.providers p WHERE p.kind = 'better_auth')
                    THEN (SELECT jsonb_object_agg(m.key, m.value)
                            FROM jsonb_each(u.raw_json) AS m
                           WHERE m.key IN ('id', 'display_name', 'primary_email', 'primary_email_verified',
                                           'profile_image_url', 'signed_up_at_millis', 'isAnonymous', 'role'))
                    ELSE u.raw_json - '{server_metadata,restricted_by_admin_reason,restricted_by_admin_private_details}'
                                      ::text[] END))
      FROM neon_auth.users_sync u
     WHERE u.id = auth.user_id() AND u.deleted_at IS NULL;
END;
COMMENT ON FUNCTION auth.profile() IS
    'The signed-in user''s row of users_sync without what administrators alone may see; NULL if absent or deleted';
