-- A team's deletion is soft and final, and ends what users were and could do in it.
\set SHOW_CONTEXT never
BEGIN;
SELECT neon_auth.upsert_teams('[{"id": "t1", "display_name": "Red"}, {"id": "t2"}]');
UPDATE neon_auth.teams_sync SET updated_at = '2020-01-01';
INSERT INTO neon_auth.team_members_sync (team_id, user_id) VALUES ('t1', 'u1'), ('t2', 'u1');
INSERT INTO neon_auth.team_permissions_sync (team_id, user_id, permission_id) VALUES ('t1', 'u1', 'team_admin'), ('t2', 'u1', 'team_admin');
SELECT neon_auth_internal.note_removal('team_member', t, 'u2', ''), neon_auth_internal.queue_sync('team', t, '', 'for the test')
  FROM unnest('{t1,t2}'::text[]) AS t;
SELECT neon_auth.delete_team('t1');
SELECT id, name, deleted_at BETWEEN now() AND clock_timestamp() AS deleted_now, updated_at BETWEEN now() AND clock_timestamp() AS updated_now
  FROM neon_auth.teams_sync ORDER BY id;
SELECT (SELECT string_agg(team_id, ',') FROM neon_auth.team_members_sync) AS members,
       (SELECT string_agg(team_id, ',') FROM neon_auth.team_permissions_sync) AS permissions,
       (SELECT string_agg(team_id, ',') FROM neon_auth_internal.tombstones) AS tombstones,
       (SELECT string_agg(team_id, ',') FROM neon_auth.sync_queue) AS queue;
-- Once is enough: the time of the deletion stays.
UPDATE neon_auth.teams_sync SET deleted_at = '2020-01-01', updated_at = '2020-01-01' WHERE id = 't1';
SELECT neon_auth.delete_team('t1');
SELECT deleted_at = '2020-01-01' AS deleted_at_kept, updated_at = '2020-01-01' AS updated_at_kept FROM neon_auth.teams_sync WHERE id = 't1';
-- No event about it counts any more.
SELECT deliver('team.updated', '{"id": "t1", "display_name": "Again"}') ->> 'reason' AS team,
       deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}') ->> 'reason' AS membership;
-- An id that no team has changes nothing.
SELECT neon_auth.delete_team('t9'), neon_auth.delete_team('');
SELECT count(*) FROM neon_auth.teams_sync;
SELECT neon_auth.delete_team(NULL);
\echo :SQLSTATE
ROLLBACK;
