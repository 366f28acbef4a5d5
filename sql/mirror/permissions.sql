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
    is_default boolean NOT NULL DEFAULT false,
    CONSTRAINT permission_definitions_pkey PRIMARY KEY (scope, id)
);
COMMENT ON TABLE neon_auth.permission_definitions IS
    'What permissions contain. No event and no server key tells of definitions: enter your own as the auth service has them';
COMMENT ON COLUMN neon_auth.permission_definitions.scope IS 'team or project';
COMMENT ON COLUMN neon_auth.permission_definitions.id IS 'Permission id; those of the auth service itself begin with a dollar sign';
COMMENT ON COLUMN neon_auth.permission_definitions.description IS 'What it is for';
COMMENT ON COLUMN neon_auth.permission_definitions.contained_permission_ids IS
    'The permissions of the same scope that whoever has this one has too, and so on; cycles do no harm';
COMMENT ON COLUMN neon_auth.permission_definitions.retired IS 'True when the auth service has it no more: then it grants nothing, whoever was given it';
COMMENT ON COLUMN neon_auth.permission_definitions.is_default IS 'True while the row is as CREATE EXTENSION made it; such rows are not dumped';

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

-- team is NULL for a permission in the whole project.
CREATE FUNCTION neon_auth_internal.apply_permission(action text, team text, holder text, permission text, webhook_id text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    reason text := neon_auth_internal.ended(team, holder);
    kind constant text := CASE WHEN team IS NULL THEN 'project_permission' ELSE 'team_permission' END;
    to_confirm constant text := CASE WHEN team IS NULL THEN 'project_permissions' ELSE 'team_member' END;
    place constant text := coalesce(team, '');
    membership_was_removed boolean := false;
    is_late boolean;
    was_told boolean;
BEGIN
    IF reason IS NOT NULL THEN
        RETURN neon_auth_internal.outcome('ignored', reason);
    END IF;
    IF team IS NOT NULL THEN
        membership_was_removed := EXISTS (
            SELECT FROM neon_auth_internal.removals r
             WHERE (r.kind, r.team_id, r.user_id) = ('team_member', team, holder));
        IF membership_was_removed
           AND NOT EXISTS (SELECT FROM neon_auth.team_members_sync m WHERE m.team_id = team AND m.user_id = holder) THEN
            PERFORM neon_auth_internal.queue_sync(to_confirm, place, holder, 'A permission came after its membership was removed.');
            RETURN neon_auth_internal.outcome('ignored', 'Its membership is removed, and with it all permissions.', queued => true);
        END IF;
    END IF;

    IF action = 'created' THEN
        is_late := neon_auth_internal.match_removal(kind, place, holder, permission);
        IF is_late IS NOT NULL OR membership_was_removed THEN
            PERFORM neon_auth_internal.queue_sync(to_confirm, place, holder, 'A permission was created and removed; which came last cannot be told.');
        END IF;
        IF is_late THEN
            RETURN neon_auth_internal.outcome('ignored', 'Its removal came first.', queued => true);
        END IF;
        IF team IS NULL THEN
            INSERT INTO neon_auth.project_permissions_sync AS p (user_id, permission_id, webhook_id)
            VALUES (holder, permission, apply_permission.webhook_id)
                ON CONFLICT (user_id, permission_id) DO UPDATE
               SET inherited = false, webhook_id = excluded.webhook_id, created_at = excluded.created_at WHERE p.inherited;
        ELSE
            INSERT INTO neon_auth.team_permissions_sync AS p (team_id, user_id, permission_id, webhook_id)
            VALUES (team, holder, permission, apply_permission.webhook_id)
                ON CONFLICT (team_id, user_id, permission_id) DO UPDATE
               SET inherited = false, webhook_id = excluded.webhook_id, created_at = excluded.created_at WHERE p.inherited;
        END IF;
        RETURN neon_auth_internal.outcome(CASE WHEN FOUND THEN 'applied' ELSE 'unchanged' END,
                                 queued => is_late IS NOT NULL OR membership_was_removed);
    END IF;

    IF team IS NULL THEN
        DELETE FROM neon_auth.project_permissions_sync p
         WHERE p.user_id = holder AND p.permission_id = permission
        RETURNING p.webhook_id IS NOT NULL INTO was_told;
    ELSE
        DELETE FROM neon_auth.team_permissions_sync p
         WHERE p.team_id = team AND p.user_id = holder AND p.permission_id = permission
        RETURNING p.webhook_id IS NOT NULL INTO was_told;
    END IF;
    -- What followed from it is not known here. Rather too little until that is confirmed.
    IF team IS NULL THEN
        DELETE FROM neon_auth.project_permissions_sync p WHERE p.user_id = holder AND p.inherited;
    ELSE
        DELETE FROM neon_auth.team_permissions_sync p WHERE p.team_id = team AND p.user_id = holder AND p.inherited;
    END IF;
    PERFORM neon_auth_internal.note_removal(kind, place, holder, permission, coalesce(was_told, false));
    PERFORM neon_auth_internal.queue_sync(to_confirm, place, holder, 'A permission was removed; whether it was created again cannot be told.');
    RETURN neon_auth_internal.outcome(CASE WHEN was_told IS NULL THEN 'unchanged' ELSE 'applied' END,
                             CASE WHEN was_told IS NULL THEN 'There was no such permission; its creation may come late.' END,
                             queued => true);
END
$$;
COMMENT ON FUNCTION neon_auth_internal.apply_permission(text, text, text, text, text) IS
    'Applies a permission''s event, created or deleted, in a team or (NULL) in the whole project';
