-- Deliveries arrive in any order. What has ended stays so; what cannot be told is queued.
CREATE TEMP VIEW queue AS SELECT kind, team_id, user_id, reason FROM neon_auth.sync_queue ORDER BY 1, 2, 3;

-- A user's creation is older than anything else about the user.
BEGIN;
SELECT deliver('user.updated', '{"id": "u1", "display_name": "second"}');
SELECT deliver('user.created', '{"id": "u1", "display_name": "first"}');
SELECT name FROM neon_auth.users_sync;
SELECT * FROM queue;
-- Of two updates the later to come is taken for the later, and queued.
SELECT deliver('user.updated', '{"id": "u1", "display_name": "third"}');
SELECT name FROM neon_auth.users_sync;
SELECT * FROM queue;
-- Unless the time of the user's last activity tells.
DELETE FROM neon_auth.sync_queue;
SELECT deliver('user.updated', '{"id": "u2", "display_name": "second", "last_active_at_millis": 1700000000200}');
SELECT deliver('user.updated', '{"id": "u2", "display_name": "third", "last_active_at_millis": 1700000000300}') AS later;
SELECT * FROM queue;
SELECT deliver('user.updated', '{"id": "u2", "display_name": "first", "last_active_at_millis": 1700000000100}') AS earlier;
SELECT name FROM neon_auth.users_sync WHERE id = 'u2';
SELECT deliver('user.updated', '{"id": "u2", "display_name": "fourth", "last_active_at_millis": 1700000000300}') AS "the same";
SELECT deliver('user.updated', '{"id": "u2", "display_name": "fifth", "last_active_at_millis": "never"}') AS "no number";
SELECT name FROM neon_auth.users_sync WHERE id = 'u2';
SELECT * FROM queue;
-- A row is queued once, with the latest reason and time.
UPDATE neon_auth.sync_queue SET reason = 'earlier', queued_at = '2020-01-01';
SELECT deliver('user.updated', '{"id": "u2", "display_name": "sixth"}');
SELECT kind, user_id, reason, queued_at > now() - interval '1 hour' AS queued_now FROM neon_auth.sync_queue;
ROLLBACK;

-- A deletion is final, also one that comes first.
BEGIN;
SELECT deliver('user.deleted', '{"id": "u1", "teams": []}');
SELECT deliver('user.created', '{"id": "u1", "display_name": "Alice Example"}');
SELECT deliver('user.updated', '{"id": "u1", "display_name": "Alice Example"}');
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}');
SELECT deliver('project_permission.created', '{"user_id": "u1", "id": "beta"}');
SELECT neon_auth.upsert_user('{"id": "u1", "display_name": "Alice Example"}');
SELECT id, name, deleted_at IS NOT NULL AS deleted, raw_json FROM neon_auth.users_sync;
SELECT deliver('team.deleted', '{"id": "t2"}');
SELECT deliver('team.created', '{"id": "t2", "display_name": "Blue"}');
SELECT deliver('team.updated', '{"id": "t2", "display_name": "Blue"}');
SELECT deliver('team_membership.created', '{"team_id": "t2", "user_id": "u2"}');
SELECT deliver('team_permission.created', '{"team_id": "t2", "user_id": "u2", "id": "team_admin"}');
SELECT id, name, deleted_at IS NOT NULL AS deleted FROM neon_auth.teams_sync;
SELECT (SELECT count(*) FROM neon_auth.team_members_sync) AS members, (SELECT count(*) FROM neon_auth.team_permissions_sync) AS team_permissions,
       (SELECT count(*) FROM neon_auth.project_permissions_sync) AS project_permissions, (SELECT count(*) FROM neon_auth.sync_queue) AS queued;
ROLLBACK;

-- A team before its owner, memberships and permissions before either.
BEGIN;
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}');
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team.created', '{"id": "t1"}');
SELECT deliver('user.created', '{"id": "u1"}');
SELECT auth.impersonate('u1');
SELECT auth.has_permission('$delete_team', 't1');
-- No event says who is a new team's first member.
SELECT * FROM queue;
-- Of two updates of a team nothing tells.
DELETE FROM neon_auth.sync_queue;
SELECT deliver('team.updated', '{"id": "t1", "display_name": "Red"}');
SELECT deliver('team.created', '{"id": "t1"}') AS late;
SELECT * FROM queue;
ROLLBACK;

-- A membership that ended before its beginning was told.
BEGIN;
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}');
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}');
SELECT (SELECT count(*) FROM neon_auth.team_members_sync) AS members, (SELECT count(*) FROM neon_auth.team_permissions_sync) AS team_permissions;
SELECT * FROM queue;
-- One more is one that began again.
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}') AS "once more";
SELECT team_id, user_id FROM neon_auth.team_members_sync;
ROLLBACK;

-- In order, a member leaves, a late permission is none, and the member returns.
BEGIN;
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_member"}');
SELECT * FROM queue;
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}') AS late;
SELECT deliver('team_permission.deleted', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}') AS late;
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}') AS returned;
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_member"}');
SELECT team_id, user_id, permission_id FROM neon_auth.team_members_sync LEFT JOIN neon_auth.team_permissions_sync USING (team_id, user_id);
SELECT * FROM queue;
ROLLBACK;

-- Permissions that were taken away before they were given, or given again.
BEGIN;
SELECT deliver('project_permission.deleted', '{"user_id": "u1", "id": "beta"}');
SELECT deliver('project_permission.deleted', '{"user_id": "u1", "id": "beta"}');
SELECT deliver('project_permission.created', '{"user_id": "u1", "id": "beta"}') FROM generate_series(1, 3);
SELECT user_id, permission_id FROM neon_auth.project_permissions_sync;
SELECT deliver('project_permission.deleted', '{"user_id": "u1", "id": "beta"}');
SELECT deliver('project_permission.created', '{"user_id": "u1", "id": "beta"}');
SELECT user_id, permission_id FROM neon_auth.project_permissions_sync;
SELECT * FROM queue;
-- One that did not come by a webhook: whether the event that told of it is yet to come, nobody knows.
INSERT INTO neon_auth.project_permissions_sync (user_id, permission_id) VALUES ('u2', 'beta');
SELECT deliver('project_permission.deleted', '{"user_id": "u2", "id": "beta"}');
SELECT deliver('project_permission.created', '{"user_id": "u2", "id": "beta"}');
SELECT count(*) FROM neon_auth.project_permissions_sync WHERE user_id = 'u2';
ROLLBACK;
DROP VIEW queue;
