-- Permissions of users in teams and in the whole project, and which permissions contain which.

CREATE TABLE neon_auth.team_permissions_sync (
    team_id text NOT NULL
        CONSTRAINT team_permissions_sync_team_id_check CHECK (octet_length(team_id) BETWEEN 1 AND 255),
    user_id text NOT NULL
        CONSTRAINT team_permissions_sync_user_id_check CHECK (octet_length(user_id) BETWEEN 1 AND 255),
    permission_id text NOT NULL
        CONSTRAINT team_permissions_sync_permission_id_check CHECK (octet_length(permission_id) BETWEEN 1 AND 255),
    webhook_id text,
    inherited boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT team_permissions_sync_pkey PRIMARY KEY (team_id, user_id, permission_id)
);
CREATE VIEW neon_auth_internal.team_permissions_sync AS TABLE neon_auth.team_permissions_sync;
CREATE INDEX team_permissions_sync_user_id_idx ON neon_auth.team_permissions_sync (user_id, team_id);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.team_permissions_sync', '');
COMMENT ON TABLE neon_auth.team_permissions_sync IS
    'Permissions of users in teams, maintained by neon_auth. They apply while the user is a member';
COMMENT ON COLUMN neon_auth.team_permissions_sync.team_id IS 'The team, an id of teams_sync';
COMMENT ON COLUMN neon_auth.team_permissions_sync.user_id IS 'The user, an id of users_sync';
COMMENT ON COLUMN neon_auth.team_permissions_sync.permission_id IS
    'The permission, an id of permission_definitions of scope team';
COMMENT ON COLUMN neon_auth.team_permissions_sync.webhook_id IS
    'The webhook that reported it, an id of webhook_deliveries; NULL if none did';
COMMENT ON COLUMN neon_auth.team_permissions_sync.inherited IS
    'True if another permission of the user contains it, according to the REST API';
COMMENT ON COLUMN neon_auth.team_permissions_sync.created_at IS
    'Time at which it was written here, as granted or inherited; a REST response requested later overrides it';
COMMENT ON INDEX neon_auth.team_permissions_sync_user_id_idx IS 'Permissions of a user';

CREATE TABLE neon_auth.project_permissions_sync (
    user_id text NOT NULL
        CONSTRAINT project_permissions_sync_user_id_check CHECK (octet_length(user_id) BETWEEN 1 AND 255),
    permission_id text NOT NULL
        CONSTRAINT project_permissions_sync_permission_id_check CHECK (octet_length(permission_id) BETWEEN 1 AND 255),
    webhook_id text,
    inherited boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT project_permissions_sync_pkey PRIMARY KEY (user_id, permission_id)
);
CREATE VIEW neon_auth_internal.project_permissions_sync AS TABLE neon_auth.project_permissions_sync;
CREATE INDEX project_permissions_sync_permission_id_idx ON neon_auth.project_permissions_sync (permission_id);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.project_permissions_sync', '');
COMMENT ON TABLE neon_auth.project_permissions_sync IS
    'Permissions of users in the whole project, maintained by neon_auth';
COMMENT ON COLUMN neon_auth.project_permissions_sync.user_id IS 'The user, an id of users_sync';
COMMENT ON COLUMN neon_auth.project_permissions_sync.permission_id IS
    'The permission, an id of permission_definitions of scope project';
COMMENT ON COLUMN neon_auth.project_permissions_sync.webhook_id IS
    'The webhook that reported it, an id of webhook_deliveries; NULL if none did';
COMMENT ON COLUMN neon_auth.project_permissions_sync.inherited IS
    'True if another permission of the user contains it, according to the REST API';
COMMENT ON COLUMN neon_auth.project_permissions_sync.created_at IS
    'Time at which it was written here, as granted or inherited; a REST response requested later overrides it';
COMMENT ON INDEX neon_auth.project_permissions_sync_permission_id_idx IS 'Users with a permission';

CREATE TABLE neon_auth.permission_definitions (
    scope text NOT NULL DEFAULT 'team'
        CONSTRAINT permission_definitions_scope_check CHECK (scope IN ('team', 'project')),
    id text NOT NULL
        CONSTRAINT permission_definitions_id_check CHECK (
            id COLLATE "C" ~ '^[^[:space:][:cntrl:],]+$' AND octet_length(id) <= 255),
    description text,
    contained_permission_ids text[] NOT NULL DEFAULT '{}'
        CONSTRAINT permission_definitions_contained_check
        CHECK (array_position(contained_permission_ids, NULL) IS NULL),
    retired boolean NOT NULL DEFAULT false,
    CONSTRAINT permission_definitions_pkey PRIMARY KEY (scope, id)
);
CREATE VIEW neon_auth_internal.permission_definitions AS TABLE neon_auth.permission_definitions;
SELECT pg_catalog.pg_extension_config_dump('neon_auth.permission_definitions', '');
COMMENT ON TABLE neon_auth.permission_definitions IS
    'Contents of permissions and roles. Only the code of the auth service or of your application has them: enter '
    'your own as defined there';
COMMENT ON COLUMN neon_auth.permission_definitions.scope IS 'team or project';
COMMENT ON COLUMN neon_auth.permission_definitions.id IS
    'Permission or role: at most 255 bytes, without blanks, commas and control characters. Stack Auth''s own begin '
    'with $; Better Auth''s are resource:action';
COMMENT ON COLUMN neon_auth.permission_definitions.description IS 'Description, for people';
COMMENT ON COLUMN neon_auth.permission_definitions.contained_permission_ids IS
    'Permissions of the same scope that this one grants too, and all that those contain; cycles are allowed';
COMMENT ON COLUMN neon_auth.permission_definitions.retired IS
    'True if the auth service no longer has it: it then grants nothing to its holders';

-- A policy may check a permission for each row, and following the definitions takes longer than the rest of the
-- check. So they are followed here, when they change.
CREATE TABLE neon_auth_internal.permission_closure (
    scope text NOT NULL,
    id text NOT NULL,
    granted_by text[] NOT NULL,
    CONSTRAINT permission_closure_pkey PRIMARY KEY (scope, id)
);
COMMENT ON TABLE neon_auth_internal.permission_closure IS
    'Which permissions grant which, at any depth; derived from permission_definitions by its trigger';
COMMENT ON COLUMN neon_auth_internal.permission_closure.scope IS 'team or project';
COMMENT ON COLUMN neon_auth_internal.permission_closure.id IS 'A permission that is defined or contained';
COMMENT ON COLUMN neon_auth_internal.permission_closure.granted_by IS
    'Itself and all permissions that contain it, directly or not; empty if it is retired';

CREATE FUNCTION neon_auth_internal.close_permissions() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM neon_auth_internal.permission_closure;
    WITH RECURSIVE known AS (
        SELECT d.scope, d.id FROM neon_auth_internal.permission_definitions d
        UNION
        SELECT d.scope, unnest(d.contained_permission_ids) FROM neon_auth_internal.permission_definitions d
    ), granting(scope, id, granted_by) AS (
        SELECT k.scope, k.id, k.id
          FROM known k
         WHERE NOT EXISTS (SELECT FROM neon_auth_internal.permission_definitions d
                            WHERE d.scope = k.scope AND d.id = k.id AND d.retired)
        UNION
        SELECT g.scope, g.id, d.id
          FROM granting g
          JOIN neon_auth_internal.permission_definitions d
            ON d.scope = g.scope AND d.contained_permission_ids @> ARRAY[g.granted_by]
         WHERE NOT d.retired
    )
    INSERT INTO neon_auth_internal.permission_closure (scope, id, granted_by)
    SELECT k.scope, k.id, ARRAY(SELECT g.granted_by FROM granting g WHERE g.scope = k.scope AND g.id = k.id ORDER BY 1)
      FROM known k;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.close_permissions() IS 'Rebuilds permission_closure';
-- Otherwise the closure of one transaction would not contain a concurrent change of another.
CREATE TRIGGER one_writer BEFORE INSERT OR UPDATE OR DELETE ON neon_auth.permission_definitions
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.one_writer();
ALTER TABLE neon_auth.permission_definitions ENABLE ALWAYS TRIGGER one_writer;
COMMENT ON TRIGGER one_writer ON neon_auth.permission_definitions IS
    'Lets only one transaction at a time write definitions';
CREATE TRIGGER close_permissions AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON neon_auth.permission_definitions
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.close_permissions();
ALTER TABLE neon_auth.permission_definitions ENABLE ALWAYS TRIGGER close_permissions;
COMMENT ON TRIGGER close_permissions ON neon_auth.permission_definitions IS
    'Rebuilds permission_closure from the definitions';
