-- A delivery counts once, however often it comes.
BEGIN;
SELECT deliver('user.created', '{"id": "u1", "display_name": "first"}', 'msg_1');
SELECT deliver('user.created', '{"id": "u1", "display_name": "first"}', 'msg_1') AS again;
SELECT deliver('user.updated', '{"id": "u1", "display_name": "second"}', 'msg_2');
-- A retry of the older event does not bring back what it says.
SELECT deliver('user.created', '{"id": "u1", "display_name": "first"}', 'msg_1') AS again;
SELECT deliver('user.updated', '{"id": "u1", "display_name": "second"}', 'msg_2') AS again;
SELECT name FROM neon_auth.users_sync;
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}', 'msg_3');
SELECT deliver('team_membership.deleted', '{"team_id": "t1", "user_id": "u1"}', 'msg_4');
SELECT deliver('team_membership.created', '{"team_id": "t1", "user_id": "u1"}', 'msg_3') AS again;
SELECT count(*) FROM neon_auth.team_members_sync;
-- Refused and unknown ones: the former may come again, the latter need not.
SELECT deliver('no.such', '{}', 'msg_5');
SELECT deliver('no.such', '{}', 'msg_5') AS again;
-- Ids are compared exactly.
SELECT deliver('user.created', '{"id": "u2"}', 'MSG_1');
SELECT id COLLATE "C" AS id, event, outcome, received_at = now() AS received_now FROM neon_auth.webhook_deliveries ORDER BY 1;

-- Old ones are forgotten on demand.
UPDATE neon_auth.webhook_deliveries SET received_at = now() - interval '91 days' WHERE id = 'msg_1';
UPDATE neon_auth.webhook_deliveries SET received_at = now() - interval '2 days' WHERE id = 'msg_2';
SELECT neon_auth.prune_webhook_deliveries(), neon_auth.prune_webhook_deliveries() AS again;
\set SHOW_CONTEXT never
SAVEPOINT s;
SELECT neon_auth.prune_webhook_deliveries(NULL);
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.prune_webhook_deliveries('-1 day');
\echo :SQLSTATE
ROLLBACK TO s;
SELECT neon_auth.prune_webhook_deliveries('36 hours');
SELECT id COLLATE "C" AS id FROM neon_auth.webhook_deliveries ORDER BY 1;
-- A message that is delivered after that is as harmless as any that is late.
SELECT deliver('user.created', '{"id": "u1", "display_name": "first"}', 'msg_1') AS forgotten;
SELECT name FROM neon_auth.users_sync WHERE id = 'u1';
ROLLBACK;
