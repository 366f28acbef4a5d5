-- Each event and what it does.
\set SHOW_CONTEXT never
BEGIN;
-- Users
SELECT deliver('user.created', '{"id": "u1", "display_name": "Alice Example", "primary_email": "alice@example.com", "signed_up_at_millis": 1700000000123}');
SELECT id, name, email, created_at AT TIME ZONE 'UTC' AS created_at, deleted_at FROM neon_auth.users_sync;
SELECT deliver('user.updated', '{"id": "u1", "display_name": "Alice B. Example"}');
SELECT deliver('user.updated', '{"id": "u1", "display_name": "Alice B. Example"}') AS again;
SELECT deliver('user.updated', '{"id": "u2", "display_name": "Bob Example"}') AS "not created yet";
SELECT id, name, email FROM neon_auth.users_sync ORDER BY id;
-- Teams
SELECT deliver('team.created', '{"id": "t1", "display_name": "Red", "created_at_millis": 1700000000456, "client_metadata": {"colour": "red"}}');
SELECT id, name, created_at AT TIME ZONE 'UTC' AS created_at, deleted_at, raw_json -> 'client_metadata' AS metadata FROM neon_auth.teams_sync;
SELECT deliver('team.updated', '{"id": "t1", "display_name": "Crimson"}');
SELECT deliver('team.updated', '{"id": "t2", "display_name": "Blue"}') AS "not created yet";
SELECT id, name FROM neon_auth.teams_sync ORDER BY id;
-- Memberships
SELECT deliver('team_membership.created', format('{"team_id": "%s", "user_id": "%s"}', team, member)::jsonb)
  FROM (VALUES ('t1', 'u1'), ('t2', 'u1'), ('t1', 'u2'), ('t2', 'u2')) AS m(team, member);
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}') AS again;
-- Permissions
SELECT deliver('team_permission.created', format('{"team_id": "%s", "user_id": "%s", "id": "%s"}', team, member, permission)::jsonb)
  FROM (VALUES ('t1', 'u1', 'team_admin'), ('t2', 'u1', 'team_member'), ('t1', 'u2', 'team_member'), ('t1', 'u2', 'team_admin'), ('t2', 'u2', 'team_admin')) AS m(team, member, permission);
SELECT deliver('project_permission.created', format('{"user_id": "%s", "id": "beta"}', member)::jsonb)
  FROM unnest('{u1,u2}'::text[]) AS member;
SELECT deliver('project_permission.created', '{"user_id": "u1", "id": "beta"}') AS again;
CREATE TEMP VIEW everything AS
    SELECT 'member' AS what, team_id, user_id, NULL AS permission_id FROM neon_auth.team_members_sync
    UNION ALL SELECT 'team permission', team_id, user_id, permission_id FROM neon_auth.team_permissions_sync
    UNION ALL SELECT 'project permission', NULL, user_id, permission_id FROM neon_auth.project_permissions_sync
    ORDER BY 1, 2, 3, 4;
SELECT * FROM everything;
-- Which delivery told of it, and when
SELECT count(*) FROM neon_auth.team_members_sync m JOIN neon_auth.webhook_deliveries d ON d.id = m.webhook_id
 WHERE d.event = 'team_membership.created' AND m.created_at BETWEEN now() AND clock_timestamp();

-- A permission that is taken away
SELECT deliver('team_permission.deleted', '{"team_id": "t1", "user_id": "u2", "id": "team_admin"}');
SELECT deliver('project_permission.deleted', '{"user_id": "u2", "id": "beta"}');
SELECT deliver('project_permission.deleted', '{"user_id": "u2", "id": "gamma"}') AS "never given";
SELECT * FROM everything WHERE permission_id IN ('team_admin', 'beta');
-- A membership that ends takes its permissions along, in its team alone.
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u2"}');
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u9"}') AS "no member";
SELECT * FROM everything WHERE user_id = 'u2';
-- So does a team that is deleted, for all its members; the row stays.
SELECT deliver('team.deleted', '{"id": "t2"}');
SELECT deliver('team.deleted', '{"id": "t2"}') AS again;
SELECT * FROM everything;
SELECT id, name, deleted_at BETWEEN now() AND clock_timestamp() AS deleted_now, updated_at BETWEEN now() AND clock_timestamp() AS updated_now FROM neon_auth.teams_sync ORDER BY id;
-- And a user who is deleted, everywhere.
SELECT deliver('user.deleted', '{"id": "u1", "teams": [{"id": "t1"}]}');
SELECT deliver('user.deleted', '{"id": "u1", "teams": []}') AS again;
SELECT * FROM everything;
SELECT id, name, deleted_at BETWEEN now() AND clock_timestamp() AS deleted_now FROM neon_auth.users_sync ORDER BY id;
-- What ends for good has nothing left to be confirmed.
SELECT kind, team_id, user_id FROM neon_auth.sync_queue ORDER BY 1, 2, 3;
SELECT kind, team_id, user_id, permission_id FROM neon_auth_internal.tombstones ORDER BY 1, 2, 3, 4;

-- Events of other kinds are no errors.
SELECT event, deliver(event, '{"id": "x", "teams": 7}')
  FROM unnest('{user.renamed,team,contact_channel.created,project_permission_definition.created,USER.DELETED,user.deleted.now,.}'::text[]) AS event;
SELECT deliver('no.such', 'null') AS "no data";
-- Nor are those that the service has for its own purposes.
SELECT event, deliver(event, '{"id": "x", "user_id": "u2", "team_id": "t1"}')
  FROM unnest('{issue.created,issue.regressed,issue.resolved,issue.ignored,issue.merged,stack.test}'::text[]) AS event;
-- The answer in full
SELECT neon_auth.handle_webhook(body, sign_webhook(body, 'msg_full'))
  FROM (VALUES ('{"type": "user.updated", "data": {"id": "u2", "display_name": "Bob B. Example"}}')) AS v(body);
ROLLBACK;

-- delete_user does what user.deleted does.
BEGIN;
SELECT deliver('user.created', '{"id": "u1"}');
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}');
SELECT deliver('team_permission.created', '{"team_id": "t1", "user_id": "u1", "id": "team_admin"}');
SELECT deliver('project_permission.created', '{"user_id": "u1", "id": "beta"}');
SELECT neon_auth.delete_user('u1'), neon_auth.delete_user('u1') AS again;
SELECT (SELECT count(*) FROM neon_auth.team_members_sync) AS members, (SELECT count(*) FROM neon_auth.team_permissions_sync) AS team_permissions,
       (SELECT count(*) FROM neon_auth.project_permissions_sync) AS project_permissions;
ROLLBACK;

-- As the simulator signs them.
\set delivery `"$STACK" webhook --type user.created --data '{"id": "u1", "display_name": "Alice Example"}'`
BEGIN;
SELECT neon_auth.handle_webhook(d ->> 'body', (d -> 'headers')::jsonb) FROM (VALUES (:'delivery'::json)) AS v(d);
SELECT id, name FROM neon_auth.users_sync;
ROLLBACK;

-- A row is found over its index, even if the plan was made when the table had one row.
BEGIN;
SELECT neon_auth.upsert_user('{"id": "u1"}');
ANALYZE neon_auth.users_sync;
SELECT seq_scan AS before FROM pg_stat_xact_user_tables WHERE relid = 'neon_auth.users_sync'::regclass \gset
SELECT deliver('user.updated', '{"id": "u1", "display_name": "Alice"}');
SELECT seq_scan - :before AS scans FROM pg_stat_xact_user_tables WHERE relid = 'neon_auth.users_sync'::regclass;
ROLLBACK;
