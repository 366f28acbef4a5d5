-- After Better Auth's tables exist. Run by a superuser. Psql variables: base_url, secret.
SELECT neon_auth.add_better_auth(:'base_url', schema => 'better_auth', secret => :'secret');

-- Besides Better Auth's own rights, admins of an organization may remove its todos. Owners have all rights of admins.
UPDATE neon_auth.permission_definitions
   SET contained_permission_ids = contained_permission_ids || '{todo:delete}'
 WHERE scope = 'team' AND id = 'admin';

CREATE TABLE todos (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id         text NOT NULL DEFAULT auth.user_id() REFERENCES neon_auth.users_sync (id),
    organization_id text REFERENCES neon_auth.teams_sync (id),      -- NULL: private
    task            text NOT NULL CHECK (length(task) <= 200 AND task ~ '\S'),
    done            boolean NOT NULL DEFAULT false
);
CREATE INDEX ON todos (user_id);
CREATE INDEX ON todos (organization_id);

-- The policy and the query of the list have one rule: its author and its admins may remove an organization's todo.
CREATE FUNCTION may_remove(todo todos) RETURNS boolean LANGUAGE sql STABLE
RETURN todo.user_id = auth.user_id() OR auth.has_permission('todo:delete', todo.organization_id);

ALTER TABLE todos ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON todos TO authenticated
    USING (organization_id IS NULL AND user_id = auth.user_id());
CREATE POLICY read_organization ON todos FOR SELECT TO authenticated
    USING (organization_id = ANY (auth.organization_ids()));
CREATE POLICY add_to_organization ON todos FOR INSERT TO authenticated
    WITH CHECK (auth.is_team_member(organization_id) AND user_id = auth.user_id());
CREATE POLICY change_in_organization ON todos FOR UPDATE TO authenticated
    USING (organization_id = ANY (auth.organization_ids()));
CREATE POLICY remove_from_organization ON todos FOR DELETE TO authenticated
    USING (organization_id = ANY (auth.organization_ids()) AND may_remove(todos));

-- Columns that are not granted cannot be written: nobody adds a todo for another user, or moves one.
GRANT SELECT, DELETE, INSERT (task, organization_id), UPDATE (task, done) ON todos TO authenticated;

-- Names: one's own, and those of the members of one's organizations.
CREATE VIEW people WITH (security_barrier) AS
SELECT id, name FROM neon_auth.users_sync
 WHERE id = auth.user_id()
    OR id IN (SELECT user_id FROM neon_auth.team_members_sync WHERE team_id = ANY (auth.organization_ids()));
GRANT SELECT ON people TO authenticated;
