-- Who may do what: permissions in teams and in the whole project, and what permissions contain.

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
CREATE INDEX team_permissions_sync_user_id_idx ON neon_auth.team_permissions_sync (user_id, team_id);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.team_permissions_sync', '');
COMMENT ON TABLE neon_auth.team_permissions_sync IS
    'Which permissions users were given in teams; kept by neon_auth. They count while the user is a member';
COMMENT ON COLUMN neon_auth.team_permissions_sync.team_id IS 'The team, an id of teams_sync';
COMMENT ON COLUMN neon_auth.team_permissions_sync.user_id IS 'The user, an id of users_sync';
COMMENT ON COLUMN neon_auth.team_permissions_sync.permission_id IS 'The permission, an id of permission_definitions of scope team';
COMMENT ON COLUMN neon_auth.team_permissions_sync.webhook_id IS 'The webhook that told of it, an id of webhook_deliveries; NULL when it did not come by one';
COMMENT ON COLUMN neon_auth.team_permissions_sync.inherited IS 'True for a permission that another one contains, as the REST API told';
COMMENT ON COLUMN neon_auth.team_permissions_sync.created_at IS 'When it became known here as given, or as inherited; an answer that was asked for later counts more';
COMMENT ON INDEX neon_auth.team_permissions_sync_user_id_idx IS 'The permissions of a user';

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
CREATE INDEX project_permissions_sync_permission_id_idx ON neon_auth.project_permissions_sync (permission_id);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.project_permissions_sync', '');
COMMENT ON TABLE neon_auth.project_permissions_sync IS 'Which permissions users were given in the whole project; kept by neon_auth';
COMMENT ON COLUMN neon_auth.project_permissions_sync.user_id IS 'The user, an id of users_sync';
COMMENT ON COLUMN neon_auth.project_permissions_sync.permission_id IS 'The permission, an id of permission_definitions of scope project';
COMMENT ON COLUMN neon_auth.project_permissions_sync.webhook_id IS 'The webhook that told of it, an id of webhook_deliveries; NULL when it did not come by one';
COMMENT ON COLUMN neon_auth.project_permissions_sync.inherited IS 'True for a permission that another one contains, as the REST API told';
COMMENT ON COLUMN neon_auth.project_permissions_sync.created_at IS 'When it became known here as given, or as inherited; an answer that was asked for later counts more';
COMMENT ON INDEX neon_auth.project_permissions_sync_permission_id_idx IS 'Who has a permission';

CREATE TABLE neon_auth.permission_definitions (
    scope text NOT NULL DEFAULT 'team'
        CONSTRAINT permission_definitions_scope_check CHECK (scope IN ('team', 'project')),
    id text NOT NULL
        CONSTRAINT permission_definitions_id_check CHECK (id ~ '^[$]?[a-z0-9_:]+$' AND octet_length(id) <= 255),
    description text,
    contained_permission_ids text[] NOT NULL DEFAULT '{}'
        CONSTRAINT permission_definitions_contained_check CHECK (array_position(contained_permission_ids, NULL) IS NULL),
    retired boolean NOT NULL DEFAULT false,
    CONSTRAINT permission_definitions_pkey PRIMARY KEY (scope, id)
);
SELECT pg_catalog.pg_extension_config_dump('neon_auth.permission_definitions', '');
COMMENT ON TABLE neon_auth.permission_definitions IS
    'What permissions contain. No event and no server key tells of definitions: enter your own as the auth service has them';
COMMENT ON COLUMN neon_auth.permission_definitions.scope IS 'team or project';
COMMENT ON COLUMN neon_auth.permission_definitions.id IS 'Permission id; those of the auth service itself begin with a dollar sign';
COMMENT ON COLUMN neon_auth.permission_definitions.description IS 'What it is for';
COMMENT ON COLUMN neon_auth.permission_definitions.contained_permission_ids IS
    'The permissions of the same scope that whoever has this one has too, and so on; cycles do no harm';
COMMENT ON COLUMN neon_auth.permission_definitions.retired IS 'True when the auth service has it no more: then it grants nothing, whoever was given it';

-- A policy may ask for each row, and climbing up the definitions takes longer than all the rest of
-- an answer: it is done here, when they change.
CREATE TABLE neon_auth_internal.permission_closure (
    scope text NOT NULL,
    id text NOT NULL,
    granted_by text[] NOT NULL,
    CONSTRAINT permission_closure_pkey PRIMARY KEY (scope, id)
);
COMMENT ON TABLE neon_auth_internal.permission_closure IS
    'Which permissions grant which, at any depth; follows from permission_definitions and is written by its trigger alone';
COMMENT ON COLUMN neon_auth_internal.permission_closure.scope IS 'team or project';
COMMENT ON COLUMN neon_auth_internal.permission_closure.id IS 'A permission that is defined or contained';
COMMENT ON COLUMN neon_auth_internal.permission_closure.granted_by IS 'Itself and all that contain it, directly or not; empty once retired';

CREATE FUNCTION neon_auth_internal.close_permissions() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM neon_auth_internal.permission_closure;
    WITH RECURSIVE known AS (
        SELECT d.scope, d.id FROM neon_auth.permission_definitions d
        UNION
        SELECT d.scope, unnest(d.contained_permission_ids) FROM neon_auth.permission_definitions d
    ), granting(scope, id, granted_by) AS (
        SELECT k.scope, k.id, k.id
          FROM known k
         WHERE NOT EXISTS (SELECT FROM neon_auth.permission_definitions d
                            WHERE d.scope = k.scope AND d.id = k.id AND d.retired)
        UNION
        SELECT g.scope, g.id, d.id
          FROM granting g
          JOIN neon_auth.permission_definitions d
            ON d.scope = g.scope AND d.contained_permission_ids @> ARRAY[g.granted_by]
         WHERE NOT d.retired
    )
    INSERT INTO neon_auth_internal.permission_closure (scope, id, granted_by)
    SELECT k.scope, k.id, ARRAY(SELECT g.granted_by FROM granting g WHERE g.scope = k.scope AND g.id = k.id ORDER BY 1)
      FROM known k;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION neon_auth_internal.close_permissions() IS 'Writes permission_closure anew';
-- So that no change is made unseen by another's closure.
CREATE TRIGGER one_writer BEFORE INSERT OR UPDATE OR DELETE ON neon_auth.permission_definitions
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.one_writer();
ALTER TABLE neon_auth.permission_definitions ENABLE ALWAYS TRIGGER one_writer;
COMMENT ON TRIGGER one_writer ON neon_auth.permission_definitions IS 'Lets one transaction at a time write definitions';
CREATE TRIGGER close_permissions AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON neon_auth.permission_definitions
    FOR EACH STATEMENT EXECUTE FUNCTION neon_auth_internal.close_permissions();
ALTER TABLE neon_auth.permission_definitions ENABLE ALWAYS TRIGGER close_permissions;
COMMENT ON TRIGGER close_permissions ON neon_auth.permission_definitions IS 'Keeps permission_closure as the definitions say';
