-- Deliveries arrive in any order. What has ended stays so; what cannot be told is queued.
\set asked '(extract(epoch FROM clock_timestamp()) * 1000000)::bigint'
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

-- A creation after a removal may be older than it: the REST API decides.
BEGIN;
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u1"}') AS "not known";
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}') AS "before or after";
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}') AS "so may this be";
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}') AS "once more";
SELECT (SELECT count(*) FROM neon_auth.team_members_sync) AS members, (SELECT count(*) FROM neon_auth.team_permissions_sync) AS team_permissions;
SELECT * FROM queue;
ROLLBACK;

-- So does a member who leaves and returns wait, with all permissions.
BEGIN;
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_member"}');
SELECT * FROM queue;
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}') AS late;
SELECT deliver('team_permission.deleted', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}') AS late;
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}') AS returned;
SELECT * FROM queue;
SELECT neon_auth_internal.confirm_team('t1', 'u1', m, p, p, :asked, true)
  FROM (VALUES ('[{"team_id": "t1", "user_id": "u1"}]', '[{"team_id": "t1", "user_id": "u1", "id": "team_member"}]')) AS v(m, p);
SELECT team_id, user_id, permission_id FROM neon_auth.team_members_sync LEFT JOIN neon_auth.team_permissions_sync USING (team_id, user_id);
-- What is confirmed needs no further confirmation; another permission may be one from before.
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}') AS "the same, doubled";
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}') AS "the late one, doubled";
SELECT permission_id FROM neon_auth.team_permissions_sync;
ROLLBACK;

-- A removal that the REST API reports is one, too.
BEGIN;
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}');
SELECT deliver('project_permission.created', '{"user_id": "u1", "id": "beta"}');
SELECT neon_auth_internal.confirm_team('t1', 'u1', '[{"team_id": "t1", "user_id": "u1"}]', '[]', '[]', :asked, true) AS permission,
       neon_auth_internal.confirm_project_permissions('u1', '[]', '[]', :asked) AS "in the project";
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}') AS doubled;
SELECT deliver('project_permission.created', '{"user_id": "u1", "id": "beta"}') AS doubled;
SELECT neon_auth_internal.confirm_team('t1', 'u1', '[]', '[]', '[]', :asked, true) AS membership;
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}') AS doubled;
SELECT (SELECT count(*) FROM neon_auth.team_members_sync) AS members, (SELECT count(*) FROM neon_auth.team_permissions_sync) AS team_permissions,
       (SELECT count(*) FROM neon_auth.project_permissions_sync) AS project_permissions;
SELECT * FROM queue;
ROLLBACK;

-- Permissions in the project that are removed, and given again; not for another user or of another name.
BEGIN;
SELECT deliver('project_permission.deleted', '{"user_id": "u1", "id": "beta"}');
SELECT deliver('project_permission.created', '{"user_id": "u1", "id": "beta"}') FROM generate_series(1, 3);
SELECT deliver('project_permission.created', '{"user_id": "u1", "id": "gamma"}') AS another;
SELECT deliver('project_permission.created', '{"user_id": "u2", "id": "beta"}') AS "another user";
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "beta"}') AS "in a team";
SELECT user_id, permission_id FROM neon_auth.project_permissions_sync;
SELECT * FROM queue;
ROLLBACK;

-- No event reports what a sign-up gives, and an update may be the first event to arrive.
BEGIN;
SELECT deliver('user.updated', '{"id": "u1", "selected_team_id": null}');
SELECT deliver('user.created', '{"id": "u1"}');
SELECT deliver('team.created', '{"id": "t1"}');
SELECT deliver('user.created', '{"id": "u2", "selected_team_id": "t1"}');
SELECT deliver('user.created', '{"id": "u3", "selected_team_id": "t2"}') AS "unknown team";
SELECT * FROM queue;
SELECT deliver('user.deleted', format('{"id": "u%s"}', n)::jsonb) FROM generate_series(1, 3) AS n;
SELECT * FROM queue;
ROLLBACK;

-- Nor that a user's teams are renamed who stops being anonymous.
BEGIN;
SELECT deliver('user.created', '{"id": "u1", "is_anonymous": true, "selected_team_id": "t0", "last_active_at_millis": 1}');
SELECT deliver('team_membership.created', format('{"team_id": "t%s", "user_id": "u1"}', n)::jsonb) FROM generate_series(2, 1, -1) AS n;
DELETE FROM neon_auth.sync_queue;
SELECT deliver('user.updated', '{"id": "u1", "is_anonymous": true, "selected_team_id": "t3", "last_active_at_millis": 90000000}') AS "still anonymous";
SELECT * FROM queue;
SELECT deliver('user.updated', '{"id": "u1", "is_anonymous": false, "selected_team_id": "t3", "last_active_at_millis": 180000000}') AS signed_up;
SELECT * FROM queue;
DELETE FROM neon_auth.sync_queue;
SELECT deliver('user.updated', '{"id": "u1", "is_anonymous": false, "selected_team_id": "t3", "last_active_at_millis": 270000000}') AS "not again";
SELECT * FROM queue;
-- Another user of the same team signs up, with a team that cannot be one.
SELECT deliver('user.created', format('{"id": "u%s", "is_anonymous": true, "selected_team_id": "t0"}', n)::jsonb) FROM generate_series(2, 4) AS n;
DELETE FROM neon_auth.sync_queue;
SELECT deliver('user.updated', jsonb_build_object('id', 'u' || n, 'is_anonymous', false, 'selected_team_id', team)) AS odd
  FROM (VALUES (2, '7'::jsonb), (3, to_jsonb(''::text)), (4, to_jsonb((SELECT string_agg(md5(i::text), '') FROM generate_series(1, 1000) AS i)))) AS v(n, team);
SELECT kind, team_id, user_id, reason FROM queue;
-- Whoever reports it first: an answer of the REST API about the user.
UPDATE neon_auth.users_sync SET raw_json = raw_json || '{"is_anonymous": true}';
SELECT neon_auth_internal.sync_page(0, 'user', ARRAY['{"id": "u1", "is_anonymous": false}'], :asked);
SELECT * FROM queue;
ROLLBACK;
DROP VIEW queue;
