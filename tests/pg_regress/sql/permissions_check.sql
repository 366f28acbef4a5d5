-- auth.has_permission(): membership first, then what is granted, directly or by what contains it.
BEGIN;
INSERT INTO neon_auth.permission_definitions (id, contained_permission_ids) VALUES ('editor', '{writer}'), ('writer', '{editor,reader}');
INSERT INTO neon_auth.permission_definitions (scope, id, contained_permission_ids) VALUES ('project', 'staff', '{beta}');
SELECT deliver('user.created', '{"id": "u1"}');
SELECT deliver('team_membership.created', format('{"team_id": "%s", "user_id": "u1"}', team)::jsonb) FROM unnest('{t1,t2,t3}'::text[]) AS team;
SELECT deliver('team_permission.created', format('{"team_id": "%s", "user_id": "u1", "id": "%s"}', team, permission)::jsonb)
  FROM (VALUES ('t1', 'team_admin'), ('t2', 'team_member'), ('t2', 'editor'), ('t2', 'undefined'), ('t9', 'team_admin')) AS g(team, permission);
SELECT deliver('project_permission.created', '{"user_id": "u1", "id": "staff"}');
SELECT deliver('project_permission.created', '{"user_id": "u2", "id": "other"}');
CREATE TEMP TABLE asked AS
    SELECT team, permission FROM unnest('{t1,t2,t3,t9,NULL}'::text[]) AS team,
           unnest('{$delete_team,$read_members,team_admin,team_member,editor,writer,reader,undefined,staff,beta,other}'::text[]) AS permission;
GRANT SELECT ON asked TO app;
SET LOCAL ROLE app;
-- Nobody is signed in: NULL. So it is where nothing is asked for.
SELECT auth.has_permission('team_admin', 't1') IS NULL AND auth.has_permission('staff') IS NULL AS nobody;
RESET ROLE;
SELECT auth.impersonate('u1');
SET LOCAL ROLE app;
SELECT auth.has_permission(NULL) IS NULL AND auth.has_permission(NULL, 't1') IS NULL AS nothing;
SELECT coalesce(team, 'the project') AS team, array_agg(permission ORDER BY permission COLLATE "C") FILTER (WHERE auth.has_permission(permission, team)) AS has,
       bool_or(auth.has_permission(permission, team) IS NULL) AS unknown
  FROM asked GROUP BY 1 ORDER BY 1;
-- The argument's default is the project.
SELECT auth.has_permission('beta') AS project, auth.has_permission('beta', NULL) AS "NULL", auth.has_permission(team_id => 't2', permission_id => 'reader') AS named;
RESET ROLE;
-- What is retired grants no more.
UPDATE neon_auth.permission_definitions SET retired = true WHERE id IN ('editor', 'beta', 'staff', 'team_member');
SELECT auth.has_permission('editor', 't2') AS itself, auth.has_permission('reader', 't2') AS through_it,
       auth.has_permission('$read_members', 't2') AS system, auth.has_permission('$read_members', 't1') AS otherwise, auth.has_permission('beta') AS project;
INSERT INTO neon_auth.permission_definitions (scope, id, retired) VALUES ('team', 'undefined', true);
SELECT auth.has_permission('undefined', 't2') AS defined_and_retired;

-- A membership that ends, a team or a user that is deleted, grants nothing.
SAVEPOINT s;
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u1"}');
SELECT auth.has_permission('team_admin', 't1') AS left_it;
ROLLBACK TO s;
SELECT deliver('team.deleted', '{"id": "t1"}');
SELECT auth.has_permission('team_admin', 't1') AS team_deleted;
ROLLBACK TO s;
SELECT deliver('user.deleted', '{"id": "u1"}');
SELECT auth.has_permission('team_admin', 't1') AS user_deleted, auth.has_permission('staff') AS in_project;
ROLLBACK TO s;
-- Whatever rows are left, and however the deletion came about
UPDATE neon_auth.users_sync SET deleted_at = now() WHERE id = 'u1';
INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) VALUES ('u1', 'p') ON CONFLICT DO NOTHING;
SELECT auth.has_permission('team_admin', 't1') AS user_deleted, auth.has_permission('p') AS in_project;
ROLLBACK TO s;
INSERT INTO neon_auth.teams_sync (raw_json, deleted_at) VALUES ('{"id": "t1"}', now());
SELECT auth.has_permission('team_admin', 't1') AS team_deleted;
ROLLBACK TO s;
DELETE FROM neon_auth.team_members_sync;
SELECT auth.has_permission('team_admin', 't1') AS no_member;
ROLLBACK;
