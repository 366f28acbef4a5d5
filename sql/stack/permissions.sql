-- The permissions that every project of Stack Auth begins with.

INSERT INTO neon_auth.permission_definitions (id, description, contained_permission_ids, is_default) VALUES
    ('$update_team', 'Change the team', '{}', true),
    ('$delete_team', 'Delete the team', '{}', true),
    ('$read_members', 'See who is in the team', '{}', true),
    ('$remove_members', 'Remove members', '{}', true),
    ('$invite_members', 'Invite members', '{}', true),
    ('$manage_api_keys', 'Manage the team''s API keys', '{}', true),
    ('team_member', 'Default of whoever joins a team', '{$read_members,$invite_members}', true),
    ('team_admin', 'Default of whoever creates a team',
     '{$update_team,$delete_team,$read_members,$remove_members,$invite_members,$manage_api_keys}', true);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.permission_definitions', 'WHERE NOT is_default');

-- CREATE EXTENSION makes the defaults, also when it is a restore that runs it. So a dump carries
-- the rows that differ alone, and those take the place of a default.
CREATE FUNCTION neon_auth_internal.keep_permission_defaults() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP <> 'DELETE' THEN
        IF TG_OP = 'INSERT' THEN
            DELETE FROM neon_auth.permission_definitions d WHERE d.scope = new.scope AND d.id = new.id AND d.is_default;
        END IF;
        new.is_default := false;
        RETURN new;
    END IF;
    IF old.is_default AND pg_trigger_depth() = 1 THEN
        RAISE EXCEPTION USING
            ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'a default permission cannot be deleted',
            DETAIL = format('A restore would bring %s back.', old.id),
            HINT = format('UPDATE neon_auth.permission_definitions SET retired = true WHERE scope = %L AND id = %L;', old.scope, old.id);
    END IF;
    RETURN old;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.keep_permission_defaults() IS 'Keeps apart the default permissions and those that a dump has to carry';
CREATE TRIGGER keep_permission_defaults BEFORE INSERT OR UPDATE OR DELETE ON neon_auth.permission_definitions
    FOR EACH ROW EXECUTE FUNCTION neon_auth_internal.keep_permission_defaults();
ALTER TABLE neon_auth.permission_definitions ENABLE ALWAYS TRIGGER keep_permission_defaults;
COMMENT ON TRIGGER keep_permission_defaults ON neon_auth.permission_definitions IS
    'Keeps apart the default permissions and those that a dump has to carry';
