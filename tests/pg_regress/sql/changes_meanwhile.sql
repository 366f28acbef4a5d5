-- What changed here since the auth service was asked stays, also in a transaction that began before
-- the question. An answer to a later question counts.
CREATE FUNCTION pg_temp.moment() RETURNS bigint LANGUAGE sql
AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint';
CREATE TEMP VIEW queue AS SELECT kind, team_id, user_id, reason FROM neon_auth.sync_queue ORDER BY 1, 2, 3;
BEGIN;
SELECT neon_auth.upsert_users('[{"id": "u1", "display_name": "first"}, {"id": "u2", "display_name": "first"}, {"id": "u3", "display_name": "first"}]');
SELECT neon_auth.upsert_teams('[{"id": "t1", "display_name": "first"}, {"id": "t2", "display_name": "first"}]');
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u3"}');
SELECT deliver('project_permission.created', '{"user_id": "u3", "id": "gone"}');
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id, inherited) VALUES ('t1', 'u3', 'editor', true);
DELETE FROM neon_auth.sync_queue;

-- Somebody asks, and before the answer is here:
SELECT pg_temp.moment() AS asked \gset
SELECT deliver('user.updated', '{"id": "u1", "display_name": "second"}');
SELECT neon_auth.upsert_user('{"id": "u2", "display_name": "second"}');
SELECT deliver('team.updated', '{"id": "t1", "display_name": "second"}');
SELECT neon_auth.upsert_teams('[{"id": "t2", "display_name": "second"}]');
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "editor"}');
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u3", "id": "editor"}');
SELECT deliver('project_permission.created', '{"user_id": "u1", "id": "beta"}');
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u2"}');
SELECT deliver('project_permission.deleted', '{"user_id": "u3", "id": "gone"}');
DELETE FROM neon_auth.sync_queue;

SET LOCAL search_path = pg_catalog, public, pg_temp;
SELECT pg_temp.moment() AS asked_later \gset
-- The answer shows things as they were.
SELECT neon_auth_internal.write_page('user', ARRAY['{"id": "u1", "display_name": "first"}', '{"id": "u2", "display_name": "first"}'], :asked) AS users,
       neon_auth_internal.write_page('team', ARRAY['{"id": "t1", "display_name": "first"}', '{"id": "t2", "display_name": "first"}'], :asked) AS teams;
SELECT id, name FROM neon_auth.users_sync UNION ALL SELECT id, name FROM neon_auth.teams_sync ORDER BY 1;
SELECT * FROM queue;
SELECT neon_auth_internal.confirm_team('t1', '', '[{"team_id": "t1", "user_id": "u2"}, {"team_id": "t1", "user_id": "u3"}]', '[]',
                              '[{"team_id": "t1", "user_id": "u3", "id": "editor"}]', :asked, true) AS gone;
SELECT neon_auth_internal.confirm_project_permissions(holder, answer, answer, :asked) AS gone
  FROM (VALUES ('u1', '[]'), ('u3', '[{"user_id": "u3", "id": "gone"}]')) AS v(holder, answer);
CREATE TEMP VIEW everything AS
    SELECT 'member' AS what, team_id, user_id, NULL AS permission_id, NULL AS inherited FROM neon_auth.team_members_sync
    UNION ALL SELECT 'team permission', team_id, user_id, permission_id, inherited FROM neon_auth.team_permissions_sync
    UNION ALL SELECT 'project permission', NULL, user_id, permission_id, inherited FROM neon_auth.project_permissions_sync
    ORDER BY 1, 2, 3, 4;
SELECT * FROM everything;

-- Asked for later, the same answer is the truth.
SELECT neon_auth_internal.write_page('user', ARRAY['{"id": "u1", "display_name": "first"}', '{"id": "u2", "display_name": "first"}'], :asked_later) AS users,
       neon_auth_internal.write_page('team', ARRAY['{"id": "t1", "display_name": "first"}', '{"id": "t2", "display_name": "first"}'], :asked_later) AS teams;
SELECT id, name FROM neon_auth.users_sync UNION ALL SELECT id, name FROM neon_auth.teams_sync ORDER BY 1;
SELECT neon_auth_internal.confirm_team('t1', '', '[{"team_id": "t1", "user_id": "u2"}, {"team_id": "t1", "user_id": "u3"}]', '[]',
                              '[{"team_id": "t1", "user_id": "u3", "id": "editor"}]', :asked_later, true) AS gone;
SELECT neon_auth_internal.confirm_project_permissions(holder, answer, answer, :asked_later) AS gone
  FROM (VALUES ('u1', '[]'), ('u3', '[{"user_id": "u3", "id": "gone"}]')) AS v(holder, answer);
SELECT * FROM everything;
ROLLBACK;
