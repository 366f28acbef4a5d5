-- What a key grants: permissions of its owner that are the key's too, in the key's team if it has one.
\set SHOW_CONTEXT never
BEGIN;
SELECT neon_auth.upsert_users('[{"id": "alice"}, {"id": "bob"}]');
INSERT INTO neon_auth.permission_definitions (id, contained_permission_ids) VALUES ('editor', '{writer}'), ('writer', '{reader}');
INSERT INTO neon_auth.permission_definitions (scope, id, contained_permission_ids) VALUES ('project', 'staff', '{beta}');
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('t1', 'alice'), ('t2', 'alice'), ('t2', 'bob');
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id)
VALUES ('t1', 'alice', 'editor'), ('t2', 'alice', 'reader'), ('t2', 'bob', 'editor');
INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) VALUES ('alice', 'staff');
SELECT neon_auth.create_api_key('alice', 'all') AS unbounded,
       neon_auth.create_api_key('alice', 'none', permissions => '{}') AS none,
       neon_auth.create_api_key('alice', 'writer', permissions => '{writer}') AS writer,
       neon_auth.create_api_key('alice', 'beta and reader', permissions => '{beta,reader}') AS two,
       neon_auth.create_api_key('alice', 't1', team_id => 't1') AS t1,
       neon_auth.create_api_key('alice', 't2, reader', permissions => '{reader}', team_id => 't2') AS t2 \gset
CREATE FUNCTION pg_temp.granted() RETURNS TABLE (asked text, granted text[], unknown boolean) LANGUAGE sql AS $$
    SELECT coalesce(team, 'the project'),
           array_agg(permission ORDER BY permission) FILTER (WHERE auth.has_permission(permission, team)),
           bool_or(auth.has_permission(permission, team) IS NULL)
      FROM unnest('{t1,t2,t3,NULL}'::text[]) AS team, unnest('{editor,writer,reader,staff,beta}'::text[]) AS permission
     GROUP BY team ORDER BY 1
$$;
CREATE FUNCTION pg_temp.teams() RETURNS TABLE (team_ids text[], organization_ids text[], member text[], selected text) LANGUAGE sql AS $$
    SELECT auth.team_ids(), auth.organization_ids(), ARRAY(SELECT team FROM unnest('{t1,t2,t3}'::text[]) AS team WHERE auth.is_team_member(team)), auth.selected_team_id()
$$;
\set shown 'SELECT * FROM pg_temp.granted(); SELECT * FROM pg_temp.teams();'
\echo A key without bounds
SELECT auth.authenticate(:'unbounded') = 'alice' AS alice;
:shown
\echo No permission
SELECT auth.authenticate(:'none') = 'alice' AS alice;
:shown
\echo One that contains another, less than what the owner has
SELECT auth.authenticate(:'writer') = 'alice' AS alice;
:shown
\echo Of the project and of teams
SELECT auth.authenticate(:'two') = 'alice' AS alice;
:shown
\echo One team
SELECT auth.authenticate(:'t1') = 'alice' AS alice;
:shown
\echo One team and one permission
SELECT auth.authenticate(:'t2') = 'alice' AS alice;
:shown

-- A key of its own in each call of one statement, and of one function: answers are not those of another key or user.
CREATE FUNCTION pg_temp.as_key(key text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM auth.authenticate(key);
    RETURN format('%s: writer in t1 %s, reader in t2 %s, t1 %s', auth.user_id(), auth.has_permission('writer', 't1'), auth.has_permission('reader', 't2'), auth.is_team_member('t1'));
END
$$;
SELECT pg_temp.as_key(key) FROM unnest(ARRAY[:'unbounded', :'none', :'writer', :'two', :'t1', :'t2', :'unbounded', :'none']) WITH ORDINALITY AS keys (key, n) ORDER BY n;
-- The bounds survive an abort and a logout, which read the setting again.
SELECT auth.authenticate(:'t2') = 'alice' AS alice;
SAVEPOINT s;
SELECT auth.logout();
SELECT auth.has_permission('reader', 't2') IS NULL AS nobody;
ROLLBACK TO s;
SELECT auth.has_permission('reader', 't2') AS reader, auth.has_permission('editor', 't1') AS editor, auth.team_ids();
-- What the owner loses, the key loses.
DELETE FROM neon_auth.team_permissions_sync WHERE user_id = 'alice' AND team_id = 't2';
SELECT auth.has_permission('reader', 't2') AS reader, auth.is_team_member('t2') AS member;
DELETE FROM neon_auth.team_members_sync WHERE user_id = 'alice' AND team_id = 't2';
SELECT auth.is_team_member('t2') AS member, auth.team_ids();
-- A right that the owner gains is not the key's unless the key has it. A retired permission grants nothing.
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('t1', 'alice', 'other');
SELECT auth.authenticate(:'writer') = 'alice' AS alice;
SELECT auth.has_permission('other', 't1') AS gained, auth.has_permission('writer', 't1') AS writer;
UPDATE neon_auth.permission_definitions SET retired = true WHERE id = 'writer';
SELECT auth.has_permission('writer', 't1') AS writer, auth.has_permission('reader', 't1') AS reader;
ROLLBACK;
