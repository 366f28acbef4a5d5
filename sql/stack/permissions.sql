-- The permissions that every project of Stack Auth has.

-- Not while one of those that begin with $ is defined: an administrator who has deleted or changed others does
-- not get them back. A dump contains all definitions, so nothing is defined when rows of neon_auth.providers
-- are loaded.
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
                         JOIN neon_auth_internal.permission_definitions k ON k.scope = 'team' AND k.id = stack.id
                        WHERE k.id LIKE '$%')
        ON CONFLICT DO NOTHING;
$$;
COMMENT ON FUNCTION neon_auth_internal.define_stack_permissions() IS
    'Defines the default permissions of Stack Auth, unless one of those that begin with $ is defined';

CREATE FUNCTION neon_auth_internal.kind_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM neon_auth_internal.define_stack_permissions();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.kind_changed() IS
    'Defines the default permissions of Stack Auth for a provider that becomes one of that kind';
-- Not at INSERT, which a restore uses.
CREATE TRIGGER kind_changed AFTER UPDATE OF kind ON neon_auth.providers
    FOR EACH ROW WHEN (new.kind = 'stack' AND old.kind <> 'stack') EXECUTE FUNCTION neon_auth_internal.kind_changed();
COMMENT ON TRIGGER kind_changed ON neon_auth.providers IS
    'Defines the default permissions of Stack Auth for a provider that becomes one of that kind';
