-- The permissions that every project of Stack Auth has.

-- Once: an administrator who has deleted or changed one of them does not get it back. A dump contains
-- all definitions, so nothing is defined when rows of neon_auth.providers are loaded.
CREATE FUNCTION neon_auth_internal.define_stack_permissions() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO neon_auth_internal.permission_definitions AS d (scope, id, description, contained_permission_ids)
    WITH stack(id, description, contained_permission_ids) AS (
        VALUES ('$update_team', 'Change the team', '{}'::text[]),
               ('$delete_team', 'Delete the team', '{}'),
               ('$read_members', 'See who is in the team', '{}'),
               ('$remove_members', 'Remove members', '{}'),
               ('$invite_members', 'Invite members', '{}'),
               ('$manage_api_keys', 'Manage the team''s API keys', '{}'),
               ('team_member', 'Default of every member of a team', '{$read_members,$invite_members}'),
               ('team_admin', 'Default of the user who creates a team',
                '{$update_team,$delete_team,$read_members,$remove_members,$invite_members,$manage_api_keys}'))
    SELECT 'team', s.id, s.description, s.contained_permission_ids
      FROM stack s
     WHERE NOT EXISTS (SELECT FROM stack
                         JOIN neon_auth_internal.permission_definitions k ON k.scope = 'team' AND k.id = stack.id)
        ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION neon_auth_internal.define_stack_permissions() IS
    'Defines the default permissions of Stack Auth, unless one of them is defined';
